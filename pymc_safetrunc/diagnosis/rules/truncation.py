"""Patterns of truncated and censored distributions, recognised by PyMC's own Op types."""

from __future__ import annotations

from functools import partial
from typing import cast

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.censored import CensoredRV
from pymc.distributions.continuous import TruncatedNormalRV
from pytensor.graph.basic import Constant, Variable
from pytensor.tensor.variable import TensorVariable

from pymc_safetrunc.diagnosis.distribution import (
    Bounds,
    bounds_of,
    has_named_dims,
    is_array,
    is_pymc,
    is_truncation,
    plain_rv,
    untruncated,
)
from pymc_safetrunc.diagnosis.expression import plain
from pymc_safetrunc.diagnosis.movement import is_movement
from pymc_safetrunc.diagnosis.rules import remedies
from pymc_safetrunc.diagnosis.rules.base import Case, Match, entry
from pymc_safetrunc.diagnosis.rules.logarithms import log_of_zero

__all__ = ["RULES", "safe_remedy"]

# Two CDFs that the compiled formula finds equal may differ by a few roundings in another form.
ROUNDING = 8 * np.finfo("float64").eps


def runtime_infinite_bound(case: Case) -> Match | None:
    """Recognise an infinite bound that is data or a computed value, in a distribution of PyMC."""
    rv = case.factor.plain_rv
    if not is_truncation(rv) or not is_pymc(rv) or (bounds := bounds_of(rv)) is None:
        return None
    for side, bound in zip(("lower", "upper"), bounds, strict=True):
        if isinstance(bound, Constant) and bound.data.size == 1:
            continue  # PyMC leaves it out of the formula
        value = case.context.value(bound)
        if value is None or not np.isinf(value).any() or not _comes_from(case, bound, bounds):
            continue
        step = case.origin.step
        if (
            step is not None
            and step.operation in ("Add", "Sub")
            and not _others_are_finite(case, bounds)
        ):
            continue  # it met the infinity of another parameter
        source = case.origin.source or _only_data(case, bound)
        index = tuple(int(i) for i in np.argwhere(np.isinf(value))[0]) if value.ndim else ()
        return Match(
            "runtime-infinite-bound",
            f"The {side} bound of {case.name} is infinite{entry(index if value.size > 1 else ())}"
            f"{f', from {source}' if source else ''}. PyMC's formula "
            f"multiplies it by 0 on the way back and makes {case.subject} {case.value:g}; "
            "every proposal of a gradient sampler will be rejected.",
            safe_remedy(case.factor.rv, f"{side}={plain(_name(case, bound) or '...')}"),
            source=source,
        )
    return None


def _comes_from(case: Case, bound: Variable, bounds: Bounds) -> bool:
    """Whether the infinity that was traced is the bound's."""
    origin, leaves = case.origin, case.context.leaves(bound)
    if origin.end == "input":
        return origin.leaf in leaves and bool(np.isinf(origin.source_value))
    if origin.end == "literal" and isinstance(bound, Constant):
        return not origin.path or origin.path[-1].operation != "Switch"
    if origin.end == "check" or not origin.path:
        return False
    made = case.context.leaves_of(origin.path[-1].tensors())
    if made <= leaves:
        return bool(made)
    # rewriting has mixed the bound with other parameters
    return bool(leaves) and leaves <= made and _others_are_finite(case, bounds)


def _others_are_finite(case: Case, bounds: Bounds) -> bool:
    node = case.factor.plain_rv.owner
    parameters = [
        x
        for x in node.inputs
        if is_array(x) and x.type.dtype.startswith("float") and x not in bounds
    ]
    values = [case.context.value(x) for x in parameters]
    return all(x is not None and bool(np.isfinite(x).all()) for x in values)


def _only_data(case: Case, bound: Variable) -> str | None:
    leaves = case.context.leaves(bound) - set(case.value_vars)
    names = {name for leaf in leaves if (name := case.context.name(leaf))}
    return names.pop() if len(names) == 1 else None


def _name(case: Case, bound: Variable) -> str | None:
    """Name of a bound that is data, or an expression the user named."""
    while bound.owner is not None and is_movement(bound.owner) and not bound.name:
        bound = bound.owner.inputs[0]
    return case.context.name(bound)


def safe_remedy(rv: Variable, argument: str = "") -> str:
    """Take this package's distribution in place of PyMC's."""
    name = plain(rv.name or "")
    family = (
        "TruncatedNormal" if isinstance(plain_rv(rv).owner.op, TruncatedNormalRV) else "Truncated"
    )
    arguments = f"..., {argument}, ..." if argument else "..."
    call = f'{name} = {family}("{name}", {arguments})'
    return remedies.safe_class(family, call, named_dims=has_named_dims(rv))


def equal_cdfs(case: Case) -> Match | None:
    """Recognise a mass between bounds as a difference of two CDFs that are the same."""
    rv = case.factor.plain_rv
    censored = rv.owner is not None and isinstance(rv.owner.op, CensoredRV)
    if not (is_truncation(rv) or censored) or not is_pymc(rv):
        return None
    step = case.origin.step
    if step is None or log_of_zero(case) is None or not _cdfs_agree(case):
        return None
    return Match(
        "equal-cdfs",
        f"{case.name} has no mass left between its bounds in floating point: PyMC subtracts two "
        f"CDFs that round to the same number ({step.expression}).",
        None if censored else safe_remedy(case.factor.rv),
    )


def _cdfs_agree(case: Case) -> bool:
    """Whether the CDFs at the bounds are the same number, from parameters that are finite."""
    rv = case.factor.plain_rv
    base, bounds = untruncated(rv), cast(Bounds, bounds_of(rv))
    for parameter in base.owner.inputs:
        if is_array(parameter) and parameter.type.dtype.startswith("float"):
            value = case.context.value(parameter)
            if value is None or not np.isfinite(value).all():
                return False  # the logarithm is in the parameter
    lower, upper = map(partial(_logcdf, base), bounds, ("lower", "upper"))
    if isinstance(rv.owner.op, CensoredRV):  # PyMC subtracts the CDF at the upper bound from 1
        lower, upper = upper, pt.constant(0.0)
    # as rewriting rounds them, which is one operation or two
    close = pt.le(pt.abs(upper - lower), ROUNDING * pt.maximum(1, pt.abs(upper)))
    agree = case.context.value(pt.any(close))
    return agree is not None and bool(agree)


def _logcdf(base: Variable, bound: TensorVariable, side: str) -> TensorVariable:
    if isinstance(bound, Constant) and bound.data.size == 1 and np.isinf(bound.data).all():
        return pt.constant(-np.inf if side == "lower" else 0.0)
    below = side == "lower" and base.type.dtype.startswith(("int", "uint"))
    return pm.logcdf(base, pt.sub(bound, 1) if below else bound)


RULES = (runtime_infinite_bound, equal_cdfs)
