"""The interval a factor's values must lie in, with its bounds as they are at the point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pymc.logprob.transforms import LogOddsTransform, LogTransform
from pytensor.graph.basic import Variable
from pytensor.xtensor.basic import TensorFromXTensor

from pymc_safetrunc.diagnosis.distribution import bounds_of, transform_of
from pymc_safetrunc.diagnosis.rules.base import Case
from pymc_safetrunc.diagnosis.steps import Step

__all__ = ["Bound", "Side", "inside_interval", "missed_bound", "missed_interval"]

Side = Literal["lower", "upper"]
_SIDES: tuple[Side, Side] = ("lower", "upper")


@dataclass(frozen=True)
class Bound:
    """One end of an interval: its value at the entry that is looked at.

    `name` is what to write for it where it differs from entry to entry.
    """

    value: float
    strict: bool = False
    name: str | None = None


def missed_interval(case: Case) -> dict[Side, Bound] | None:
    """Interval that the offending value lies outside of; None where it is not known."""
    condition = case.origin.condition
    if condition is None:
        return None
    values = [float(x.value) for x in condition.step.operands if _is_value(case, x.variable)]
    rv = case.factor.plain_rv
    if rv.owner is None or case.factor.kind == "potential":
        return None
    transform = transform_of(rv)
    bounds: dict[Side, Bound] = {}
    if isinstance(transform, LogTransform | LogOddsTransform):
        bounds["lower"] = Bound(0.0)
        if isinstance(transform, LogOddsTransform):
            bounds["upper"] = Bound(1.0)
    else:
        found = bounds_of(rv)
        if found is None:
            return None
        for side, expression in zip(_SIDES, found, strict=True):
            bound = _at(case, expression, condition.step)
            if np.isnan(bound.value):
                return None
            if np.isfinite(bound.value):
                bounds[side] = bound
    if not values or all(_holds(bounds, value) for value in values):
        return None  # something else rejected it
    return bounds


def inside_interval(bounds: dict[Side, Bound]) -> str:
    """Interval in the usual notation."""
    lower = bounds["lower"].value if "lower" in bounds else -np.inf
    upper = bounds["upper"].value if "upper" in bounds else np.inf
    return f"{'(' if np.isinf(lower) else '['}{lower:g}, {upper:g}{')' if np.isinf(upper) else ']'}"


def missed_bound(case: Case) -> dict[Side, Bound] | None:
    """Bound that a comparison with the value names, where the value misses it."""
    condition = case.origin.condition
    if condition is None or len(condition.step.operands) != 2:
        return None
    operation, (left, right) = condition.step.operation, condition.step.operands
    if operation not in ("LT", "LE", "GT", "GE") or right.variable is left.variable:
        return None
    on_left = _is_value(case, left.variable)
    if on_left == _is_value(case, right.variable):
        return None
    # "value < bound" that must hold, or must not, gives an upper bound or a lower one
    needed = operation if not condition.step.value else _OPPOSITE[operation]
    upper = needed in ("LT", "LE") if on_left else needed in ("GT", "GE")
    other = right if on_left else left
    scalar = other.constant or all(other.variable.type.broadcastable)
    bound = Bound(float(other.value), needed in ("LT", "GT"), None if scalar else other.text)
    return {"upper" if upper else "lower": bound}


_OPPOSITE = {"LT": "GE", "GE": "LT", "GT": "LE", "LE": "GT"}


def _is_value(case: Case, variable: Variable) -> bool:
    node = variable.owner
    if node is not None and isinstance(node.op, TensorFromXTensor):  # without its named dimensions
        variable = node.inputs[0]
    return variable in {case.factor.observed, *case.value_vars}


def _holds(bounds: dict[Side, Bound], value: float) -> bool:
    below = "upper" not in bounds or value <= bounds["upper"].value
    return below and ("lower" not in bounds or value >= bounds["lower"].value)


def _at(case: Case, expression: Variable, step: Step) -> Bound:
    """Bound of one element of a step; NaN where it cannot be told."""
    value = case.context.value(expression)
    array = np.asarray(np.nan if value is None else value)
    if array.size == 1:
        return Bound(float(array.item()))
    try:
        at = float(np.broadcast_to(array, step.shape)[step.index])
    except (ValueError, IndexError):
        at = np.nan
    return Bound(at, name=case.context.namer.text(expression))
