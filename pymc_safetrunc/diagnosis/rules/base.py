"""What a rule is given and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pymc_safetrunc.diagnosis.factors import Factor
from pymc_safetrunc.diagnosis.provenance import Origin
from pymc_safetrunc.findings import Severity

__all__ = ["Case", "Match", "Rule", "recognise"]


@dataclass(frozen=True)
class Case:
    """One non-finite log-density or gradient, traced to its origin."""

    factor: Factor
    quantity: Literal["logp", "gradient"]
    variable: str | None
    value: float
    origin: Origin

    @property
    def subject(self) -> str:
        """What is not finite, in words."""
        if self.quantity == "logp":
            return f"the log-density of {self.factor.name}"
        return f"the gradient of {self.factor.name}'s log-density with respect to {self.variable}"


@dataclass(frozen=True)
class Match:
    """A pattern that was recognised."""

    rule: str
    message: str
    remedy: str | None = None
    severity: Severity = "error"


Rule = Callable[[Case], Match | None]


def recognise(case: Case) -> Match:
    """First rule that knows the case; the plain statement of fact when none does."""
    from pymc_safetrunc.diagnosis.rules import arithmetic, domain, truncation

    rules: tuple[Rule, ...] = (*truncation.RULES, *domain.RULES, *arithmetic.RULES)
    for rule in rules:
        if (match := rule(case)) is not None:
            return match
    return Match(f"nonfinite-{case.quantity}", f"{case.subject} is {case.value:g} here.")
