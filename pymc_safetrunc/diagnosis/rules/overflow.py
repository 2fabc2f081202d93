"""Results above the largest float: exponentials, powers, products and sums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from pytensor.graph.basic import Constant, Variable
from pytensor.scalar import Cast, Identity, Mul, Neg, Sqr
from pytensor.tensor.elemwise import CAReduce

from pymc_safetrunc.diagnosis.rules import remedies
from pymc_safetrunc.diagnosis.rules.base import Case, Match
from pymc_safetrunc.diagnosis.steps import Step

__all__ = ["GROWING", "RULES", "factors"]


class Growing(NamedTuple):
    """A function that overflows above a number, and where its remedy holds the argument."""

    function: str
    largest: float
    limit: str
    both_sides: bool = False

    def held(self, operand: str) -> str:
        """Remedy: the function with its argument held."""
        low = f"-{self.limit}" if self.both_sides else None
        return remedies.clipped(self.function, low, self.limit, operand)


# log(largest float) = 709.78 for exp, 710.47 where the exponential is halved, 1024 for exp2, which
# the largest float lies just below.
GROWING = {
    "Exp": Growing("exp", 709.78, "700.0"),
    "Expm1": Growing("expm1", 709.78, "700.0"),
    "Exp2": Growing("exp2", 1023.99, "1000.0"),
    "Cosh": Growing("cosh", 710.47, "700.0", both_sides=True),
    "Sinh": Growing("sinh", 710.47, "700.0", both_sides=True),
}
# Decimal exponent that a product or sum of what the remedies hold stays below.
_LARGEST = 300


def exp_overflow(case: Case) -> Match | None:
    """Recognise an exponential above the largest float."""
    step = case.made_by(*GROWING)
    if step is None:
        return None
    operand = step.operands[0]
    growing = GROWING[step.operation]
    return Match(
        "exp-overflow",
        f"{case.upper_subject} overflows{case.at}: {growing.function} of {operand.text}"
        f" = {operand.value:.6g} is above the largest float ({growing.function} overflows beyond "
        f"{int(growing.largest)}).",
        growing.held(operand.text),
    )


def power(case: Case) -> Match | None:
    """Recognise a power of 0, of a negative number, or one that overflows."""
    step = case.made_by("Pow", "Sqr", "Mul")
    if step is None:
        return None
    if step.operation != "Pow":
        return _whole_power(case, step)
    base, exponent = step.operands[0], step.operands[1].text
    remedy = remedies.safe_power(base.text, exponent)
    if base.value == 0:
        rule, words = "power-of-zero", f"raises 0 to the power {exponent}"
    elif np.isnan(step.value):
        rule, words = "power-of-negative", f"raises a negative number to the power {exponent}"
    else:
        rule, words = "power-overflow", "overflows in a power"
        if base.value < 0:
            remedy = remedies.held_power(base.text, exponent)
    return Match(rule, f"{case.upper_subject} {words}{case.at}: {step.expression}.", remedy)


def _whole_power(case: Case, step: Step) -> Match | None:
    """Recognise a power with a whole exponent, which PyTensor writes as products and squares."""
    # of x**5 = (x**2)**2 * x the square may overflow first: the user wrote the largest power
    inside = [s for s in case.origin.path if s.inside is step.inside and s.inside is not None]
    powers = [factors(s.node.outputs[0]) for s in inside or [step]]
    found = next((power for power in powers if len(power) > 1 and len(set(power)) == 1), None)
    if found is None or not np.isinf(step.value) or step.inside is None:
        return None
    base, degree = found[0], len(found)
    text = step.inside.namer.text(base, scope=step.inside.scope)
    return Match(
        "power-overflow",
        f"{case.upper_subject} overflows in a power{case.at}: {text} = "
        f"{step.inside.value(base):.6g}, and {text}**{degree} is above the largest float.",
        remedies.held_power(text, str(degree)),
    )


def factors(scalar: Variable, scope: Mapping[Variable, Variable] | None = None) -> list[Variable]:
    """Factors of a product, a square being two of them; numbers left out.

    With the scope of an Elemwise those that it is given are tensors.
    """
    node = scalar.owner
    if node is None:
        return [] if isinstance(scalar, Constant) else [(scope or {}).get(scalar, scalar)]
    if isinstance(node.op, Mul):
        return [factor for x in node.inputs for factor in factors(x, scope)]
    if isinstance(node.op, Sqr):
        return 2 * factors(node.inputs[0], scope)
    if isinstance(node.op, Neg | Cast | Identity):
        return factors(node.inputs[0], scope)
    return [scalar]


def overflow(case: Case) -> Match | None:
    """Recognise any other finite operands with a result above the largest float."""
    step = case.made_by("Mul", "Add", "Sub", "TrueDiv", "Reciprocal", "Sum", "Prod", "Dot")
    if step is None or not np.isinf(step.value):
        return None
    words = {"Mul": "product", "Prod": "product", "TrueDiv": "quotient", "Reciprocal": "quotient"}
    what = words.get(step.operation, "sum")
    terms = [x.text for x in step.operands if not x.constant]
    count = len(step.operands)
    if isinstance(step.node.op, CAReduce):
        count = max(2, int(np.size(step.operands[0].value)))
    remedy = None
    if what != "quotient" and terms:
        limit = _LARGEST // count if what == "product" else _LARGEST - len(str(count))
        remedy = remedies.held(*dict.fromkeys(terms), limit=f"1e{limit}")
    return Match(
        "overflow",
        f"{case.upper_subject} overflows{case.at}: the {what} is above the largest float "
        f"({step.expression}). Standardise what goes into it.",
        remedy,
    )


RULES = (exp_overflow, power, overflow)
