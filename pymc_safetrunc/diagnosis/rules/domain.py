"""Values outside their domain, and data that are not finite to begin with."""

from __future__ import annotations

import numpy as np
from pytensor.sparse.type import SparseTensorType

from pymc_safetrunc.diagnosis.expression import plain
from pymc_safetrunc.diagnosis.rules import remedies
from pymc_safetrunc.diagnosis.rules.base import Case, Match
from pymc_safetrunc.diagnosis.rules.conditions import (
    data_in_condition,
    is_fixed,
    observed_entry,
)
from pymc_safetrunc.diagnosis.rules.support import inside_interval, missed_bound, missed_interval

__all__ = ["RULES"]

_OPPOSITE = {"LT": ">=", "GT": "<=", "LE": ">", "GE": "<", "EQ": "!=", "NEQ": "=="}
_SYMBOL = {"LT": "<", "GT": ">", "LE": "<=", "GE": ">=", "EQ": "==", "NEQ": "!="}


def outside_support(case: Case) -> Match | None:
    """Recognise a -inf that was written down, and chosen by a condition on the value."""
    origin = case.origin
    if origin.end != "literal" or origin.step is None or origin.step.operation != "Switch":
        return None
    if case.quantity != "logp" or case.value != -np.inf:
        return None
    if any(step.made_nan_from_infinity() for step in origin.path):
        return None
    condition = origin.condition
    if condition is None:
        needed = ""
    else:
        step = condition.step
        symbols = _OPPOSITE if bool(step.value) else _SYMBOL
        left, right = step.operands[0], step.operands[-1]
        needed = (
            f": it needs {left.text} {symbols.get(step.operation, '?')} {right.text}, and "
            + ", ".join(f"{x.text} is {x.value:.6g}" for x in step.operands if not x.constant)
        )
    index = observed_entry(case, condition) or origin.index
    where = f" (entry {', '.join(map(str, index))})" if index else ""
    source = data_in_condition(case, condition)
    if case.factor.kind == "potential":
        what = f"{case.name} is -inf by design, constraint{where}{needed}."
        return Match("outside-support", what, severity="warning", source=source, index=index)
    interval = missed_interval(case)
    support = "the support" if interval is None else inside_interval(interval)
    message = f"{case.name} is -inf by design, value outside {support}{where}{needed}."
    if condition is None or not is_fixed(case, condition):
        return Match("outside-support", message, severity="warning", source=source, index=index)
    bounds = interval or missed_bound(case)
    return Match(
        "outside-support",
        f"{message} No free variable takes part in that: the log-density is -inf everywhere.",
        remedies.inside(case.name, bounds) if bounds else None,
        source=source,
        index=index,
    )


def nonfinite_point(case: Case) -> Match | None:
    """Recognise a point that is not finite itself."""
    names = {variable.name for variable in case.value_vars}
    if case.origin.source not in names or case.origin.end != "input":
        return None
    return Match(
        "nonfinite-point",
        f"The point holds {case.origin.source_value:g} for {case.origin.source}"
        f"{_entry(case)}; nothing can be finite there.",
    )


def not_positive_definite(case: Case) -> Match | None:
    """Recognise a Cholesky factor of a matrix that has none."""
    step = case.origin.step
    if step is None or step.operation != "Cholesky" or case.origin.end != "operation":
        return None
    matrix = np.asarray(step.operands[0].value, dtype="float64")
    smallest = float(np.linalg.eigvalsh((matrix + np.swapaxes(matrix, -1, -2)) / 2).min())
    scale = float(np.abs(matrix).max())
    # rounding alone makes eigenvalues as low as -n eps scale; 1e-8 is safely above that
    jitter = _power_of_ten(max(1e-8 * scale, -2 * smallest))
    return Match(
        "not-positive-definite",
        f"{case.name} takes the Cholesky factor of {step.operands[0].text}, which is not "
        f"positive definite: its smallest eigenvalue is {smallest:.3g}, its largest entry "
        f"{scale:.3g}. A jitter is right if that is rounding; else the matrix is no covariance.",
        remedies.with_jitter(jitter, step.operands[0].text),
    )


def _power_of_ten(size: float) -> float:
    """Power of ten at or above a size; of a matrix of zeros, which has no scale, 1e-8."""
    return float(10.0 ** np.ceil(np.log10(size))) if size > 0 else 1e-8


def singular_matrix(case: Case) -> Match | None:
    """Recognise the logarithm of a determinant that is 0."""
    step = case.origin.step
    if step is None or step.operation != "SLogDet" or case.origin.end != "operation":
        return None
    matrix = np.asarray(step.operands[0].value, dtype="float64")
    jitter = _power_of_ten(1e-8 * float(np.abs(matrix).max()))
    return Match(
        "singular-matrix",
        f"{case.name} takes the logarithm of the determinant of {step.operands[0].text}, which "
        "is 0: the matrix is singular.",
        remedies.with_jitter(jitter, step.operands[0].text),
    )


def nonfinite_data(case: Case) -> Match | None:
    """Recognise data or constants that hold a NaN or an infinity."""
    origin = case.origin
    if origin.end != "input" and not (origin.end == "literal" and origin.source_index):
        return None
    value = origin.source_value
    if value is None or np.isfinite(value):
        return None
    step = origin.step
    if np.isinf(value) and step is not None and step.made_nan_from_infinity():
        return None  # the arithmetic rules know what the infinity met
    name = plain(origin.source or "a constant array of the model")
    remedy = remedies.finite_rows(name) if origin.source_index else remedies.held(name)
    sparse = origin.leaf is not None and isinstance(origin.leaf.type, SparseTensorType)
    return Match(
        "nonfinite-data",
        f"{name} holds {value:g}{_entry(case)}, and makes {case.subject} {case.value:g}.",
        None if sparse else remedy,
    )


def _entry(case: Case) -> str:
    index = case.origin.source_index
    return f" at entry {', '.join(map(str, index))}" if index else ""


RULES = (
    outside_support,
    nonfinite_point,
    not_positive_definite,
    singular_matrix,
    nonfinite_data,
)
