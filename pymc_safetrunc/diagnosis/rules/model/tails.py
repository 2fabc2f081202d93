"""Truncations that leave next to no mass, and digits that PyMC's formula loses there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import pymc as pm
from pymc.distributions.continuous import TruncatedNormalRV
from pytensor.graph.basic import Constant, Variable

from pymc_safetrunc import math
from pymc_safetrunc.diagnosis.distribution import (
    Bounds,
    bounds_of,
    is_pymc,
    is_truncation,
    plain_rv,
    tensor_of,
    untruncated,
)
from pymc_safetrunc.diagnosis.expression import plain
from pymc_safetrunc.diagnosis.expressions import Expressions
from pymc_safetrunc.diagnosis.facts import Facts, Probe
from pymc_safetrunc.diagnosis.rules.truncation import safe_remedy
from pymc_safetrunc.findings import Finding
from pymc_safetrunc.report.words import at_point

__all__ = ["digits_left", "empty_truncation", "tail_truncation"]

# A float's exponent ends at exp(-745); below exp(-700) nothing is left to compute with.
LEAST_LOG_MASS = -700.0
# An error of a millionth changes no acceptance. PyMC starts with eight digits: the square root of
# 2 in its formula is a float32.
ENOUGH_DIGITS = 6
ALL_DIGITS = 15
POINTS = 4


@dataclass(frozen=True)
class Tail:
    """What a truncation of PyMC's keeps at one point, entry by entry."""

    log_mass: np.ndarray
    digits: np.ndarray


def empty_truncation(facts: Facts) -> Iterator[Finding]:
    """Find truncations that keep less than exp(-700) of their distribution."""
    for rv, tails in _tails(facts):
        for probe, tail in tails:
            if probe.kind == "prior":
                continue  # a location far off its bounds is what the data will rule out
            with np.errstate(invalid="ignore"):
                empty = np.asarray(tail.log_mass < LEAST_LOG_MASS)
            if not empty.any():
                continue
            index = tuple(int(i) for i in np.argwhere(empty)[0])
            mass = tail.log_mass[index]
            kept = f"exp({mass:.4g})" if np.isfinite(mass) else "less than any float"
            yield Finding(
                "empty-truncation",
                "warning",
                f"Between its bounds {plain(rv.name or '')}{_entry(index)} keeps {kept} of its "
                f"distribution {at_point(probe.kind)}. Bounds and location are far apart: one of "
                "them, or their unit, is probably not what was meant. If it is, the safe "
                "distribution is exact there.",
                factor=rv.name,
                index=index or None,
                remedy=safe_remedy(rv),
            )
            break


def tail_truncation(facts: Facts) -> Iterator[Finding]:
    """Find truncations in which PyMC's log-density lost more digits than a sampler can spare."""
    for rv, tails in _tails(facts):
        worst = min(tails, key=lambda found: found[1].digits.min(initial=ALL_DIGITS), default=None)
        if worst is None:
            continue
        probe, tail = worst
        digits = int(tail.digits.min(initial=ALL_DIGITS))
        if digits >= ENOUGH_DIGITS:
            continue
        index = tuple(int(i) for i in np.unravel_index(tail.digits.argmin(), tail.digits.shape))
        left = "no digit" if digits <= 0 else f"{digits} digit{'s' * (digits > 1)}"
        yield Finding(
            "tail-truncation",
            _grade(probe),
            f"PyMC's log-density of {plain(rv.name or '')}{_entry(index)} has {left} left "
            f"{at_point(probe.kind)}: between the bounds lies a far tail or a narrow slice of the "
            "distribution, and two numbers that are almost the same are subtracted.",
            factor=rv.name,
            quantity="logp",
            index=index or None,
            remedy=safe_remedy(rv),
        )


def _grade(probe: Probe):
    return "warning" if probe.kind in ("initial", "jittered") else "hint"


def _entry(index: tuple[int, ...]) -> str:
    return f" (entry {', '.join(map(str, index))})" if index else ""


def _tails(facts: Facts) -> Iterator[tuple[Variable, list[tuple[Probe, Tail]]]]:
    probes = [*facts.of("initial", "jittered")[:POINTS], *facts.of("prior")[:POINTS]]
    for rv in facts.model.basic_RVs:
        law = plain_rv(rv)
        if rv in facts.refused or not is_truncation(law) or not is_pymc(law):
            continue
        of_normal = isinstance(law.owner.op, TruncatedNormalRV)
        reader = (_normal if of_normal else _any_family)(facts, rv, law)
        found = [(probe, tail) for probe in probes if (tail := reader(probe)) is not None]
        yield rv, found


def _normal(facts: Facts, rv: Variable, law: Variable):
    """PyMC's log-density beside the exact one."""
    mu, sigma, lower, upper = law.owner.op.dist_params(law.owner)
    # of a copy: the variable itself is to become the value
    copy = law.owner.op.make_node(*law.owner.inputs).default_output()
    value = tensor_of(rv)
    theirs = pm.logp(copy, value)
    exact = math.truncated_normal_logpdf(value, mu, sigma, lower, upper)
    log_mass = math.log_ndtr_interval((lower - mu) / sigma, (upper - mu) / sigma)
    expressions = Expressions(facts.model, [theirs, exact, log_mass])

    def read(probe: Probe) -> Tail | None:
        values = expressions.at(probe.point, deadline=facts.deadline)
        if any(value is None for value in values):
            return None
        theirs, exact, log_mass = values
        return Tail(np.asarray(log_mass), digits_left(theirs, exact))

    return read


def digits_left(given, exact) -> np.ndarray:
    """Decimal digits of a log-density that are right: absolute where it is below 1."""
    given, exact = np.asarray(given, "float64"), np.asarray(exact, "float64")
    with np.errstate(all="ignore"):
        error = np.abs(given - exact) / np.maximum(1.0, np.abs(exact))
        digits = np.floor(-np.log10(error))
    digits = np.where(np.isfinite(given), digits, 0)
    # outside the bounds, or with parameters that are refused, there is nothing to be right about
    meant = np.isfinite(exact) & (given != -np.inf)
    return np.clip(np.where(meant, digits, ALL_DIGITS), 0, ALL_DIGITS)


def _any_family(facts: Facts, rv: Variable, law: Variable):
    """What is left of the digits when PyMC subtracts the CDFs of the bounds."""
    base = untruncated(law)
    lower, upper = cast(Bounds, bounds_of(law))
    # of a discrete distribution the whole lower bound is kept
    below = lower - 1 if base.type.dtype.startswith("int") else lower
    like = pm.math.zeros_like(rv, dtype="float64")
    pair = [pm.logcdf(base, like + bound, warn_rvs=False) for bound in (below, upper)]
    above = pm.logccdf(base, like + below, warn_rvs=False)
    expressions = Expressions(facts.model, [*pair, above])
    has_upper = not (isinstance(upper, Constant) and np.isposinf(upper.data).all())

    def read(probe: Probe) -> Tail | None:
        values = expressions.at(probe.point, deadline=facts.deadline)
        if any(value is None for value in values):
            return None
        low, high, above = (np.asarray(value, "float64") for value in values)
        with np.errstate(all="ignore"):
            mass = -np.expm1(low - high)
            log_mass = np.where(mass > 0, high + np.log(mass), -np.inf)
            # where the CDFs are one number the mass is only known to be small
            log_mass = np.where((low >= high) & (high > LEAST_LOG_MASS), np.nan, log_mass)
            if not has_upper:
                # a survival function of its own is exact; one made from the CDF is a difference
                made = np.isclose(above, np.log(mass), rtol=1e-12, atol=0) | np.isneginf(above)
                mass = np.where(made, mass, 1.0)
            precision = np.finfo("float64").eps * np.maximum(1.0, np.abs(high))
            digits = np.floor(np.log10(mass / precision))
        digits = np.where(np.isnan(digits) | (mass <= 0), 0, digits)
        return Tail(log_mass, np.clip(digits, 0, ALL_DIGITS))

    return read
