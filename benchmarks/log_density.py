"""Log-density plus gradient of 100,000 observations by `model.logp_dlogp_function`.

Ours beside pm.TruncatedNormal, called in turn, medians of the paired ratios; then the growth
of our time for each observation from 10,000 to 1,000,000 of them.
"""

import numpy as np
import pymc as pm

import pymc_safetrunc as pst
from benchmarks.timing import alternate

SIZE = 100_000
# What varies by observation, and the largest ratio to PyMC's time that is allowed.
CASES = {
    "vector mu, one bound": 0.6,
    "vector mu, two bounds": 0.6,
    "vector mu, bounds inferred": 0.6,
    "vector lower bound": 0.8,
    "two vector bounds": 0.8,
    "scalars, one bound": 1.5,
    "scalars, two bounds": 1.5,
}


def likelihood(distribution, case: str, size: int = SIZE) -> pm.Model:
    rng = np.random.default_rng(20)
    x = np.clip(np.abs(rng.normal(1.0, 1.0, size)), 0.0, 6.0)
    below, above = rng.exponential(size=(2, size))
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma")
        mu = pm.Normal("mu")
        if case.startswith("vector mu"):
            mu = mu * rng.normal(size=size) + 1.0
        bounds = {"lower": 0.0}
        if case.endswith("two bounds"):
            bounds["upper"] = 6.0
        elif case.endswith("bounds inferred"):
            bounds = {"lower": -pm.HalfNormal("below"), "upper": 6.0 + pm.HalfNormal("above")}
        elif case == "vector lower bound":
            bounds = {"lower": x - below}
        elif case == "two vector bounds":
            bounds = {"lower": x - below, "upper": x + above}
        distribution("x", mu, sigma, observed=x, **bounds)
    return model


def evaluation(distribution, case: str, size: int = SIZE):
    """A function that evaluates log-density and gradient at the next of 64 points."""
    model = likelihood(distribution, case, size)
    function = model.logp_dlogp_function(ravel_inputs=True)
    function.set_extra_values({})
    dimension = sum(value.size for value in model.initial_point().values())
    points = 0.1 * np.random.default_rng(3).normal(size=(64, dimension))
    calls = iter(range(10**9))
    return lambda: function(points[next(calls) % 64])


def run():
    for case, bound in CASES.items():
        pair = alternate(
            evaluation(pst.TruncatedNormal, case), evaluation(pm.TruncatedNormal, case)
        )
        each = f"{1e9 * pair.ours / SIZE:.2g} against {1e9 * pair.peer / SIZE:.2g} ns/observation"
        yield f"{case}: time / PyMC's", pair.ratio, bound, each
    for case in ("vector mu, two bounds", "two vector bounds"):
        large = evaluation(pst.TruncatedNormal, case, 1_000_000)
        small = evaluation(pst.TruncatedNormal, case, 10_000)
        pair = alternate(large, small, rounds=21)
        yield f"{case}: ns/observation at 1e6 / at 1e4", pair.ratio / 100, 1.5, ""
