"""Models of the kinds that PyMC's documentation teaches, with data of our own."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

_rng = np.random.default_rng(7)


def linear_regression():
    x = _rng.normal(size=(50, 2))
    y = 1 + x @ [0.5, -2] + _rng.normal(0, 0.3, 50)
    mu = pm.Normal("intercept", 0, 10) + x @ pm.Normal("slopes", 0, 10, shape=2)
    pm.Normal("y", mu, pm.HalfNormal("sigma", 1), observed=y)


def logistic_regression():
    x = _rng.normal(size=80)
    eta = pm.Normal("a", 0, 1.5) + pm.Normal("b", 0, 1.5) * x
    pm.Bernoulli("y", logit_p=eta, observed=_rng.binomial(1, 1 / (1 + np.exp(-x))))


def disaster_switchpoint():
    counts = _rng.poisson(np.where(np.arange(60) < 30, 3, 1))
    when = pm.DiscreteUniform("when", 0, 59)
    rates = pm.Exponential("early", 1), pm.Exponential("late", 1)
    pm.Poisson("counts", pm.math.switch(when >= np.arange(60), *rates), observed=counts)


def stochastic_volatility():
    returns = _rng.standard_t(4, size=60) * 0.01
    step = pm.Exponential("step", 10)
    volatility = pm.GaussianRandomWalk(
        "volatility", sigma=step, init_dist=pm.Normal.dist(0, 10), shape=60
    )
    nu = pm.Exponential("nu", 0.1)
    pm.StudentT("returns", nu, 0, sigma=pm.math.exp(-2 * volatility / 20), observed=returns)


def radon():
    county = np.repeat(np.arange(12), 6)
    floor = _rng.binomial(1, 0.3, 72)
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 1)
    offset = pm.Normal("offset", shape=12)
    level = mu + tau * offset[county] + pm.Normal("floor", 0, 2) * floor
    pm.Normal("y", level, pm.Exponential("sigma", 1), observed=_rng.normal(1, 0.7, 72))


def rugby():
    home, away = np.repeat(np.arange(4), 3), np.array([1, 2, 3, 0, 2, 3, 0, 1, 3, 0, 1, 2])
    attack = pm.ZeroSumNormal("attack", sigma=pm.HalfNormal("sd_attack", 1), shape=4)
    defence = pm.ZeroSumNormal("defence", sigma=pm.HalfNormal("sd_defence", 1), shape=4)
    level, advantage = pm.Normal("level", 3, 1), pm.Normal("advantage", 0, 1)
    first = pt.exp(level + advantage + attack[home] - defence[away])
    second = pt.exp(level + attack[away] - defence[home])
    pm.Poisson("home_points", first, observed=_rng.poisson(22, 12))
    pm.Poisson("away_points", second, observed=_rng.poisson(17, 12))


def bayesian_t_test():
    for group, shift in (("drug", 1.0), ("placebo", 0.0)):
        mu = pm.Normal(f"mu_{group}", 100, 20)
        sigma = pm.Uniform(f"sigma_{group}", 1, 20)
        data = 100 + shift + _rng.standard_t(5, size=30)
        pm.StudentT(group, nu=pm.Exponential(f"nu_{group}", 1 / 29) + 1, mu=mu, sigma=sigma,
                    observed=data)  # fmt: skip


def gaussian_mixture():
    y = np.concatenate([_rng.normal(-3, 1, 40), _rng.normal(0, 1, 40), _rng.normal(4, 1, 40)])
    ordered = pm.distributions.transforms.ordered
    mu = pm.Normal("mu", 0, 5, shape=3, transform=ordered, initval=[-2.0, 0.0, 2.0])
    weights = pm.Dirichlet("weights", np.ones(3))
    pm.NormalMixture("y", w=weights, mu=mu, sigma=pm.HalfNormal("sigma", 2, shape=3), observed=y)


def parametric_survival():
    time = _rng.weibull(1.5, 60) * 10
    seen = time < 12
    alpha, beta = pm.HalfNormal("alpha", 2), pm.Gamma("beta", 2, 0.2)
    pm.Weibull("died", alpha, beta, observed=time[seen])
    pm.Potential("alive", -((12 / beta) ** alpha) * (~seen).sum())


def gaussian_process_regression():
    x = np.linspace(0, 10, 25)[:, None]
    scale, width = pm.HalfNormal("scale", 2), pm.InverseGamma("width", 5, 5)
    gp = pm.gp.Marginal(cov_func=scale**2 * pm.gp.cov.Matern52(1, width))
    sigma = pm.HalfNormal("sigma", 0.5)
    gp.marginal_likelihood("y", X=x, y=np.sin(x[:, 0]), sigma=sigma)


def truncated_and_censored_regression():
    x = _rng.uniform(-3, 3, 60)
    y = np.clip(x + _rng.normal(size=60), -2, 2)
    inside = np.abs(y) < 2
    slope, sigma = pm.Normal("slope", 0, 2), pm.HalfNormal("sigma", 1)
    pm.Censored("censored", pm.Normal.dist(slope * x, sigma), lower=-2, upper=2, observed=y)
    pm.TruncatedNormal("truncated", slope * x[inside], sigma, lower=-2, upper=2, observed=y[inside])


def negative_binomial_regression():
    x = _rng.normal(size=70)
    rate = pm.math.exp(pm.Normal("a", 2, 1) + pm.Normal("b", 0, 1) * x)
    y = _rng.negative_binomial(5, 0.4, 70)
    pm.NegativeBinomial("y", mu=rate, alpha=pm.Exponential("alpha", 0.5), observed=y)


def autoregression():
    y = np.cumsum(_rng.normal(size=50)) * 0.1
    rho, sigma = pm.Normal("rho", 0, 0.5, shape=2), pm.HalfNormal("sigma", 1)
    pm.AR("y", rho=rho, sigma=sigma, constant=True, init_dist=pm.Normal.dist(0, 1), observed=y)


def robust_regression_with_a_custom_distribution():
    x = _rng.normal(size=40)

    def logp(value, mu, scale):
        return -pt.log(2 * scale) - pt.abs(value - mu) / scale

    mu = pm.Normal("a") + pm.Normal("b") * x
    pm.CustomDist("y", mu, pm.HalfNormal("scale", 1), logp=logp, observed=2 * x)


MODELS = {
    build.__name__: build
    for build in (
        linear_regression,
        logistic_regression,
        disaster_switchpoint,
        stochastic_volatility,
        radon,
        rugby,
        bayesian_t_test,
        gaussian_mixture,
        parametric_survival,
        gaussian_process_regression,
        truncated_and_censored_regression,
        negative_binomial_regression,
        autoregression,
        robust_regression_with_a_custom_distribution,
    )
}
