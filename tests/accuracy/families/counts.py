"""Families on the integers: sums, or distribution functions where a tail is too long to sum."""

import pytensor.tensor as pt
from mpmath import mp, mpf

from tests.accuracy.families.family import Family
from tests.accuracy.families.incomplete import beta_below, log_beta


def log_choose(n, k):
    return mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1)


def poisson_log_mass(k, mu):
    return k * mp.log(mu) - mu - mp.loggamma(k + 1)


def binomial_log_mass(k, n, p):
    return log_choose(n, k) + k * mp.log(p) + (n - k) * mp.log(1 - p)


def negative_binomial_log_mass(k, mu, alpha):
    ways = mp.loggamma(k + alpha) - mp.loggamma(alpha) - mp.loggamma(k + 1)
    return ways + alpha * mp.log(alpha / (alpha + mu)) + k * mp.log(mu / (alpha + mu))


def beta_binomial_log_mass(k, alpha, beta, n):
    return log_choose(n, k) + log_beta(k + alpha, n - k + beta) - log_beta(alpha, beta)


def beta_binomial_ratio(k, alpha, beta, n):
    return (n - k) / (k + 1) * (k + alpha) / (n - k - 1 + beta) if k < n else mpf(0)


def hypergeometric_log_mass(drawn, N, k, n):
    return log_choose(k, drawn) + log_choose(N - k, n - drawn) - log_choose(N, n)


def hypergeometric_ratio(drawn, N, k, n):
    return (k - drawn) * (n - drawn) / ((drawn + 1) * (N - k - n + drawn + 1))


def categorical_log_mass(k, *logits):
    return logits[int(k)] - mp.log(mp.fsum(mp.exp(v) for v in logits))


POISSON = Family(
    "Poisson",
    kinds={"mu": "scale"},
    sets=((0.4,), (3.0,), (75.0,)),
    support=(0.0, mp.inf),
    discrete=True,
    log_density=poisson_log_mass,
    ratio=lambda k, mu: mu / (k + 1),
)
BINOMIAL = Family(
    "Binomial",
    kinds={"n": "integer", "p": "shape"},
    sets=((10, 0.3), (1000, 0.1), (400, 0.97)),
    support=lambda n, p: (0.0, n),
    discrete=True,
    log_density=binomial_log_mass,
    ratio=lambda k, n, p: (n - k) / (k + 1) * p / (1 - p),
)
NEGATIVE_BINOMIAL = Family(
    "NegativeBinomial",
    kinds={"mu": "scale", "alpha": "shape"},
    sets=((5.0, 2.0), (20.0, 0.5), (30.0, 40.0)),
    support=(0.0, mp.inf),
    discrete=True,
    log_density=negative_binomial_log_mass,
    cdf=lambda k, mu, alpha: beta_below(alpha, k + 1, alpha / (alpha + mu)),
    sf=lambda k, mu, alpha: beta_below(k + 1, alpha, mu / (alpha + mu)),
)

FAMILIES = (
    POISSON,
    BINOMIAL,
    NEGATIVE_BINOMIAL,
    Family(
        "Geometric",
        kinds={"p": "shape"},
        sets=((0.5,), (0.002,), (0.95,)),
        support=(1.0, mp.inf),
        discrete=True,
        log_density=lambda k, p: mp.log(p) + (k - 1) * mp.log(1 - p),
        cdf=lambda k, p: -mp.expm1(k * mp.log(1 - p)),
        sf=lambda k, p: (1 - p) ** k,
    ),
    Family(
        "DiscreteWeibull",
        kinds={"q": "shape", "beta": "shape"},
        sets=((0.5, 1.0), (0.9, 0.6), (0.998, 2.0)),
        support=(0.0, mp.inf),
        discrete=True,
        log_density=lambda k, q, beta: mp.log(q ** (k**beta) - q ** ((k + 1) ** beta)),
        cdf=lambda k, q, beta: -mp.expm1((k + 1) ** beta * mp.log(q)),
        sf=lambda k, q, beta: q ** ((k + 1) ** beta),
    ),
    Family(
        "DiscreteUniform",
        kinds={"lower": "integer", "upper": "integer"},
        sets=((0, 9), (-12, 700), (3, 100_000), (-40, -5)),
        support=lambda lower, upper: (lower, upper),
        discrete=True,
        log_density=lambda k, lower, upper: -mp.log(upper - lower + 1),
        mass=lambda low, high, lower, upper: (high - low + 1) / (upper - lower + 1),
    ),
    Family(
        "BetaBinomial",
        kinds={"alpha": "shape", "beta": "shape", "n": "integer"},
        sets=((0.4, 0.3, 12), (1.0, 2.5, 40), (8.0, 90.0, 300), (30.0, 12.0, 25)),
        support=lambda alpha, beta, n: (0.0, n),
        discrete=True,
        log_density=beta_binomial_log_mass,
        ratio=beta_binomial_ratio,
    ),
    Family(
        "HyperGeometric",
        kinds={"N": "integer", "k": "integer", "n": "integer"},
        sets=((50, 10, 20), (1000, 700, 400), (3000, 100, 2000)),
        support=lambda N, k, n: (max(mpf(0), n - N + k), min(n, k)),
        discrete=True,
        log_density=hypergeometric_log_mass,
        ratio=hypergeometric_ratio,
    ),
    Family(
        "Categorical",
        kinds={f"logit_{k}": "logarithm" for k in range(6)},
        sets=(
            (0.0, 1.0, -2.0, 0.5, -0.5, 0.3),
            (-680.0, -20.0, 0.0, 1.0, -45.0, -110.0),
            (3.0, -9.0, -24.0, 2.0, -11.0, -46.0),
            (-500.0, 1.0, 0.4, 2.0, -300.0, -600.0),
        ),
        support=(0.0, 5.0),
        discrete=True,
        keywords=lambda **logits: {"logit_p": pt.stack(list(logits.values()), axis=-1)},
        log_density=categorical_log_mass,
    ),
    Family(
        "Bernoulli",
        kinds={"p": "shape"},
        sets=tuple((p,) for p in (1e-280, 1e-50, 1e-20, 1e-10, 1e-5, 0.1, 0.5, 0.8, 1 - 1e-10)),
        support=(0.0, 1.0),
        discrete=True,
        log_density=lambda k, p: mp.log(p if k else 1 - p),
    ),
)
