"""Why a condition has the value it has: the comparison that decides, at one element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pytensor.conditional.op import IfElse
from pytensor.graph.basic import Constant, Variable
from pytensor.raise_op import CheckAndRaise
from pytensor.scalar import AND, EQ, GE, GT, LE, LT, NEQ, OR, Cast, Identity, Invert, IsNan
from pytensor.tensor.elemwise import CAReduce, Elemwise

from pymc_safetrunc.diagnosis.movement import is_increment, is_movement, moved_from

if TYPE_CHECKING:
    from pymc_safetrunc.diagnosis.steps import Inside, Step
    from pymc_safetrunc.diagnosis.walk import Walk

__all__ = ["Condition", "explain", "explain_scalar"]

_COMPARISONS = (LT, GT, LE, GE, EQ, NEQ, IsNan)


@dataclass(frozen=True)
class Condition:
    """The comparison that decided.

    `nan` is the operand that is a NaN, for which every comparison but != is False; `leaves`
    are the variables without owner that are compared, with their entries, and `tensors` all
    that take part.
    """

    step: Step
    nan: tuple[Variable, tuple[int, ...]] | None
    leaves: tuple[tuple[Variable, tuple[int, ...]], ...]
    tensors: tuple[Variable, ...]


def explain(walk: Walk, variable: Variable, index: tuple[int, ...]) -> Condition | None:
    """Comparison that decides a truth value held by a tensor; None when there is none."""
    while variable.owner is not None:
        node = variable.owner
        if isinstance(node.op, Elemwise):
            inside = walk.inside(node, variable, index)
            return explain_scalar(
                walk, inside, inside.program.outputs[node.outputs.index(variable)]
            )
        if isinstance(node.op, IfElse):
            variable = walk.taken(variable)
            continue
        arguments = [walk.evaluation.value(x) for x in node.inputs]
        if is_movement(node) or is_increment(node):
            origin = moved_from(node, variable, index, arguments)
            if origin is None:
                return None
            variable, index = node.inputs[origin[0]], origin[1]
        elif isinstance(node.op, CAReduce) and isinstance(node.op.scalar_op, AND | OR):
            decides = isinstance(node.op.scalar_op, OR)
            entries = np.argwhere(np.asarray(arguments[0], bool) == decides)
            if not len(entries):
                return None
            variable, index = node.inputs[0], tuple(int(i) for i in entries[0])
        elif isinstance(node.op, CheckAndRaise):
            variable = node.inputs[0]
        else:
            return None
    return None


def explain_scalar(walk: Walk, inside: Inside, scalar: Variable) -> Condition | None:
    """Comparison that decides a truth value inside an Elemwise."""
    while scalar not in inside.scope:
        node = scalar.owner
        if node is None:
            return None
        if isinstance(node.op, _COMPARISONS):
            return _comparison(walk, inside, scalar)
        if isinstance(node.op, AND | OR):
            decides = isinstance(node.op, OR)
            deciding = [x for x in node.inputs if bool(inside.value(x)) == decides]
            scalar = (deciding or node.inputs)[0]
        elif isinstance(node.op, Invert | Cast | Identity):
            scalar = node.inputs[0]
        else:
            return None
    return explain(walk, inside.scope[scalar], inside.places[scalar])


def _comparison(walk: Walk, inside: Inside, scalar: Variable) -> Condition:
    step, _ = inside.step(scalar)
    nan = None
    leaves = []
    tensors = []
    pending = list(scalar.owner.inputs)
    while pending:
        x = pending.pop()
        if x in inside.scope:
            tensor, place = inside.scope[x], inside.places[x]
            if _is_nan(inside.value(x)):
                nan = (tensor, place)
            leaves += _leaves(walk, tensor, place)
            tensors.append(tensor)
        elif x.owner is not None:
            pending += x.owner.inputs
    return Condition(step, nan, tuple(leaves), tuple(tensors))


def _leaves(walk: Walk, variable: Variable, index: tuple[int, ...]):
    """Variable without owner that is moved to this element, if it is only moved."""
    while variable.owner is not None and is_movement(variable.owner):
        node = variable.owner
        origin = moved_from(node, variable, index, [walk.evaluation.value(x) for x in node.inputs])
        if origin is None:
            return []
        variable, index = node.inputs[origin[0]], origin[1]
    if variable.owner is None and not isinstance(variable, Constant):
        return [(variable, index)]
    return []


def _is_nan(value) -> bool:
    array = np.asarray(value)
    return array.dtype.kind in "fc" and bool(np.isnan(array).any())
