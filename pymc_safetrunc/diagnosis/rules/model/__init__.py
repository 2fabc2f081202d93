"""Rules of the check before sampling, each one small function from facts to findings."""

from collections.abc import Callable, Iterable

from pymc_safetrunc.diagnosis.facts import Facts
from pymc_safetrunc.diagnosis.rules.model import bounds, finite, gradients, overflow, scales, tails
from pymc_safetrunc.findings import Finding

__all__ = ["CHEAP", "RULES", "ModelRule"]

ModelRule = Callable[[Facts], Iterable[Finding]]

# In the order in which they are told: what is behind it, then where it shows.
RULES: tuple[ModelRule, ...] = (
    bounds.runtime_infinite_bound,
    bounds.inverted_bounds,
    finite.nonfinite_logp,
    finite.nonfinite_gradient,
    gradients.wrong_gradient,
    gradients.flat_direction,
    tails.empty_truncation,
    tails.tail_truncation,
    overflow.overflow_prone,
    scales.unscaled_parameters,
)
# Those that need no graph of their own, only a density that is compiled anyway.
CHEAP: tuple[ModelRule, ...] = (
    bounds.runtime_infinite_bound,
    bounds.inverted_bounds,
    gradients.flat_direction,
    scales.unscaled_parameters,
    gradients.wrong_gradient,
)
