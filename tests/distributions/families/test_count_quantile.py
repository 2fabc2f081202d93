"""Quantiles and draws of counts, where their densities are wide, and where they have a pole."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

import pymc_safetrunc as pst
from pymc_safetrunc.distributions.families import dispatch
from pymc_safetrunc.distributions.truncated import law_of
from tests.turns import in_turn

Q = np.array([1e-12, 1e-6, 1e-3, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1 - 1e-9])

# distribution, the same of scipy, and how far, in units of the quantile, it may be from scipy's
CASES = {
    "NegativeBinomial, alpha 0.1": (
        pm.NegativeBinomial.dist, {"mu": 300.0, "alpha": 0.1}, stats.nbinom(0.1, 0.1 / 300.1), 0
    ),
    "NegativeBinomial, alpha 0.3": (
        pm.NegativeBinomial.dist, {"mu": 100.0, "alpha": 0.3}, stats.nbinom(0.3, 0.3 / 100.3), 0
    ),
    "NegativeBinomial of large counts": (
        pm.NegativeBinomial.dist,
        {"mu": 1e6, "alpha": 0.05},
        stats.nbinom(0.05, 0.05 / 1000000.05),
        1e-6,
    ),
    "Poisson": (pm.Poisson.dist, {"mu": 3.0}, stats.poisson(3.0), 0),
    "Poisson of large counts": (pm.Poisson.dist, {"mu": 3e6}, stats.poisson(3e6), 0),
    "Binomial": (pm.Binomial.dist, {"n": 10**6, "p": 0.3}, stats.binom(10**6, 0.3), 0),
}  # fmt: skip


PARTS = ("all", "without 0", "the last tenth")


@pytest.mark.parametrize("case", in_turn([(n, part) for n in CASES for part in PARTS], step=4))
def test_quantile_is_scipys(case, without_c):
    name, part = case
    family, parameters, exact, units = CASES[name]
    lower = {"all": 0, "without 0": 1}.get(part, int(exact.ppf(0.9)) + 1)
    expected = exact.isf((1 - Q) * exact.sf(lower - 1))
    got = pm.icdf(pst.Truncated.dist(family(**parameters), lower=lower), Q)
    np.testing.assert_allclose(got.eval(mode="FAST_COMPILE"), expected, rtol=units, atol=0)


@pytest.mark.parametrize("name", in_turn(CASES, step=2))
def test_law_of_draws(name, without_c):
    """What a draw makes of numbers of the uniform law, one law for all and a law for each.

    A share of the truth as it is below or at the quantile, to a part of a thousand of the smaller.
    """
    family, parameters, exact, _ = CASES[name]
    rv = pst.Truncated.dist(family(**parameters), lower=1).owner
    law = law_of(rv.op.base_rv_op, rv.inputs)
    numbers = [law.lower, law.upper, *law.parameters]
    of_each = [pt.constant(np.full(len(Q), float(x.eval()))) for x in numbers]
    for drawn in (law.draw(pt.constant(Q)), dispatch.truncated_draw(law.base_op, Q, *of_each)):
        x = drawn.eval(mode="FAST_COMPILE")
        assert np.array_equal(x, np.round(x))
        left = 1 - exact.cdf(0)
        below, until = (
            (exact.cdf(x - 1) - exact.cdf(0)) / left,
            (exact.cdf(x) - exact.cdf(0)) / left,
        )
        room = 2e-3 * np.minimum(Q, 1 - Q) + 1e-12
        assert np.all((below - room <= Q) & (until + room >= Q)), (x, below, until)


@pytest.mark.parametrize("first", [1, 2, 5, 32])
def test_poisson_without_its_first_numbers(first, without_c):
    """On either side of where the numbers below are summed, and by survival function of scipy."""
    mu = pt.dvector()
    x = first + 2
    logp = pm.logp(pst.Truncated.dist(pm.Poisson.dist(mu), lower=first), np.full(9, x))
    slope = pt.grad(logp.sum(), mu)
    places = first * np.array([1e-6, 0.01, 0.2, 0.7, 0.8, 0.85, 1.0, 2.0, 30.0])
    got, got_slope = pytensor.function([mu], [logp, slope], mode="FAST_COMPILE")(places)
    law = stats.poisson(places)
    expected = law.logpmf(x) - law.logsf(first - 1)
    # scipy's own digits
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    hazard = np.exp(law.logpmf(first - 1) - law.logsf(first - 1))
    np.testing.assert_allclose(got_slope, x / places - 1 - hazard, rtol=1e-9, atol=1e-9)
