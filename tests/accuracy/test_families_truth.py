"""The stored truth of the families against routes that share nothing with what made it."""

import math

import numpy as np
import pymc as pm
import pytensor
import pytest
from mpmath import mp, mpf
from scipy import stats

from tests.accuracy import budget
from tests.accuracy.families import cases, evaluation, families, pieces

# PyMC's own densities hold constants such as log(2) in single precision.
SINGLE = 1e-7
# The stored numbers are rounded once (1.1e-16); the four-point difference is good to 1e-14.
CHECKED = 1e-14
# Interpreted and not rewritten: nothing here is run twice.
PLAIN = pytensor.compile.mode.Mode(linker="py", optimizer=None)
DIGITS = 24
# The tables change only when somebody makes them anew: of most families the soak looks again.
LOOKED_AT = ("Exponential", "Gamma", "Poisson", "HurdleGamma")


def some(names):
    return [n if n in LOOKED_AT else pytest.param(n, marks=pytest.mark.soak) for n in names]


def row_of(table, family, i):
    """Parameters, lower, upper and value of one case."""
    parameters = [float(table[f"parameter_{name}"][i]) for name in family.kinds]
    return parameters, *(float(table[k][i]) for k in ("lower", "upper", "value"))


@pytest.mark.parametrize("name", some(families()))
def test_parameters_are_those_of_pymc(name):
    """With no bound at all a truncated law is PyMC's own."""
    family, _ = families()[name]
    table = cases(name)
    whole = {k: v[table["label"] == "whole"] for k, v in table.items()}
    columns = evaluation.arguments(family, whole)
    parameters = dict(zip(family.kinds, columns, strict=False))
    logp = pm.logp(evaluation.untruncated(family, parameters), columns[-1])
    assert len(whole["logp"]) >= 3
    assert budget.error(logp.eval(mode=PLAIN), whole["logp"], 1.0).max() < SINGLE


@pytest.mark.parametrize("name", families())
def test_there_are_cases_enough(name):
    """A hundred, inside their bounds; where the family has such tails, out to 1e-300."""
    table = cases(name)
    assert len(table["value"]) >= 100
    assert (table["lower"] <= table["value"]).all()
    assert (table["value"] <= table["upper"]).all()
    assert np.isfinite(table["logp"]).all()
    judged = [table[k] for k in table if k.startswith("d_parameter_")]
    assert all(np.isnan(column).mean() < 0.2 for column in judged)


def weights_of_density(family, parameters, lower, upper):
    """Points and the mass at each, from the density alone.

    The integral is over the logarithm of the way from each bound: a bound where the density is
    infinite is infinitely far.
    """
    low, high = family.clipped(lower, upper, parameters)
    if family.discrete:
        points = [mpf(k) for k in range(int(low), int(high) + 1)]
        return [(k, mp.exp(family.log_density(k, *parameters))) for k in points]
    if mp.isfinite(low) and mp.isfinite(high):
        ways = [(low, 1, (high - low) / 2), (high, -1, (high - low) / 2)]
    else:
        ways = [(low, 1, mp.inf) if mp.isfinite(low) else (high, -1, mp.inf)]
    found = []
    for origin, sign, way in ways:

        def log_density(t, origin=origin, sign=sign):
            return family.log_density(origin + sign * mp.exp(t), *parameters) + t

        for nodes in pieces.rule(pieces.split(log_density, -mp.inf, mp.log(way))):
            found += [(origin + sign * mp.exp(t), w * mp.exp(log_density(t))) for t, w in nodes]
    return found


def score(family, k, x, parameters):
    """Derivative of the log-density in parameter k, by a difference of four points."""
    step = (abs(parameters[k]) or mpf(1)) * mpf(10) ** -(DIGITS // 4)

    def at(distance):
        return family.log_density(
            x, *(p + distance * step if j == k else p for j, p in enumerate(parameters))
        )

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)


def can_be_checked(family, parameters, lower, upper):
    """Whether a few digits will do: the mass is next to a bound, and the density smooth there."""
    if family.discrete:
        return upper - lower < 300
    edges = [float(e) for e in family.edges(parameters)]
    corners = family.corners(*parameters) if family.corners else ()
    if math.isinf(lower) and math.isinf(upper):
        return False
    if family.atom is not None and lower <= family.atom:
        return False
    if any(lower <= corner <= upper for corner in corners):
        return False
    # next to an edge that moves, or is not 0, more digits are needed
    unfit = [e for e in edges if math.isfinite(e) and (e != 0 or callable(family.support))]
    if any(lower - 0.01 < edge < upper + 0.01 for edge in unfit):
        return False
    # the mass is far from both bounds
    return not (math.isfinite(lower) and math.isfinite(upper) and upper - lower > 1e6)


@pytest.mark.parametrize(
    "sample", [1, pytest.param(10, marks=pytest.mark.soak)], ids=lambda n: f"{n} cases"
)
@pytest.mark.parametrize("name", some(families()))
def test_mass_and_its_derivatives_are_those_of_the_density(name, sample):
    """A sample again from sums and integrals of the density and of its scores.

    The derivative of a log-mass is the mean score: that of a truncated log-density is the score
    less its mean, where the table differences distribution functions, sums or integrals.
    """
    family, _ = families()[name]
    table = cases(name)
    rows = np.random.default_rng(7).permutation(len(table["value"]))
    checked = 0
    with mp.workdps(DIGITS):
        for i in rows:
            numbers, lower, upper, value = row_of(table, family, i)
            if checked == sample or not can_be_checked(family, numbers, lower, upper):
                continue
            parameters = [mpf(p) for p in numbers]
            weights = weights_of_density(family, parameters, lower, upper)
            total = mp.fsum(w for _, w in weights)
            found = {"log_mass": mp.log(total)}
            for k, kind in enumerate(family.kinds.values()):
                if kind != "integer":
                    mean = mp.fsum(w * score(family, k, x, parameters) for x, w in weights) / total
                    own = score(family, k, mpf(value), parameters)
                    found[f"d_parameter_{list(family.kinds)[k]}"] = own - mean
            for column, number in found.items():
                scale = table[f"scale_{column}"][i] if column != "log_mass" else 1.0
                error = abs(number - mpf(float(table[column][i]))) / max(abs(number), scale)
                assert error < CHECKED, (column, numbers, lower, upper, mp.nstr(number, 20))
            checked += 1
    assert checked == sample


SCIPY = {
    "Normal": lambda mu, sigma: stats.norm(mu, sigma),
    "Gumbel": lambda mu, beta: stats.gumbel_r(mu, beta),
    "Moyal": lambda mu, sigma: stats.moyal(mu, sigma),
    "ExGaussian": lambda mu, sigma, nu: stats.exponnorm(nu / sigma, mu, sigma),
    "Wald": lambda mu, lam, alpha: stats.invgauss(mu / lam, alpha, lam),
    "Triangular": lambda lower, c, upper: stats.triang(
        (c - lower) / (upper - lower), lower, upper - lower
    ),
    "AsymmetricLaplace": lambda kappa, mu, b: stats.laplace_asymmetric(kappa, mu, 1 / b),
    "Gamma": lambda alpha, beta: stats.gamma(alpha, scale=1 / beta),
    "InverseGamma": lambda alpha, beta: stats.invgamma(alpha, scale=beta),
    "Beta": lambda alpha, beta: stats.beta(alpha, beta),
    "StudentT": lambda nu, mu, sigma: stats.t(nu, mu, sigma),
    "SkewStudentT": lambda a, b, mu, sigma: stats.jf_skew_t(a, b, mu, sigma),
    "SkewNormal": lambda alpha, mu, sigma: stats.skewnorm(alpha, mu, sigma),
    "Rice": lambda nu, sigma: stats.rice(nu / sigma, scale=sigma),
    "Poisson": lambda mu: stats.poisson(mu),
    "Binomial": lambda n, p: stats.binom(n, p),
    "NegativeBinomial": lambda mu, alpha: stats.nbinom(alpha, alpha / (alpha + mu)),
    "BetaBinomial": lambda alpha, beta, n: stats.betabinom(n, alpha, beta),
    "HyperGeometric": lambda N, k, n: stats.hypergeom(N, k, n),
}
# scipy's distribution functions hold about this in the body; `skewnorm` and `rice` less.
SCIPY_LIMIT = 1e-8


@pytest.mark.parametrize("name", some(SCIPY))
def test_scipy_agrees_in_the_body(name):
    family, _ = families()[name]
    table = cases(name)
    rows = np.flatnonzero(np.isin(table["label"], ("body", "body, one-sided", "at the edge")))
    assert len(rows) >= 6
    for i in rows:
        parameters, lower, upper, value = row_of(table, family, i)
        law = SCIPY[name](*parameters)
        below = np.ceil(lower) - 1 if family.discrete else lower
        mass = law.cdf(upper) - law.cdf(below)
        density = law.logpmf(value) if family.discrete else law.logpdf(value)
        got = density - np.log(mass)
        assert abs(got - table["logp"][i]) < SCIPY_LIMIT, (name, parameters, lower, upper)
