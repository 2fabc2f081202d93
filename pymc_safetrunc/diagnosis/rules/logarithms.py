"""Logarithms of 0, of what underflowed, and of negative numbers."""

from __future__ import annotations

import numpy as np

from pymc_safetrunc.diagnosis.rules import remedies
from pymc_safetrunc.diagnosis.rules.base import Case, Match
from pymc_safetrunc.diagnosis.steps import Step

__all__ = ["RULES", "log_of_zero"]

# Op: name of the function in pytensor.tensor, and the operand at which it is log(0)
_LOGS = {
    "Log": ("log", 0.0),
    "Log2": ("log2", 0.0),
    "Log10": ("log10", 0.0),
    "Log1p": ("log1p", -1.0),
    "Log1mexp": ("log1mexp", 0.0),
}


def _argument(step: Step) -> tuple[str, float]:
    """What the logarithm is taken of, and its value."""
    operand = step.operands[0]
    if step.operation == "Log1p":
        minus = operand.text.startswith("-")
        text = f"1 - {operand.text[1:]}" if minus else f"1 + {operand.text}"
        return text, 1 + float(operand.value)
    if step.operation == "Log1mexp":
        return f"1 - exp({operand.text})", -float(np.expm1(operand.value))
    return operand.text, float(operand.value)


def log_of_zero(case: Case) -> Match | None:
    """log(0), log1p(-1), log(1 - exp(0))."""
    step = case.made_by(*_LOGS)
    if step is None:
        return None
    function, root = _LOGS[step.operation]
    operand = step.operands[0]
    if operand.value != root:
        return None
    text, _ = _argument(step)
    zero = case.origin.zero
    if zero is not None and zero.underflow is not None and step.operation != "Log1mexp":
        return Match(
            "log-of-underflow",
            f"{case.upper_subject} takes the logarithm of 0{case.at}: {text} is too "
            f"small for a float ({zero.underflow.expression}). On the log scale it is an "
            "ordinary number.",
            remedies.log_sum_exp(text, function),
        )
    return Match(
        "log-of-zero",
        f"{case.upper_subject} takes the logarithm of 0{case.at}: {text} is 0.",
        remedies.safe_log(operand.text, function),
    )


def log_of_negative(case: Case) -> Match | None:
    """Logarithm of a negative number."""
    step = case.made_by(*_LOGS)
    if step is None or not np.isnan(step.value) or np.isnan(step.operands[0].value):
        return None
    text, value = _argument(step)
    return Match(
        "log-of-negative",
        f"{case.upper_subject} takes the logarithm of a negative number{case.at}: "
        f"{text} is {value:.6g}.",
        remedies.log_where_positive(step.operands[0].text, _LOGS[step.operation][0]),
    )


RULES = (log_of_zero, log_of_negative)
