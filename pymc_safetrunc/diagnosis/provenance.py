"""Which operation made the value: the origin of a non-finite output, and the entry it concerns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import ancestors
from pytensor.scalar import ScalarOp
from pytensor.scan.op import Scan
from pytensor.tensor.elemwise import CAReduce, Elemwise
from pytensor.tensor.math import Dot

from pymc_safetrunc.diagnosis.conditions import Condition
from pymc_safetrunc.diagnosis.evaluation import Evaluation
from pymc_safetrunc.diagnosis.expression import Namer
from pymc_safetrunc.diagnosis.nonfinite import Index, first_bad
from pymc_safetrunc.diagnosis.steps import Step
from pymc_safetrunc.diagnosis.walk import End, Leaf, Walk
from pymc_safetrunc.diagnosis.zeros import Zero, zero_behind

__all__ = ["Origin", "trace"]


@dataclass(frozen=True)
class Origin:
    """Where a non-finite value comes from.

    `leaf` is the variable or constant that held it, where one did; `masked` says that a Switch
    had put a 0 in its way, with which it made a NaN.
    """

    step: Step | None
    end: End
    leaf: Variable | None = None
    source: str | None = None
    source_index: Index | None = None
    source_value: Any = None
    index: Index | None = None
    path: tuple[Step, ...] = ()
    message: str = ""
    condition: Condition | None = None
    zero: Zero | None = None
    masked: bool = False


def trace(
    evaluation: Evaluation,
    output: Variable,
    namer: Namer,
    observed: Variable | None = None,
) -> Origin:
    """Origin of the first non-finite element of an output.

    With the variable that holds the observed values the index is that of the observation, where
    the walk came by one, and None where it did not.
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


def _origin(
    path: list[Step],
    end: End,
    leaf: Leaf | None,
    evaluation: Evaluation,
    observed: Variable | None,
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
            leaf=leaf.variable,
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
    observed: Variable | None,
) -> Index | None:
    """Index of the observation; without observed values that of the origin's element.

    A scalar that spoils every entry of what it goes into has no index.
    """
    if step is None:
        return None
    if not isinstance(step.node.op, ScalarOp | Elemwise | CAReduce | Dot | Scan):
        return None  # a matrix operation spoils what it likes
    start = next(i for i, s in enumerate(path) if s is step)
    if observed is not None:
        return _observation(path[: start + 1], evaluation, observed)
    if isinstance(step.node.op, Dot):  # a vector may have been given a second axis
        entry = tuple(i for i, n in zip(step.index, step.shape, strict=True) if n > 1)
        return entry or None
    if step.index and np.prod(step.shape) > 1:
        return step.index
    for candidate in reversed(path[:start]):
        if candidate.index and np.prod(candidate.shape) > 1 and candidate.tensor is not None:
            return _unless_all(candidate, evaluation)
    return None


def _observation(path: list[Step], evaluation: Evaluation, observed: Variable) -> Index | None:
    """Index of the deepest element on the path that one observation takes part in."""
    shape = np.shape(evaluation.value(observed))
    if np.prod(shape) <= 1:
        return None
    mixed = False
    for step in reversed(path):
        # an array of the same shape may be a parameter's, whose entries are no observations
        if step.shape == shape and step.tensor is not None and _hangs_on(step.tensor, observed):
            one = np.prod(path[-1].shape) > 1 and not mixed
            return step.index if one else _unless_all(step, evaluation)
        mixed = mixed or isinstance(step.node.op, CAReduce | Dot)
    return None


def _hangs_on(variable: Variable, observed: Variable) -> bool:
    return any(x is observed for x in ancestors([variable]))


def _unless_all(step: Step, evaluation: Evaluation) -> Index | None:
    assert step.tensor is not None
    entries = np.asarray(evaluation.value(step.tensor))
    return step.index if np.isfinite(entries).any() else None
