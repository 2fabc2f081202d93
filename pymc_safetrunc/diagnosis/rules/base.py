"""What a rule is given and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pytensor.graph.basic import Variable

from pymc_safetrunc.diagnosis.expression import plain
from pymc_safetrunc.diagnosis.factors import Factor
from pymc_safetrunc.diagnosis.provenance import Origin
from pymc_safetrunc.findings import Severity

__all__ = ["Case", "Match", "Rule", "recognise"]


@dataclass(frozen=True)
class Case:
    """One non-finite log-density or gradient, traced to its origin.

    `evaluate` gives the value that an expression of the model has at the point, or None when it
    has none.
    """

    factor: Factor
    quantity: Literal["logp", "gradient"]
    variable: str | None
    value: float
    origin: Origin
    value_vars: tuple[Variable, ...]
    logp_is_finite: bool
    evaluate: Callable[[Variable], np.ndarray | None]

    @property
    def name(self) -> str:
        """Name of the factor, fit to stand in a line of code."""
        return plain(self.factor.name)

    @property
    def subject(self) -> str:
        """What is not finite, in words."""
        if self.quantity == "logp":
            return f"the log-density of {self.name}"
        return f"the gradient of {self.name}'s log-density with respect to {self.variable}"


@dataclass(frozen=True)
class Match:
    """A pattern that was recognised."""

    rule: str
    message: str
    remedy: str | None = None
    severity: Severity = "error"
    # where the rule knows better than the walk
    source: str | None = None
    index: tuple[int, ...] | None = None


Rule = Callable[[Case], Match | None]


def recognise(case: Case) -> Match:
    """First rule that knows the case; the plain statement of fact when none does."""
    from pymc_safetrunc.diagnosis.rules import arithmetic, domain, truncation

    rules: tuple[Rule, ...] = (*truncation.RULES, *domain.RULES, *arithmetic.RULES)
    for rule in rules:
        if (match := rule(case)) is not None:
            return match
    return Match(f"nonfinite-{case.quantity}", f"{case.subject} is {case.value:g} here.")
