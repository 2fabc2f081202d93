"""Patterns of truncated and censored distributions, recognised by PyMC's own Op types."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.censored import CensoredRV
from pymc.distributions.continuous import TruncatedNormalRV
from pymc.distributions.truncated import TruncatedRV
from pytensor.graph.basic import Constant, Variable
from pytensor.tensor.type import TensorType

from pymc_safetrunc.diagnosis.expression import plain
from pymc_safetrunc.diagnosis.rules import remedies
from pymc_safetrunc.diagnosis.rules.base import Case, Match, entry, is_pymc
from pymc_safetrunc.diagnosis.rules.logarithms import log_of_zero

__all__ = ["RULES"]

# Two CDFs that the compiled formula finds equal may differ by a few roundings in another form.
ROUNDING = 8 * np.finfo("float64").eps


def _op(case: Case):
    node = case.factor.rv.owner
    return None if node is None else node.op


def _bounds(case: Case) -> dict[str, Variable]:
    """Bounds of a truncated distribution, by name."""
    op, inputs = _op(case), case.factor.rv.owner.inputs
    if isinstance(op, TruncatedNormalRV):
        lower, upper = op.dist_params(case.factor.rv.owner)[-2:]
    else:
        lower, upper = inputs[1:3] if isinstance(op, CensoredRV) else _truncated_bounds(op, inputs)
    return {"lower": lower, "upper": upper}


def _truncated_bounds(op, inputs):
    # TruncatedRV's inputs: those of the base distribution, then lower, upper and the generators
    bounds = [x for x in inputs if not hasattr(x.type, "is_valid_value") or hasattr(x.type, "ndim")]
    return bounds[-2:]


def runtime_infinite_bound(case: Case) -> Match | None:
    """Recognise an infinite bound that is data or a computed value, in a distribution of PyMC."""
    op = _op(case)
    if not isinstance(op, TruncatedNormalRV | TruncatedRV) or not is_pymc(op):
        return None
    for side, bound in _bounds(case).items():
        if isinstance(bound, Constant) and bound.data.size == 1:
            continue  # PyMC leaves it out of the formula
        value = case.context.value(bound)
        if value is None or not np.isinf(value).any() or not _comes_from(case, bound):
            continue
        step = case.origin.step
        if step is not None and step.operation in ("Add", "Sub") and not _others_are_finite(case):
            continue  # it met the infinity of another parameter
        source = case.origin.source or _only_data(case, bound)
        index = tuple(int(i) for i in np.argwhere(np.isinf(value))[0]) if value.ndim else ()
        return Match(
            "runtime-infinite-bound",
            f"The {side} bound of {case.name} is infinite{entry(index if value.size > 1 else ())}"
            f"{f', from {source}' if source else ''}. PyMC's formula "
            f"multiplies it by 0 on the way back and makes {case.subject} {case.value:g}; "
            "every proposal of a gradient sampler will be rejected.",
            _remedy(case, case.context.name(bound) or "...", side),
            source=source,
        )
    return None


def _comes_from(case: Case, bound: Variable) -> bool:
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
    return bool(leaves) and leaves <= made and _others_are_finite(case)


def _others_are_finite(case: Case) -> bool:
    parameters = [
        x
        for x in case.factor.rv.owner.inputs
        if isinstance(x.type, TensorType) and x.type.dtype.startswith("float")
    ]
    values = [case.context.value(x) for x in parameters if x not in _bounds(case).values()]
    return all(x is not None and bool(np.isfinite(x).all()) for x in values)


def _only_data(case: Case, bound: Variable) -> str | None:
    leaves = case.context.leaves(bound) - set(case.value_vars)
    names = {name for leaf in leaves if (name := case.context.name(leaf))}
    return names.pop() if len(names) == 1 else None


def _remedy(case: Case, name: str, side: str) -> str | None:
    factor, name = case.name, plain(name)
    if isinstance(_op(case), TruncatedNormalRV):
        return remedies.safe_class(
            "TruncatedNormal", f'{factor} = TruncatedNormal("{factor}", ..., {side}={name}, ...)'
        )
    if _has("Truncated"):
        return remedies.safe_class(
            "Truncated", f'{factor} = Truncated("{factor}", ..., {side}={name}, ...)'
        )
    return remedies.finite_or_none(
        f'{factor} = pm.Truncated("{factor}", ..., {side}=finite_or_none({name}), ...)'
    )


def _has(name: str) -> bool:
    """Whether this package offers the distribution."""
    import pymc_safetrunc

    return getattr(pymc_safetrunc, name, None) is not None


def equal_cdfs(case: Case) -> Match | None:
    """Recognise a mass between bounds as a difference of two CDFs that are the same."""
    op = _op(case)
    if not isinstance(op, TruncatedNormalRV | TruncatedRV | CensoredRV) or not is_pymc(op):
        return None
    step = case.origin.step
    if step is None or log_of_zero(case) is None or not _cdfs_agree(case):
        return None
    name = case.name
    remedy = None
    if isinstance(op, TruncatedNormalRV):
        remedy = remedies.safe_class("TruncatedNormal", f'{name} = TruncatedNormal("{name}", ...)')
    elif isinstance(op, TruncatedRV) and _has("Truncated"):
        remedy = remedies.safe_class("Truncated", f'{name} = Truncated("{name}", ...)')
    return Match(
        "equal-cdfs",
        f"{name} has no mass left between its bounds in floating point: PyMC subtracts two CDFs "
        f"that round to the same number ({step.expression}).",
        remedy,
    )


def _cdfs_agree(case: Case) -> bool:
    """Whether the CDFs at the bounds are the same number, from parameters that are finite."""
    op, node = _op(case), case.factor.rv.owner
    if isinstance(op, CensoredRV):
        base = node.inputs[0]
    elif isinstance(op, TruncatedNormalRV):
        base = pm.Normal.dist(*op.dist_params(node)[:2])
    else:
        base = op.base_rv_op.make_node(*node.inputs[:-2]).default_output()
    for parameter in base.owner.inputs:
        if isinstance(parameter.type, TensorType) and parameter.type.dtype.startswith("float"):
            value = case.context.value(parameter)
            if value is None or not np.isfinite(value).all():
                return False  # the logarithm is in the parameter
    lower, upper = (_logcdf(case, base, side) for side in ("lower", "upper"))
    if isinstance(op, CensoredRV):  # PyMC subtracts the CDF at the upper bound from 1
        lower, upper = upper, np.zeros(())
    # as rewriting rounds them, which is one operation or two
    close = pt.le(abs(upper - lower), ROUNDING * pt.maximum(1, abs(upper)))
    agree = case.context.value(pt.any(close))
    return agree is not None and bool(agree)


def _logcdf(case: Case, base: Variable, side: str) -> Variable:
    bound = _bounds(case)[side]
    if isinstance(bound, Constant) and bound.data.size == 1 and np.isinf(bound.data).all():
        return pt.constant(-np.inf if side == "lower" else 0.0)
    below = side == "lower" and base.type.dtype.startswith(("int", "uint"))
    return pm.logcdf(base, pt.sub(bound, 1) if below else bound)


RULES = (runtime_infinite_bound, equal_cdfs)
