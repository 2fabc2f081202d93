"""Patterns of truncated and censored distributions, recognised by PyMC's own Op types."""

from __future__ import annotations

import numpy as np
from pymc.distributions.censored import CensoredRV
from pymc.distributions.continuous import TruncatedNormalRV
from pymc.distributions.truncated import TruncatedRV
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import ancestors
from pytensor.tensor.type import TensorType

from pymc_safetrunc.diagnosis.expression import plain
from pymc_safetrunc.diagnosis.rules import remedies
from pymc_safetrunc.diagnosis.rules.arithmetic import log_of_zero
from pymc_safetrunc.diagnosis.rules.base import Case, Match

__all__ = ["RULES"]


def _op(case: Case):
    node = case.factor.rv.owner
    # a transformed or observed variable may be wrapped; the distribution is the first RV above
    return None if node is None else node.op


def _is_pymc(op) -> bool:
    # the safe distributions subclass PyMC's Ops
    return type(op).__module__.partition(".")[0] == "pymc"


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
    if not isinstance(op, TruncatedNormalRV | TruncatedRV) or not _is_pymc(op):
        return None
    if case.origin.end == "input" and not np.all(np.isinf(case.origin.source_value)):
        return None
    if case.origin.end in ("operation", "check") and not _could_be_a_bound(case):
        return None
    for side, bound in _bounds(case).items():
        if isinstance(bound, Constant) and bound.data.size == 1:
            continue  # PyMC leaves it out of the formula
        value = case.evaluate(bound)
        if value is None or not np.isinf(value).any():
            continue
        source = case.origin.source or _only_data(bound)
        index = tuple(int(i) for i in np.argwhere(np.isinf(value))[0]) if value.ndim else ()
        name = source or "..."
        entry = f" (entry {', '.join(map(str, index))})" if index and value.size > 1 else ""
        return Match(
            "runtime-infinite-bound",
            f"The {side} bound of {case.name} is infinite{entry}"
            f"{f', from {source}' if source else ''}. PyMC's formula "
            f"multiplies it by 0 on the way back and makes {case.subject} {case.value:g}; "
            "every proposal of a gradient sampler will be rejected.",
            _remedy(case, name, side),
            source=source,
        )
    return None


def _could_be_a_bound(case: Case) -> bool:
    step = case.origin.step
    return step is not None and step.operation in ("TrueDiv", "Reciprocal", "Mul", "Sub", "Add")


def _only_data(bound: Variable) -> str | None:
    names = {
        x.name
        for x in ancestors([bound])
        if isinstance(x, SharedVariable | Constant) and isinstance(x.type, TensorType) and x.name
    }
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


def inverted_bounds(case: Case) -> Match | None:
    """Recognise bounds that leave nothing between them, at run time."""
    if not isinstance(_op(case), TruncatedNormalRV) or not _from_parameters(case):
        return None
    lower, upper = (case.evaluate(bound) for bound in _bounds(case).values())
    if lower is None or upper is None or not np.any(empty := lower >= upper):
        return None
    index = tuple(int(i) for i in np.argwhere(empty)[0])
    low, high = (np.broadcast_to(x, empty.shape)[index] for x in (lower, upper))
    entry = f" at entry {', '.join(map(str, index))}" if index and empty.size > 1 else ""
    sources = [name for bound in _bounds(case).values() if (name := _only_data(bound))]
    return Match(
        "inverted-bounds",
        f"{case.name} has lower = {low:g} and upper = {high:g}{entry}: nothing lies between them. "
        f"lower must be less than upper; {case.subject} is {case.value:g}.",
        severity="warning" if case.value == -np.inf else "error",
        source=sources[0] if sources else None,
        index=index if entry else None,
    )


def scale_of_zero(case: Case) -> Match | None:
    """Recognise a safe truncated normal whose gradient meets a sigma that is not positive."""
    op = _op(case)
    if not isinstance(op, TruncatedNormalRV) or _is_pymc(op) or not _from_parameters(case):
        return None
    step = case.origin.step
    if step is None or step.operation != "Normalizer" or step.operands[1].value > 0:
        return None
    sigma = step.operands[1]
    return Match(
        "invalid-parameter",
        f"{case.name} has sigma = {sigma.text} = {sigma.value:g}, which must be positive: "
        f"{case.subject} does not exist there.",
        remedies.bounded_scale(sigma.text) if sigma.value == 0 else remedies.positive(sigma.text),
    )


def _from_parameters(case: Case) -> bool:
    """Whether the parameters by themselves made the value."""
    step = case.origin.step
    return case.origin.end == "check" or (step is not None and step.operation == "Normalizer")


def equal_cdfs(case: Case) -> Match | None:
    """Recognise a mass between bounds as a difference of two CDFs that are the same."""
    op = _op(case)
    if not isinstance(op, TruncatedNormalRV | TruncatedRV | CensoredRV) or not _is_pymc(op):
        return None
    if log_of_zero(case) is None:
        return None
    name = case.name
    remedy = None
    if isinstance(op, TruncatedNormalRV):
        remedy = remedies.safe_class("TruncatedNormal", f'{name} = TruncatedNormal("{name}", ...)')
    elif isinstance(op, TruncatedRV) and _has("Truncated"):
        remedy = remedies.safe_class("Truncated", f'{name} = Truncated("{name}", ...)')
    assert case.origin.step is not None
    return Match(
        "equal-cdfs",
        f"{name} has no mass left between its bounds in floating point: PyMC subtracts two CDFs "
        f"that round to the same number ({case.origin.step.expression}).",
        remedy,
    )


RULES = (runtime_infinite_bound, inverted_bounds, scale_of_zero, equal_cdfs)
