"""The interval a factor's values must lie in, with its bounds as they are at the point."""

from __future__ import annotations

import numpy as np
from pymc.logprob.transforms import IntervalTransform, LogOddsTransform, LogTransform

from pymc_safetrunc._upstream import default_transform
from pymc_safetrunc.diagnosis.rules.base import Case
from pymc_safetrunc.distributions.interval import SafeInterval

__all__ = ["missed_interval"]


def missed_interval(case: Case) -> str | None:
    """Interval that the offending value lies outside of; None where it is not known.

    The distribution's default transform tells: what unconstrains a value knows its bounds.
    """
    condition, node = case.origin.condition, case.factor.rv.owner
    if condition is None or node is None or case.factor.kind == "potential":
        return None
    own = {case.factor.observed, *case.value_vars}
    values = [float(x.value) for x in condition.step.operands if x.variable in own]
    if not values:
        return None
    try:
        transform = default_transform(node.op, case.factor.rv)
    except NotImplementedError:
        return None
    if isinstance(transform, LogTransform):
        bounds = [0.0, np.inf]
    elif isinstance(transform, LogOddsTransform):
        bounds = [0.0, 1.0]
    elif isinstance(transform, IntervalTransform | SafeInterval):
        find = getattr(transform, "bounds_fn", None) or transform.args_fn
        found = [_at(case, bound, condition.step) for bound in find(*node.inputs)]
        if any(bound is not None and np.isnan(bound) for bound in found):
            return None
        lower, upper = found
        bounds = [-np.inf if lower is None else lower, np.inf if upper is None else upper]
    else:
        return None
    lower, upper = bounds
    if all(lower <= value <= upper for value in values):
        return None  # something else rejected it
    return f"{'(' if np.isinf(lower) else '['}{lower:g}, {upper:g}{')' if np.isinf(upper) else ']'}"


def _at(case: Case, bound, step) -> float | None:
    """Bound of one element of a step; NaN where it cannot be told, None where there is no bound."""
    if bound is None:
        return None
    value = bound if not hasattr(bound, "owner") else case.evaluate(bound)
    array = np.asarray(np.nan if value is None else value)
    if array.size == 1:
        return float(array.item())
    try:
        return float(np.broadcast_to(array, step.shape)[step.index])
    except (ValueError, IndexError):
        return np.nan
