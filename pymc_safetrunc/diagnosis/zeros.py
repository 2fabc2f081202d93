"""Where a zero comes from that a logarithm or a division met."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from pytensor.conditional.op import IfElse
from pytensor.graph.basic import Variable
from pytensor.scalar import Abs, Cast, Exp, Identity, Mul, Neg, Pow, Sigmoid, Sqr, Sqrt, Switch
from pytensor.tensor.elemwise import CAReduce, Elemwise

from pymc_safetrunc.diagnosis.movement import is_increment, is_movement, moved_from, reduced_part

if TYPE_CHECKING:
    from pymc_safetrunc.diagnosis.steps import Inside, Step
    from pymc_safetrunc.diagnosis.walk import Walk

__all__ = ["Zero", "zero_behind"]

_KEEPS_ZERO = (Abs, Cast, Identity, Neg, Pow, Sqr, Sqrt)
# Operations whose true value is never 0: a 0 of theirs has underflowed.
_UNDERFLOWS = (Exp, Sigmoid)


@dataclass(frozen=True)
class Zero:
    """A zero, followed back.

    `underflow` is the operation whose value was too small for a float, `root` says whether a
    square root was met on the way, `switched` whether a Switch chose it; `absorbed` is
    the -inf for which an exponential gave 0.
    """

    underflow: Step | None = None
    root: bool = False
    switched: bool = False
    absorbed: tuple[Inside, Variable] | None = None


def zero_behind(walk: Walk, step: Step | None) -> Zero | None:
    """Origin of the zero among a step's operands; None when there is no zero to follow."""
    if step is None or step.inside is None:
        return None
    inside = step.inside
    zeros = [x for x in reversed(step.node.inputs) if _is_zero(inside.value(x))]
    found = [_follow(walk, inside, x) for x in zeros]
    if not found:
        return None
    # of 0 / 0 the denominator tells the story, but a Switch above it is worth knowing
    return replace(found[0], switched=any(zero.switched for zero in found))


def _follow(walk, inside, scalar) -> Zero:
    root = switched = False
    while True:
        if scalar in inside.scope:
            found = _into_tensor(walk, inside.scope[scalar], inside.places[scalar])
            if found is None:
                return Zero(root=root, switched=switched)
            inside, scalar = found
            continue
        node = scalar.owner
        if node is None:
            return Zero(root=root, switched=switched)
        root = root or isinstance(node.op, Sqrt)
        if isinstance(node.op, _UNDERFLOWS):
            step, choices = inside.step(scalar)
            if choices:
                return Zero(root=root, absorbed=(inside, node.inputs[0]))
            return Zero(underflow=step, root=root)
        if isinstance(node.op, Switch):
            switched = True
            scalar = node.inputs[1 if inside.value(node.inputs[0]) else 2]
            continue
        zeros = [x for x in node.inputs if _is_zero(inside.value(x))]
        if not zeros or not (isinstance(node.op, (*_KEEPS_ZERO, Mul)) or len(zeros) > 1):
            return Zero(root=root, switched=switched)
        scalar = zeros[0]


def _into_tensor(walk, variable, index):
    """Elemwise, and the scalar in it, that made the element of a tensor."""
    while variable.owner is not None:
        node = variable.owner
        if isinstance(node.op, Elemwise):
            inside = walk.inside(node, variable, index)
            return inside, inside.program.outputs[node.outputs.index(variable)]
        if isinstance(node.op, IfElse):
            variable = walk.taken(variable)
            continue
        arguments = [walk.evaluation.value(x) for x in node.inputs]
        if is_movement(node) or is_increment(node):
            origin = moved_from(node, variable, index, arguments)
            if origin is None:
                return None
            variable, index = node.inputs[origin[0]], origin[1]
        elif isinstance(node.op, CAReduce):
            part, outward = reduced_part(node, index, np.asarray(arguments[0]))
            if not part.size or part.any():
                return None
            variable, index = node.inputs[0], outward((0,) * part.ndim)
        else:
            return None
    return None


def _is_zero(value) -> bool:
    array = np.asarray(value)
    return array.dtype.kind in "fiu" and not array.any()
