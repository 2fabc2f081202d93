"""Time of `Truncated` beside pm.Truncated: log-density plus gradient, and draws.

Log-density and gradient of 100,000 observations by `model.logp_dlogp_function`, the parameters
inferred, both bounds constant and in the body (where PyMC's are right), called in turn, medians of
the paired ratios. "Regression" has one parameter vary by observation. The normal law is in
`log_density`; families that PyMC cannot evaluate are left out. No bound where a quadrature takes
the place of PyMC's special function: that is what its digits cost. Draws are 100,000 of one law.
"""

import numpy as np
import pymc as pm

from benchmarks.timing import alternate
from pymc_safetrunc.distributions.truncated import Truncated
from tests.accuracy.families import budget, families
from tests.accuracy.families.evaluation import untruncated

SIZE = 100_000
# A quadrature for each observation is a hundred times the work.
QUADRATURE_SIZE = 2_000
ROUNDS = 21
INFINITE = float("inf")

# Where the first of the truth's parameter sets leaves nothing to truncate.
PARAMETERS = {"Bernoulli": (0.4,)}
BOUNDS = {"Bernoulli": (0.0, 1.0)}
CLOSED = [
    name
    for name, (family, _) in families().items()
    if budget.route(name) == "closed" and family.smooth() and name != "Normal"
]
REGRESSIONS = ("Exponential", "Logistic", "Weibull", "LogNormal", "Poisson", "Geometric")
QUADRATURES = ("Gamma", "StudentT", "Beta")
DRAWN = ("Exponential", "Logistic", "Gamma", "Poisson")


def law(name: str):
    """The family as the truth defines it, and the values of its parameters."""
    family, _ = families()[name]
    values = PARAMETERS.get(name, family.sets[-1] if name == "Gamma" else family.sets[0])
    return family, dict(zip(family.kinds, values, strict=True))


def body(name: str, size: int):
    """Draws of the untruncated law between its quantiles of 5% and 95%, and these."""
    family, values = law(name)
    x = pm.draw(untruncated(family, values), 3 * size // 2, random_seed=1)
    bounds = BOUNDS.get(name) or [float(q) for q in np.quantile(x, [0.05, 0.95])]
    return x[(x >= bounds[0]) & (x <= bounds[1])][:size], bounds


def evaluation(truncated, name: str, size: int = SIZE, regression: bool = False):
    """A function that evaluates log-density and gradient at the next of 64 points."""
    family, values = law(name)
    observed, (lower, upper) = body(name, size)
    rng = np.random.default_rng(2)
    with pm.Model() as model:
        parameters = {
            k: np.int64(v) if family.kinds[k] == "integer" else pm.Flat(k, initval=v)
            for k, v in values.items()
        }
        if regression:
            varying = next(iter(parameters))
            parameters[varying] = parameters[varying] * rng.uniform(0.99, 1, len(observed))
        truncated("x", untruncated(family, parameters), lower, upper, observed=observed)
    function = model.logp_dlogp_function(ravel_inputs=True)
    function.set_extra_values({})
    point = np.concatenate([np.atleast_1d(values[v.name]) for v in model.free_RVs])
    points = point * rng.uniform(0.999, 1, size=(64, len(point)))
    calls = iter(range(10**9))
    return lambda: function(points[next(calls) % 64])


def log_density(name: str, regression: bool = False):
    """A row, or none where PyMC has no such log-density."""
    try:
        peer = evaluation(pm.Truncated, name, regression=regression)
    except (NotImplementedError, TypeError):
        return
    pair = alternate(evaluation(Truncated, name, regression=regression), peer, rounds=ROUNDS)
    note = f"{1e9 * pair.ours / SIZE:.2g} against {1e9 * pair.peer / SIZE:.2g} ns/observation"
    what = f"{name}{', regression' if regression else ''}"
    yield f"{what}: time / PyMC's", pair.ratio, 1.0, note


def quadrature(name: str, size: int, regression: bool):
    pair = alternate(
        evaluation(Truncated, name, size, regression),
        evaluation(pm.Truncated, name, size, regression),
        rounds=5,
    )
    what = f"{name} (quadrature), {'a rule for each' if regression else 'shared parameters'}"
    note = f"{1e9 * pair.ours / size:.3g} against {1e9 * pair.peer / size:.3g} ns/observation"
    return f"{what}: time / PyMC's", pair.ratio, INFINITE, note


def drawing(truncated, name: str):
    """A compiled function that draws and moves its generator on, as pm.draw runs it."""
    family, values = law(name)
    _, (lower, upper) = body(name, 10_000)
    rv = truncated.dist(untruncated(family, values), lower, upper, size=SIZE)
    return pm.pytensorf.compile([], rv, random_seed=1)


def draws(name: str):
    pair = alternate(drawing(Truncated, name), drawing(pm.Truncated, name), rounds=11)
    note = f"{1e9 * pair.ours / SIZE:.3g} ns a draw against {1e9 * pair.peer / SIZE:.3g} ns"
    return f"{name}: draws, time / PyMC's", pair.ratio, 1.0, note


def run():
    """Rows of (what, figure, bound, note)."""
    for name in CLOSED:
        yield from log_density(name)
    for name in REGRESSIONS:
        yield from log_density(name, regression=True)
    for name in QUADRATURES:
        yield quadrature(name, SIZE, regression=False)
        yield quadrature(name, QUADRATURE_SIZE, regression=True)
    for name in DRAWN:
        yield draws(name)


if __name__ == "__main__":
    for row in run():
        print(row, flush=True)
