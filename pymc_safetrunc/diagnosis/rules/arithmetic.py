"""Patterns of plain arithmetic: what a scalar operation did with finite operands."""

from __future__ import annotations

import numpy as np

from pymc_safetrunc.diagnosis.expression import plain
from pymc_safetrunc.diagnosis.rules import remedies
from pymc_safetrunc.diagnosis.rules.base import Case, Match
from pymc_safetrunc.diagnosis.steps import Step

__all__ = ["RULES"]

_LOGS = {"Log": 0.0, "Log2": 0.0, "Log10": 0.0, "Log1p": -1.0}
_GROWING = {"Exp": "exp", "Expm1": "expm1", "Exp2": "exp2", "Cosh": "cosh", "Sinh": "sinh"}
_BOUNDED = {
    "ArcCos": "arccos",
    "ArcSin": "arcsin",
    "ArcTanh": "arctanh",
    "Erfinv": "erfinv",
}


def _step(case: Case, *operations: str) -> Step | None:
    step = case.origin.step
    return step if step is not None and step.operation in operations else None


def _at(case: Case) -> str:
    index = case.origin.index
    return f" at entry {', '.join(map(str, index))}" if index else ""


def masked_branch(case: Case) -> Match | None:
    """Recognise a gradient through the branch of a Switch that the value does not take."""
    step = case.origin.step
    if not (case.origin.masked and case.quantity == "gradient" and case.logp_is_finite) or not step:
        return None
    return Match(
        "masked-branch",
        f"{_upper(case.subject)} goes through the branch of a switch that is not taken"
        f"{_at(case)}: what stands there is not finite, and 0 times that is a NaN "
        f"({step.expression}).",
        remedies.where(step.operands[-1].text),
    )


def log_of_zero(case: Case) -> Match | None:
    """log(0), log1p(-1), log(1 - exp(0))."""
    step = _step(case, *_LOGS, "Log1mexp")
    if step is None or case.origin.end != "operation":
        return None
    operand = step.operands[0]
    if operand.value != _LOGS.get(step.operation, 0.0):
        return None
    meant = {"Log1p": f"1 + {operand.text}", "Log1mexp": f"1 - exp({operand.text})"}
    argument = meant.get(step.operation, operand.text)
    zero = case.origin.zero
    if zero is not None and zero.underflow is not None:
        return Match(
            "log-of-underflow",
            f"{_upper(case.subject)} takes the logarithm of 0{_at(case)}: {argument} is too "
            f"small for a float ({zero.underflow.expression}). On the log scale it is an "
            "ordinary number.",
            remedies.log_sum_exp(argument),
        )
    return Match(
        "log-of-zero",
        f"{_upper(case.subject)} takes the logarithm of 0{_at(case)}: {argument} is 0.",
        remedies.safe_log(argument),
    )


def log_of_negative(case: Case) -> Match | None:
    """Logarithm of a negative number."""
    step = _step(case, *_LOGS, "Log1mexp")
    if step is None or not np.isnan(step.value) or np.isnan(step.operands[0].value):
        return None
    operand = step.operands[0]
    argument = f"1 + {operand.text}" if step.operation == "Log1p" else operand.text
    return Match(
        "log-of-negative",
        f"{_upper(case.subject)} takes the logarithm of a negative number{_at(case)}: "
        f"{operand.text} is {operand.value:.6g}.",
        remedies.log_where_positive(argument),
    )


def exp_overflow(case: Case) -> Match | None:
    """Recognise an exponential above the largest float."""
    step = _step(case, *_GROWING)
    if step is None or case.origin.end != "operation":
        return None
    operand = step.operands[0]
    limit = "1000.0" if step.operation == "Exp2" else "700.0"
    return Match(
        "exp-overflow",
        f"{_upper(case.subject)} overflows{_at(case)}: {step.operation.lower()} of {operand.text}"
        f" = {operand.value:.6g} is above the largest float (exp overflows beyond 709).",
        remedies.clipped(_GROWING[step.operation], f"-{limit}", limit, operand.text),
    )


def power(case: Case) -> Match | None:
    """Recognise a power of 0, of a negative number, or one that overflows."""
    step = _step(case, "Pow", "Sqr")
    if step is None or case.origin.end != "operation":
        return None
    base = step.operands[0]
    exponent = step.operands[1].text if step.operation == "Pow" else "2"
    remedy = remedies.safe_power(base.text, exponent)
    if base.value == 0:
        rule, words = "power-of-zero", f"raises 0 to the power {exponent}"
    elif np.isnan(step.value):
        rule, words = "power-of-negative", f"raises a negative number to the power {exponent}"
    else:
        rule, words = "power-overflow", "overflows in a power"
        if base.value < 0 or step.operation == "Sqr":
            remedy = remedies.held_power(base.text, exponent)
    return Match(rule, f"{_upper(case.subject)} {words}{_at(case)}: {step.expression}.", remedy)


def root_of_negative(case: Case) -> Match | None:
    """Square root of a negative number."""
    step = _step(case, "Sqrt")
    if step is None or case.origin.end != "operation":
        return None
    operand = step.operands[0]
    return Match(
        "sqrt-of-negative",
        f"{_upper(case.subject)} takes the square root of a negative number{_at(case)}: "
        f"{operand.text} is {operand.value:.6g}.",
        remedies.safe_sqrt(operand.text),
    )


def division(case: Case) -> Match | None:
    """Division by 0, by what a root made of 0, or by a scale that underflowed."""
    step = _step(case, "TrueDiv", "Reciprocal")
    if step is None or case.origin.end != "operation":
        return None
    top, bottom = step.operands if len(step.operands) == 2 else (None, step.operands[0])
    if bottom.value != 0:
        return None
    zero = case.origin.zero
    if zero is not None and zero.underflow is not None:
        return Match(
            "underflowed-scale",
            f"{_upper(case.subject)} divides by {bottom.text}{_at(case)}, which underflowed to 0 "
            f"({zero.underflow.expression}).",
            remedies.bounded_scale(zero.underflow.operands[0].text),
        )
    if zero is not None and zero.root and case.quantity == "gradient":
        return Match(
            "sqrt-of-zero",
            f"{_upper(case.subject)} meets the slope of a square root at 0{_at(case)}, which is "
            f"infinite: {step.expression}.",
            remedies.safe_sqrt(bottom.text),
        )
    both = top is not None and top.value == 0
    return Match(
        "zero-over-zero" if both else "division-by-zero",
        f"{_upper(case.subject)} divides {'0 by 0' if both else 'by 0'}{_at(case)}: "
        f"{step.expression}.",
        remedies.safe_divide(top.text if top is not None else "1", bottom.text),
    )


def zero_times_infinity(case: Case) -> Match | None:
    """0 * inf."""
    step = _step(case, "Mul")
    if step is None or not step.made_nan_from_infinity():
        return None
    return Match(
        "zero-times-inf",
        f"{_upper(case.subject)} multiplies 0 by an infinity{_at(case)}: {step.expression}.",
        remedies.safe_product(),
    )


def infinity_minus_infinity(case: Case) -> Match | None:
    """Inf - inf."""
    step = _step(case, "Add", "Sub")
    if step is None or not step.made_nan_from_infinity():
        return None
    return Match(
        "inf-minus-inf",
        f"{_upper(case.subject)} subtracts an infinity from an infinity{_at(case)}: "
        f"{step.expression}.",
        remedies.held(plain(case.origin.source or "the infinite operand")),
    )


def outside_domain(case: Case) -> Match | None:
    """Recognise a function of numbers between -1 and 1, given another."""
    step = _step(case, *_BOUNDED)
    if step is None or case.origin.end != "operation":
        return None
    operand = step.operands[0]
    function = _BOUNDED[step.operation]
    return Match(
        "outside-domain",
        f"{_upper(case.subject)} takes {function} of {operand.value:.6g}{_at(case)}; "
        f"{operand.text} must lie between -1 and 1, ends excluded.",
        remedies.clipped(function, "-1 + 1e-12", "1 - 1e-12", operand.text),
    )


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


RULES = (
    masked_branch,
    log_of_zero,
    log_of_negative,
    exp_overflow,
    power,
    root_of_negative,
    division,
    zero_times_infinity,
    infinity_minus_infinity,
    outside_domain,
)
