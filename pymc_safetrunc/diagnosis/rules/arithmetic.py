"""Patterns of plain arithmetic: roots, quotients, infinities."""

from __future__ import annotations

import re

import numpy as np
from pytensor.scalar import Abs

from pymc_safetrunc.diagnosis.expression import plain
from pymc_safetrunc.diagnosis.rules import remedies
from pymc_safetrunc.diagnosis.rules.base import Case, Match
from pymc_safetrunc.diagnosis.rules.overflow import factors

__all__ = ["RULES"]

_BOUNDED = {
    "ArcCos": "arccos",
    "ArcSin": "arcsin",
    "ArcTanh": "arctanh",
    "Erfinv": "erfinv",
}


def masked_branch(case: Case) -> Match | None:
    """Recognise a gradient through the branch of a Switch that the value does not take."""
    step = case.origin.step
    if not (case.origin.masked and case.quantity == "gradient" and case.logp_is_finite) or not step:
        return None
    return Match(
        "masked-branch",
        f"{case.upper_subject} goes through the branch of a switch that is not taken"
        f"{case.at}: what stands there is not finite, and 0 times that is a NaN "
        f"({step.expression}).",
        remedies.where(step.operands[-1].text),
    )


def root_of_negative(case: Case) -> Match | None:
    """Square root of a negative number."""
    step = case.made_by("Sqrt")
    if step is None:
        return None
    operand = step.operands[0]
    return Match(
        "sqrt-of-negative",
        f"{case.upper_subject} takes the square root of a negative number{case.at}: "
        f"{operand.text} is {operand.value:.6g}.",
        remedies.safe_sqrt(operand.text),
    )


def kink(case: Case) -> Match | None:
    """Recognise the gradient of sqrt(x**2) at 0, which is x / abs(x)."""
    step = case.made_by("TrueDiv")
    if step is None or case.quantity != "gradient" or not case.logp_is_finite:
        return None
    top, bottom = step.operands
    if top.value != 0 or bottom.value != 0 or step.inside is None:
        return None
    scope = step.inside.scope
    absolute = step.node.inputs[1]
    owner = scope.get(absolute, absolute).owner
    if owner is None or not isinstance(getattr(owner.op, "scalar_op", owner.op), Abs):
        return None
    within = scope.get(owner.inputs[0], owner.inputs[0])
    if within not in factors(step.node.inputs[0], scope):
        return None
    text = step.inside.namer.text(owner.inputs[0], scope=scope)
    return Match(
        "kink",
        f"{case.upper_subject} is 0 / 0{case.at} at the kink of abs({text}), written as the root "
        f"of a square: {step.expression}. At no other value it does harm.",
        remedies.absolute(text),
        severity="warning",
    )


def division(case: Case) -> Match | None:
    """Division by 0, by what a root made of 0, or by a scale that underflowed."""
    step = case.made_by("TrueDiv", "Reciprocal")
    if step is None:
        return None
    top, bottom = step.operands if len(step.operands) == 2 else (None, step.operands[0])
    if bottom.value != 0:
        return None
    zero = case.origin.zero
    if zero is not None and zero.underflow is not None:
        return Match(
            "underflowed-scale",
            f"{case.upper_subject} divides by {bottom.text}{case.at}, which underflowed to 0 "
            f"({zero.underflow.expression}).",
            remedies.bounded_scale(zero.underflow.operands[0].text),
        )
    if zero is not None and zero.root and case.quantity == "gradient":
        return Match(
            "sqrt-of-zero",
            f"{case.upper_subject} meets the slope of a square root at 0{case.at}, which is "
            f"infinite: {step.expression}.",
            remedies.safe_sqrt(re.sub(r"^sqrt\((.*)\)$", r"\1", bottom.text)),
        )
    both = top is not None and top.value == 0
    return Match(
        "zero-over-zero" if both else "division-by-zero",
        f"{case.upper_subject} divides {'0 by 0' if both else 'by 0'}{case.at}: {step.expression}.",
        remedies.safe_divide(top.text if top is not None else "1", bottom.text),
    )


def zero_times_infinity(case: Case) -> Match | None:
    """0 * inf."""
    step = case.origin.step
    if step is None or step.operation != "Mul" or not step.made_nan_from_infinity():
        return None
    return Match(
        "zero-times-inf",
        f"{case.upper_subject} multiplies 0 by an infinity{case.at}: {step.expression}.",
        remedies.safe_product(),
    )


def infinity_minus_infinity(case: Case) -> Match | None:
    """Inf - inf."""
    step = case.origin.step
    if step is None or step.operation not in ("Add", "Sub") or not step.made_nan_from_infinity():
        return None
    source = case.origin.source
    infinite = dict.fromkeys(x.text for x in step.operands if np.isinf(x.value))
    return Match(
        "inf-minus-inf",
        f"{case.upper_subject} subtracts an infinity from an infinity{case.at}: {step.expression}.",
        remedies.held(*([plain(source)] if source and source not in infinite else infinite)),
    )


def outside_domain(case: Case) -> Match | None:
    """Recognise a function of numbers between -1 and 1, given another."""
    step = case.made_by(*_BOUNDED)
    if step is None:
        return None
    operand = step.operands[0]
    function = _BOUNDED[step.operation]
    return Match(
        "outside-domain",
        f"{case.upper_subject} takes {function} of {operand.value:.6g}{case.at}; "
        f"{operand.text} must lie between -1 and 1, ends excluded.",
        remedies.clipped(function, "-1 + 1e-12", "1 - 1e-12", operand.text),
    )


RULES = (
    masked_branch,
    root_of_negative,
    kink,
    division,
    zero_times_infinity,
    infinity_minus_infinity,
    outside_domain,
)
