"""Log-density plus gradient of a likelihood, ours beside pm.TruncatedNormal."""

import numpy as np
import pymc as pm

import pymc_safetrunc as pst
from benchmarks.timing import alternate

SIZE = 100_000


def likelihood(distribution, case: str, size: int = SIZE) -> pm.Model:
    """One likelihood of `size` observations; the case says what varies by observation."""
    rng = np.random.default_rng(20)
    x = np.abs(rng.normal(1.0, 1.0, size))
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma")
        if case.startswith("vector mu"):
            slope = pm.Normal("slope")
            mu = slope * rng.normal(size=size) + 1.0
        else:
            mu = pm.Normal("mu")
        lower, upper = {
            "vector mu, one bound": (0.0, None),
            "vector mu, two bounds": (0.0, 6.0),
            "vector mu, free bounds": (-pm.HalfNormal("below"), 6.0 + pm.HalfNormal("above"))
            if case == "vector mu, free bounds"
            else None,
            "vector bounds": (x - rng.exponential(size=size), x + rng.exponential(size=size)),
            "vector lower bound": (x - rng.exponential(size=size), None),
            "scalars, one bound": (0.0, None),
            "scalars, two bounds": (0.0, 6.0),
        }[case]
        distribution("x", mu, sigma, lower=lower, upper=upper, observed=np.clip(x, 0, 6))
    return model


def evaluation(distribution, case: str, size: int = SIZE):
    model = likelihood(distribution, case, size)
    function = model.logp_dlogp_function(ravel_inputs=True)
    function.set_extra_values({})
    rng = np.random.default_rng(3)
    points = 0.1 * rng.normal(size=(64, sum(v.size for v in model.initial_point().values())))
    state = iter(range(10**9))
    return lambda: function(points[next(state) % 64])


CASES = {
    "vector mu, one bound": 0.6,
    "vector mu, two bounds": 0.6,
    "vector mu, free bounds": 0.6,
    "vector bounds": 0.8,
    "vector lower bound": 0.8,
    "scalars, one bound": 1.5,
    "scalars, two bounds": 1.5,
}


def run():
    """Rows of (what, figure, bound, met): time as a ratio to PyMC's, and its growth with size."""
    for case, bound in CASES.items():
        ours = evaluation(pst.TruncatedNormal, case)
        peer = evaluation(pm.TruncatedNormal, case)
        pair = alternate(ours, peer)
        note = f"{1e9 * pair.ours / SIZE:.1f} ns against {1e9 * pair.peer / SIZE:.1f} ns"
        yield f"log-density and gradient, {case}", pair.ratio, bound, note


if __name__ == "__main__":
    for row in run():
        print(row)
