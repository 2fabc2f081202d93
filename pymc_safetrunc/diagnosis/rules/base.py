"""What a rule is given and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pytensor.graph.basic import Variable

from pymc_safetrunc.diagnosis.context import Context
from pymc_safetrunc.diagnosis.expression import plain
from pymc_safetrunc.diagnosis.factors import Factor
from pymc_safetrunc.diagnosis.provenance import Origin
from pymc_safetrunc.diagnosis.steps import Step
from pymc_safetrunc.findings import Severity

__all__ = ["UNKNOWN", "Case", "Match", "Rule", "recognise", "same_cause"]

# Index of a match whose rule leaves it to the walk; None says that there is none.
UNKNOWN: Any = object()

# What the backward pass does with a 0 or an infinity of the forward pass: the arithmetic is not
# the user's, and its remedy has no place in the model.
_CHAIN_RULE = {
    "division-by-zero",
    "inf-minus-inf",
    "nonfinite-gradient",
    "underflowed-scale",
    "zero-over-zero",
    "zero-times-inf",
}


@dataclass(frozen=True)
class Case:
    """One non-finite log-density or gradient, traced to its origin."""

    factor: Factor
    quantity: Literal["logp", "gradient"]
    variable: str | None
    value: float
    origin: Origin
    value_vars: tuple[Variable, ...]
    logp_is_finite: bool
    context: Context

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

    @property
    def upper_subject(self) -> str:
        """The subject at the beginning of a sentence."""
        return self.subject[0].upper() + self.subject[1:]

    @property
    def at(self) -> str:
        """Words for the entry, if there is one."""
        return entry(self.origin.index)

    @property
    def leaves(self) -> set[Variable]:
        """Data and value variables that the operation at the origin is made of."""
        step = self.origin.step
        return set() if step is None else self.context.leaves_of(step.tensors())

    def made_by(self, *operations: str) -> Step | None:
        """Step at the origin, if it is one of these operations and its operands are finite."""
        step = self.origin.step
        if step is None or self.origin.end != "operation" or step.operation not in operations:
            return None
        return step


@dataclass(frozen=True)
class Match:
    """A pattern that was recognised."""

    rule: str
    message: str
    remedy: str | None = None
    severity: Severity = "error"
    # where the rule knows better than the walk
    source: str | None = None
    index: tuple[int, ...] | None = UNKNOWN
    expression: str | None = None


Rule = Callable[[Case], Match | None]


def entry(index: tuple[int, ...] | None) -> str:
    """Words for an index."""
    return f" at entry {', '.join(map(str, index))}" if index else ""


def recognise(case: Case) -> Match:
    """First rule that knows the case; the plain statement of fact when none does."""
    from pymc_safetrunc.diagnosis.rules import (
        arithmetic,
        domain,
        logarithms,
        overflow,
        parameters,
        truncation,
    )

    rules: tuple[Rule, ...] = (
        *parameters.RULES,
        *truncation.RULES,
        *domain.RULES,
        *arithmetic.RULES,
        *logarithms.RULES,
        *overflow.RULES,
    )
    for rule in rules:
        if (match := rule(case)) is not None:
            return match
    return Match(f"nonfinite-{case.quantity}", f"{case.upper_subject} is {case.value:g} here.")


def same_cause(gradient: Case, match: Match, density: Case, of_density: Match) -> bool:
    """Whether what mends the log-density also mends this gradient of it.

    That is so where the gradient's operation is made of what the log-density's is made of, at the
    same entry, and is either of the same kind or no more than the chain rule at work.
    """
    entries = {x.origin.index for x in (gradient, density)} - {None}
    if len(entries) > 1 or not density.leaves or not density.leaves <= gradient.leaves:
        return False
    return match.rule == of_density.rule or match.rule in _CHAIN_RULE
