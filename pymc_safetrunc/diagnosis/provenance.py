"""Which operation made the value: walk back from a non-finite output, one element at a time.

At a node whose operands (at this element) are finite the walk ends: this operation made it.
A Switch leads to the branch it takes. An infinity or NaN that comes from the user's data, from
a constant or from the point itself ends the walk at its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pymc.logprob.utils import CheckParameterValue
from pytensor.conditional.op import IfElse
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.raise_op import CheckAndRaise
from pytensor.scalar import ScalarOp, Switch
from pytensor.scan.op import Scan
from pytensor.tensor.elemwise import CAReduce, Elemwise
from pytensor.tensor.math import Dot

from pymc_safetrunc.diagnosis.conditions import Condition, explain, explain_scalar
from pymc_safetrunc.diagnosis.evaluation import Evaluation
from pymc_safetrunc.diagnosis.expression import Namer, number
from pymc_safetrunc.diagnosis.loops import first_inside
from pymc_safetrunc.diagnosis.movement import is_increment, is_movement, moved_from, reduced_part
from pymc_safetrunc.diagnosis.scalars import ScalarProgram, scalar_program
from pymc_safetrunc.diagnosis.zeros import Zero, zero_behind

__all__ = ["Operand", "Origin", "Step", "trace"]

Index = tuple[int, ...]
# "operation": made from finite operands; "input": the user's data, or the point; "literal": a
# number written in the graph; "check": a parameter check of PyMC that does not hold
End = Literal["operation", "input", "literal", "check"]


@dataclass(frozen=True)
class Operand:
    """One operand of an operation, at the element that is looked at."""

    text: str
    value: Any
    variable: Variable
    constant: bool


@dataclass(frozen=True)
class Step:
    """An operation on the way from the output to the origin."""

    op: Any
    node: Apply
    operands: tuple[Operand, ...]
    value: Any
    index: Index
    shape: tuple[int, ...]
    expression: str
    followed: int | None = None
    tensor: Variable | None = None
    moved: bool = False
    inside: Inside | None = None

    @property
    def operation(self) -> str:
        """Class name of the Op."""
        return operation_name(self.op)

    def made_nan_from_infinity(self) -> bool:
        """Whether the operation turned an infinite operand into a NaN."""
        return (
            self.followed is not None
            and bool(np.any(np.isnan(self.value)))
            and not np.any(np.isnan(self.operands[self.followed].value))
        )


@dataclass(frozen=True)
class Origin:
    """Where a non-finite value comes from.

    `masked` says that a Switch had put a 0 in its way, with which it made a NaN.
    """

    step: Step | None
    end: End
    source: str | None = None
    source_index: Index | None = None
    source_value: Any = None
    index: Index | None = None
    path: tuple[Step, ...] = ()
    message: str = ""
    condition: Condition | None = None
    zero: Zero | None = None
    masked: bool = False


def operation_name(op: Any) -> str:
    """Class name of an Op; of the Op it applies along the last axes for a Blockwise."""
    return type(getattr(op, "core_op", op)).__name__


def trace(
    evaluation: Evaluation,
    output: Variable,
    namer: Namer,
    observed: tuple[int, ...] | None = None,
) -> Origin:
    """Origin of the first non-finite element of an output.

    With the shape of the observed values the index is that of the observation, where the walk
    came by one.
    """
    index = first_bad(evaluation.value(output))
    assert index is not None
    walk = Walk(evaluation, namer)
    path, end, leaf = walk.back(output, index)
    origin = _origin(path, end, leaf, evaluation, observed)
    if origin.end == "operation" and (zero := zero_behind(walk, origin.step)) is not None:
        if zero.absorbed is not None:  # a zero that stands for e**-inf: the infinity is the cause
            tail, end, leaf = walk.resume(*zero.absorbed)
            if tail:
                return _origin(path + tail, end, leaf, evaluation, observed)
        origin = replace(origin, zero=zero)
    turned = [step for step in origin.path if step.made_nan_from_infinity()]
    zeros = [origin.zero, *(zero_behind(walk, step) for step in turned)]
    return replace(origin, masked=any(zero is not None and zero.switched for zero in zeros))


def first_bad(value: Any, nan_first: bool = True) -> Index | None:
    """Index of the first NaN, or else of the first infinity; None when all is finite."""
    array = np.asarray(value)
    if array.dtype.kind not in "fc":
        return None
    tests: list[Callable] = [np.isnan, np.isinf] if nan_first else [np.isinf, np.isnan]
    for test in tests:
        mask = test(array)
        if mask.any():
            return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask)), array.shape))
    return None


def _is_bad(value: Any) -> bool:
    array = np.asarray(value)
    return array.dtype.kind in "fc" and not bool(np.isfinite(array).all())


@dataclass(frozen=True)
class _Leaf:
    variable: Variable | None
    index: Index | None
    name: str | None
    value: Any
    message: str = ""
    condition: Condition | None = None


@dataclass(frozen=True)
class Inside:
    """One element of an Elemwise: its scalar graph, with values."""

    namer: Namer
    tensor: Variable
    index: Index
    shape: tuple[int, ...]
    program: ScalarProgram
    values: dict[Variable, np.ndarray]
    scope: dict[Variable, Variable]
    places: dict[Variable, Index]

    def value(self, scalar: Variable) -> Any:
        return scalar.data if isinstance(scalar, Constant) else self.values[scalar]

    def step(self, scalar: Variable) -> tuple[Step, list[int]]:
        """Operation that made a scalar, and which of its operands the walk may follow."""
        node = scalar.owner
        assert node is not None
        operands = tuple(
            Operand(
                self.namer.text(x, scope=self.scope),
                self.value(x),
                self.scope.get(x, x),
                isinstance(self.scope.get(x, x), Constant),
            )
            for x in node.inputs
        )
        choices = _choices(node.op, operands, self.value(scalar))
        text = self.namer.apply(node, scope=self.scope)
        step = Step(
            node.op,
            node,
            operands,
            self.value(scalar),
            self.index,
            self.shape,
            with_values(text, operands, self.value(scalar)),
            choices[0] if choices else None,
            self.tensor,
            inside=self,
        )
        return step, choices


def with_values(text: str, operands: tuple[Operand, ...], value: Any) -> str:
    """Expression, its value and those of its operands."""
    known = dict.fromkeys(
        f"{operand.text} = {number(operand.value)}"
        for operand in operands
        if operand.text != number(operand.value)
    )
    where = ", ".join(known)
    return f"{text} = {number(value)}" + (f", where {where}" if where else "")


class Walk:
    def __init__(self, evaluation: Evaluation, namer: Namer):
        self.evaluation = evaluation
        self.namer = namer

    def back(self, variable: Variable, index: Index) -> tuple[list[Step], End, _Leaf | None]:
        """Walk from a bad element: the steps, the kind of end, and the leaf if there is one."""
        path: list[Step] = []
        while True:
            node = variable.owner
            if node is None:
                value = np.asarray(self.evaluation.value(variable))[index]
                name = self.namer.labels.get(variable, variable.name)
                literal = isinstance(variable, Constant) and not name
                leaf = _Leaf(variable, index, name, value)
                return path, "literal" if literal else "input", leaf
            if isinstance(node.op, Elemwise):
                inside = self.inside(node, variable, index)
                scalar = inside.program.outputs[node.outputs.index(variable)]
                result = self._through(path, inside, scalar)
                if len(result) == 3:
                    return result
                variable, index = result
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
            if isinstance(node.op, IfElse):
                half = node.op.n_outs
                chosen = 1 + node.outputs.index(variable) + (0 if arguments[0] else half)
                variable = node.inputs[chosen]
                continue
            if isinstance(node.op, Scan) and (found := first_inside(node, arguments, self.namer)):
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
            return path, end, _Leaf(None, None, None, None, message)
        if condition.nan is not None:
            tail, end, leaf = self.back(*condition.nan)
            return [*path, condition.step, *tail], end, leaf
        return path, end, _Leaf(None, None, None, None, message, condition)

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
        bad = [(i, first_bad(part)) for i, part in enumerate(parts) if _is_bad(part)]
        if not bad:
            return None, None
        with_nan = [(i, at) for i, at in bad if np.isnan(np.asarray(parts[i])[at])]
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


def _choices(op: Any, operands: tuple[Operand, ...], value: Any) -> list[int]:
    """Operands that the walk may follow, the best first."""
    if isinstance(op, Switch):
        chosen = 1 if operands[0].value else 2
        return [chosen] if _is_bad(operands[chosen].value) else []
    bad = [i for i, operand in enumerate(operands) if _is_bad(operand.value)]
    nans = [i for i in bad if np.isnan(operands[i].value)]
    infinities = [i for i in bad if i not in nans]
    return nans[:1] or infinities if np.isnan(value) else infinities or nans


def _origin(
    path: list[Step],
    end: End,
    leaf: _Leaf | None,
    evaluation: Evaluation,
    observed: tuple[int, ...] | None,
) -> Origin:
    steps = [step for step in path if not step.moved]
    step = steps[-1] if steps else None
    if end in ("input", "literal"):
        pivots = [s for s in steps if s.made_nan_from_infinity()]
        step = pivots[-1] if pivots else step
    origin = Origin(step, end, index=_index(path, step, evaluation, observed), path=tuple(steps))
    if leaf is not None:
        origin = replace(
            origin,
            source=leaf.name,
            source_index=leaf.index,
            source_value=leaf.value,
            message=leaf.message,
            condition=leaf.condition,
        )
    return origin


def _index(
    path: list[Step],
    step: Step | None,
    evaluation: Evaluation,
    observed: tuple[int, ...] | None,
) -> Index | None:
    """Index of the observation, or else of the origin's element.

    For a scalar operation that is the entry it went into.

    A scalar that spoils every entry of what it goes into has no index.
    """
    if step is None:
        return None
    if not isinstance(step.node.op, ScalarOp | Elemwise | CAReduce | Dot | Scan):
        return None  # a matrix operation spoils what it likes
    start = next(i for i, s in enumerate(path) if s is step)
    if observed and np.prod(observed) > 1 and np.prod(step.shape) > 1:
        for candidate in reversed(path[: start + 1]):
            if candidate.shape == observed:
                return candidate.index
    if isinstance(step.node.op, Dot):  # a vector may have been given a second axis
        entry = tuple(i for i, n in zip(step.index, step.shape, strict=True) if n > 1)
        return entry or None
    if step.index and np.prod(step.shape) > 1:
        return step.index
    for candidate in reversed(path[:start]):
        if candidate.index and np.prod(candidate.shape) > 1 and candidate.tensor is not None:
            entries = np.asarray(evaluation.value(candidate.tensor))
            return candidate.index if np.isfinite(entries).any() else None
    return None
