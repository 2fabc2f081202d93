"""The walk back from a non-finite element, operation by operation.

At a node whose operands (at this element) are finite the walk ends: this operation made it.
A Switch leads to the branch it takes. An infinity or NaN that comes from the user's data, from
a constant or from the point itself ends the walk at its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pymc.logprob.utils import CheckParameterValue
from pytensor.conditional.op import IfElse
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.raise_op import CheckAndRaise
from pytensor.scalar import Switch
from pytensor.scan.op import Scan
from pytensor.tensor.elemwise import CAReduce, Elemwise
from pytensor.tensor.math import Dot

from pymc_safetrunc.diagnosis.conditions import Condition, explain, explain_scalar
from pymc_safetrunc.diagnosis.evaluation import Evaluation, branch_taken
from pymc_safetrunc.diagnosis.expression import Namer
from pymc_safetrunc.diagnosis.loops import first_inside
from pymc_safetrunc.diagnosis.movement import is_increment, is_movement, moved_from, reduced_part
from pymc_safetrunc.diagnosis.nonfinite import Index, element, first_bad
from pymc_safetrunc.diagnosis.scalars import scalar_program
from pymc_safetrunc.diagnosis.steps import Inside, Operand, Step, with_values

__all__ = ["End", "Leaf", "Walk"]

# "operation": made from finite operands; "input": the user's data, or the point; "literal": a
# number written in the graph; "check": a parameter check of PyMC that does not hold
End = Literal["operation", "input", "literal", "check"]


@dataclass(frozen=True)
class Leaf:
    """What a walk ended at that no operation made: a variable, or a number and its reason."""

    variable: Variable | None
    index: Index | None
    name: str | None
    value: Any
    message: str = ""
    condition: Condition | None = None


class Walk:
    """The way from a bad element to where it was made."""

    def __init__(self, evaluation: Evaluation, namer: Namer):
        self.evaluation = evaluation
        self.namer = namer

    def back(self, variable: Variable, index: Index) -> tuple[list[Step], End, Leaf | None]:
        """Walk from a bad element: the steps, the kind of end, and the leaf if there is one."""
        path: list[Step] = []
        while True:
            node = variable.owner
            if node is None:
                value = element(self.evaluation.value(variable), index)
                name = self.namer.labels.get(variable, variable.name)
                literal = isinstance(variable, Constant) and not name
                leaf = Leaf(variable, index, name, value)
                return path, "literal" if literal else "input", leaf
            if isinstance(node.op, Elemwise):
                inside = self.inside(node, variable, index)
                scalar = inside.program.outputs[node.outputs.index(variable)]
                result = self._through(path, inside, scalar)
                if len(result) == 3:
                    return result
                variable, index = result
                continue
            if isinstance(node.op, IfElse):
                variable = self.taken(variable)
                continue
            arguments = [self.evaluation.value(x) for x in node.inputs]
            if is_movement(node) or is_increment(node):
                origin = moved_from(node, variable, index, arguments)
                if origin is not None:
                    path.append(self._moved(node, variable, index))
                    variable, index = node.inputs[origin[0]], origin[1]
                    continue
            if isinstance(node.op, CheckParameterValue) and not all(
                np.all(condition) for condition in arguments[1:]
            ):
                return self._unmet(path, node, variable, index, arguments)
            if isinstance(node.op, CheckAndRaise):
                variable = node.inputs[0]
                continue
            if isinstance(node.op, Scan) and (
                found := first_inside(node, arguments, self.namer, self.evaluation.deadline)
            ):
                path.append(found.step)
                if found.argument is None:
                    return path, "operation", None
                variable = node.inputs[found.argument]
                index = first_bad(arguments[found.argument]) or ()
                continue
            position, bad = self._bad_argument(node, index, arguments, variable)
            path.append(self._step(node, variable, index, arguments, position))
            if position is None:
                return path, "operation", None
            variable, index = node.inputs[position], bad

    def taken(self, variable: Variable) -> Variable:
        """What an output of an IfElse hands on; the other branch has no value."""
        node = variable.owner
        assert node is not None
        branch = branch_taken(node, self.evaluation.value(node.inputs[0]))
        return branch[node.outputs.index(variable)]

    def inside(self, node: Apply, variable: Variable, index: Index) -> Inside:
        """Scalar graph of an Elemwise with its values at one element."""
        program = scalar_program(node)
        places, arguments = [], []
        for tensor in node.inputs:  # one array at a time: they may be large, and dropped again
            array = np.asarray(self.evaluation.value(tensor))
            place = tuple(0 if n == 1 else i for i, n in zip(index, array.shape, strict=True))
            places.append(place)
            arguments.append(np.array(array[place]))
        return Inside(
            self.namer,
            variable,
            index,
            np.shape(self.evaluation.value(variable)),
            program,
            program.evaluate(arguments),
            dict(zip(program.inputs, node.inputs, strict=True)),
            dict(zip(program.inputs, places, strict=True)),
        )

    def resume(self, inside: Inside, scalar: Variable):
        """Walk back from a scalar inside an Elemwise."""
        path: list[Step] = []
        result = self._through(path, inside, scalar)
        if len(result) == 3:
            return result
        tail, end, leaf = self.back(*result)
        return path + tail, end, leaf

    def _through(self, path: list[Step], inside: Inside, scalar: Variable):
        """Walk through the scalar graph of an Elemwise: the end, or the element to go on with."""
        while True:
            if scalar in inside.scope:
                return inside.scope[scalar], inside.places[scalar]
            inner = scalar.owner
            if inner is None:
                if path and isinstance(path[-1].op, Switch):
                    condition = explain_scalar(self, inside, path[-1].node.inputs[0])
                    return self._because(path, condition, "literal", "")
                return path, "literal", None
            step, choices = inside.step(scalar)
            path.append(step)
            if not choices:
                return path, "operation", None
            if len(choices) > 1 and step.made_nan_from_infinity():
                starts = [inner.inputs[choice] for choice in choices]
                if all(start in inside.scope for start in starts):
                    found = [(inside.scope[x], inside.places[x]) for x in starts]
                    tail, end, leaf = self._best(found)
                    return path + tail, end, leaf
            scalar = inner.inputs[choices[0]]

    def _unmet(self, path, node, variable, index, arguments):
        """End at a parameter check of PyMC that does not hold."""
        failed = next(i for i, x in enumerate(arguments) if i and not np.all(x))
        path.append(self._step(node, variable, index, arguments, None))
        at = tuple(int(i[0]) for i in np.nonzero(~np.atleast_1d(arguments[failed])))
        condition = explain(self, node.inputs[failed], at[: np.ndim(arguments[failed])])
        return self._because(path, condition, "check", node.op.msg)

    def _because(self, path, condition, end, message):
        if condition is None:
            return path, end, Leaf(None, None, None, None, message)
        if condition.nan is not None:
            tail, end, leaf = self.back(*condition.nan)
            return [*path, condition.step, *tail], end, leaf
        return path, end, Leaf(None, None, None, None, message, condition)

    def _best(self, starts):
        """Of several infinities that met in a NaN: the one the user's data holds comes first."""
        ends = [self.back(variable, index) for variable, index in starts]
        order = {"input": 0, "operation": 1, "check": 1, "literal": 2}
        return min(ends, key=lambda found: order[found[1]])

    def _bad_argument(self, node, index, arguments, variable):
        """Operand of an array operation to follow: a NaN before an infinity."""
        parts = list(arguments)
        offsets: list[Callable[[Index], Index]] = [lambda i: i] * len(parts)
        if isinstance(node.op, CAReduce):
            part, outward = reduced_part(node, index, np.asarray(arguments[0]))
            parts, offsets = [part], [outward]
        elif isinstance(node.op, Dot) and np.ndim(arguments[0]) == 2:
            left, right = (np.asarray(x) for x in arguments)
            row = index[0]
            parts = [left[row : row + 1], right]
            offsets = [lambda found: (row, found[1]), lambda found: found]
            if right.ndim == 2:
                column = index[1]
                parts[1] = right[:, column : column + 1]
                offsets[1] = lambda found: (found[0], column)
        bad = [(i, at) for i, part in enumerate(parts) if (at := first_bad(part)) is not None]
        if not bad:
            return None, None
        with_nan = [(i, at) for i, at in bad if np.isnan(element(parts[i], at))]
        position, at = (with_nan or bad)[0]
        return position, offsets[position](at)

    def _step(self, node, variable, index, arguments, followed) -> Step:
        operands = tuple(
            Operand(self.namer.text(x), value, x, isinstance(x, Constant))
            for x, value in zip(node.inputs, arguments, strict=True)
        )
        value = np.asarray(self.evaluation.value(variable))
        return Step(
            node.op,
            node,
            operands,
            value[index],
            index,
            value.shape,
            with_values(self.namer.apply(node), operands, value[index]),
            followed,
            variable,
        )

    def _moved(self, node, variable, index) -> Step:
        value = np.asarray(self.evaluation.value(variable))
        return Step(
            node.op, node, (), value[index], index, value.shape, "", None, variable, moved=True
        )
