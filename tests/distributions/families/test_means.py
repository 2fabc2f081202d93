"""Means against quadrature of the density by mpmath: in the body, in tails, in narrow intervals."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from mpmath import mp, mpf
from pymc.distributions.moments import mean

from pymc_safetrunc.distributions.truncated import Truncated

INF = np.inf
# Interpreted: what is evaluated once is not worth compiling.
PLAIN = pytensor.compile.mode.Mode(linker="py", optimizer="merge")
FREE = [(-INF, INF), (-1.0, 2.0), (30.0, INF), (-INF, -30.0), (0.2, 0.2 + 1e-6), (40.0, 41.0)]
POSITIVE = [(0.0, INF), (0.5, 2.0), (1e9, INF), (0.0, 1e-9), (0.5, 0.5 + 1e-6), (1e-9, 1e9)]


LOC, KAPPA = 0.3, 1.7


# (law of a spread, its log-density up to a constant, cases)
LAWS = {
    "Normal": (
        lambda s: pm.NormalMixture.dist([0.25, 0.75], np.array([LOC, LOC]), s[:, None]),
        lambda x, s: -(((x - LOC) / s) ** 2) / 2,
        FREE,
    ),
    "Laplace": (
        lambda s: pm.Laplace.dist(np.float64(LOC), s),
        lambda x, s: -abs(x - LOC) / s,
        FREE,
    ),
    "AsymmetricLaplace": (
        lambda s: pm.AsymmetricLaplace.dist(mu=np.float64(LOC), b=1 / s, kappa=np.float64(KAPPA)),
        lambda x, s: -(x - LOC) / s * (KAPPA if x > LOC else -1 / mpf(KAPPA)),
        FREE,
    ),
    "LogNormal": (
        lambda s: pm.LogNormal.dist(np.float64(LOC), s),
        lambda x, s: -(((mp.log(x) - LOC) / s) ** 2) / 2 - mp.log(x),
        POSITIVE,
    ),
}


def exact(log_density, positive, spread, lower, upper):
    """Mean by quadrature, in log x for a law of positive numbers, and its slope in the spread.

    That is a covariance with the log-density's own slope.
    """
    low, high = mpf(lower), mpf(upper)
    if positive:
        low, high = mp.log(low) if low > 0 else -mp.inf, mp.log(high)
    x_of = mp.exp if positive else mpf
    near = min(max(mpf(LOC), low), high)
    steps = [k * spread for size in (1, 9, 40, 120) for k in (-size, size)]
    cuts = sorted({min(max(near + step, low), high) for step in (0, *steps)})
    top = log_density(x_of(near), spread)

    def integral(f):
        def integrand(t):
            x = x_of(t)
            return f(x) * mp.exp(log_density(x, spread) - top) * (x if positive else 1)

        return mp.quad(integrand, cuts)

    def slope(x):
        step = mpf("1e-12")
        return (log_density(x, spread + step) - log_density(x, spread - step)) / (2 * step)

    mass = integral(lambda x: 1)
    average = integral(lambda x: x) / mass
    return average, integral(lambda x: (x - average) * slope(x)) / mass


@pytest.mark.parametrize("name", LAWS)
def test_mean_and_its_derivatives(name):
    law, log_density, bounds = LAWS[name]
    # of a known shape, for which nothing is drawn without rewrites
    variables = [pt.tensor(name, shape=(len(bounds),)) for name in ("spread", "lower", "upper")]
    spread, lower, upper = variables
    graph = mean(Truncated.dist(law(spread), lower, upper, shape=(len(bounds),)))
    outputs = [graph, *pt.grad(graph.sum(), variables)]
    evaluate = pytensor.function(variables, outputs, mode=PLAIN)
    numbers = np.array([(0.8, *pair) for pair in bounds]).T
    found, by_spread, at_lower, at_upper = evaluate(*numbers)
    with mp.workdps(30):
        truth = [exact(log_density, bounds is POSITIVE, mpf(0.8), *pair) for pair in bounds]
    average, slope = np.array(truth, dtype="float64").T
    np.testing.assert_allclose(found, average, rtol=1e-13)
    # what a slope is worth: an error of the mean's own size in relative terms of the spread
    np.testing.assert_allclose(by_spread, slope, rtol=1e-9, atol=1e-11 * abs(average).min())
    # a bound draws the mean after it
    assert np.isfinite(at_lower + at_upper).all()
    assert ((at_lower >= 0) & (at_upper >= 0)).all()
