"""Families on a half line, by their distribution functions."""

from mpmath import mp

from tests.accuracy.families.family import Family
from tests.accuracy.families.location_scale import normal_cdf, normal_log_density


def weibull_log_density(x, alpha, beta):
    ratio = x / beta
    return mp.log(alpha / beta) + (alpha - 1) * mp.log(ratio) - ratio**alpha


def wald_log_density(x, mu, lam, alpha):
    y = x - alpha
    return (mp.log(lam / (2 * mp.pi)) - 3 * mp.log(y) - lam / y * ((y - mu) / mu) ** 2) / 2


def wald_parts(x, mu, lam, alpha):
    """The argument of the first normal tail, and the second tail times its exponential."""
    y = x - alpha
    root = mp.sqrt(lam / y)
    return root * (y / mu - 1), mp.exp(2 * lam / mu) * normal_cdf(-root * (y / mu + 1))


def wald_cdf(x, mu, lam, alpha):
    z, second = wald_parts(x, mu, lam, alpha)
    return normal_cdf(z) + second


def wald_sf(x, mu, lam, alpha):
    z, second = wald_parts(x, mu, lam, alpha)
    return normal_cdf(-z) - second


def rice_log_density(x, nu, sigma):
    square = sigma**2
    return (
        mp.log(x / square)
        - (x * x + nu * nu) / (2 * square)
        + mp.log(mp.besseli(0, x * nu / square))
    )


def poisson_pair(a, b, lag):
    """P(I + lag <= J) for independent Poisson J of mean a and I of mean b: positive terms only."""
    j, p, q = 0, mp.exp(-a), mp.exp(-b)
    below = mp.mpf(0) if lag else q
    total = p * below
    negligible = mp.mpf(10) ** -(mp.dps + 3)
    # each ratio p_j/p_(j-1) is below 1/2 from here on, and `below` at most 1
    while j < 2 * a + 2 or p > negligible * total:
        j += 1
        p *= a / j
        if lag:
            below += q
            q *= b / j
        else:
            q *= b / j
            below += q
        total += p * below
    return total


# Deviations beyond which there is less than 1e-300: the sums are long, and a bound says so too.
RICE_REACH = 60


def rice_sf(x, nu, sigma):
    z = (x - nu) / sigma
    if z > RICE_REACH:
        return mp.exp(-z * z / 2)
    return poisson_pair((nu / sigma) ** 2 / 2, (x / sigma) ** 2 / 2, 0)


def rice_cdf(x, nu, sigma):
    if (x - nu) / sigma > RICE_REACH:
        return 1 - rice_sf(x, nu, sigma)
    return poisson_pair((x / sigma) ** 2 / 2, (nu / sigma) ** 2 / 2, 1)


FAMILIES = (
    Family(
        "Exponential",
        kinds={"lam": "scale"},
        sets=((1.0,), (0.04,), (37.0,)),
        support=(0.0, mp.inf),
        log_density=lambda x, lam: mp.log(lam) - lam * x,
        cdf=lambda x, lam: -mp.expm1(-lam * x),
        sf=lambda x, lam: mp.exp(-lam * x),
    ),
    Family(
        "HalfNormal",
        kinds={"sigma": "scale"},
        sets=((1.0,), (0.03,), (42.0,)),
        support=(0.0, mp.inf),
        log_density=lambda x, sigma: normal_log_density(x, 0, sigma) + mp.ln2,
        cdf=lambda x, sigma: mp.erf(x / sigma / mp.sqrt(2)),
        sf=lambda x, sigma: mp.erfc(x / sigma / mp.sqrt(2)),
    ),
    Family(
        "HalfCauchy",
        kinds={"beta": "scale"},
        sets=((1.0,), (0.03,), (42.0,)),
        support=(0.0, mp.inf),
        log_density=lambda x, beta: mp.log(2 / mp.pi / beta) - mp.log1p((x / beta) ** 2),
        cdf=lambda x, beta: 2 / mp.pi * mp.atan(x / beta),
        sf=lambda x, beta: 2 / mp.pi * mp.atan(beta / x),
    ),
    Family(
        "LogNormal",
        kinds={"mu": "logarithm", "sigma": "scale"},
        sets=((0.0, 1.0), (-2.3, 0.2), (1.5, 4.0)),
        support=(0.0, mp.inf),
        log_density=lambda x, mu, sigma: normal_log_density(mp.log(x), mu, sigma) - mp.log(x),
        cdf=lambda x, mu, sigma: normal_cdf((mp.log(x) - mu) / sigma),
        sf=lambda x, mu, sigma: normal_cdf((mu - mp.log(x)) / sigma),
    ),
    Family(
        "Weibull",
        kinds={"alpha": "shape", "beta": "scale"},
        sets=((0.4, 2.0), (1.0, 0.3), (9.0, 14.0)),
        support=(0.0, mp.inf),
        log_density=weibull_log_density,
        cdf=lambda x, alpha, beta: -mp.expm1(-((x / beta) ** alpha)),
        sf=lambda x, alpha, beta: mp.exp(-((x / beta) ** alpha)),
    ),
    Family(
        "Pareto",
        kinds={"alpha": "shape", "m": "scale"},
        sets=((0.6, 1.0), (1.0, 0.02), (25.0, 7.0)),
        support=lambda alpha, m: (m, mp.inf),
        log_density=lambda x, alpha, m: mp.log(alpha / x) + alpha * mp.log(m / x),
        cdf=lambda x, alpha, m: -mp.expm1(alpha * mp.log(m / x)),
        sf=lambda x, alpha, m: (m / x) ** alpha,
    ),
    Family(
        "Wald",
        kinds={"mu": "scale", "lam": "scale", "alpha": "location"},
        sets=((1.0, 1.0, 0.0), (2.0, 0.3, 0.0), (3.0, 40.0, 0.5)),
        support=lambda mu, lam, alpha: (alpha, mp.inf),
        log_density=wald_log_density,
        cdf=wald_cdf,
        sf=wald_sf,
    ),
    Family(
        "Rice",
        kinds={"nu": "shape", "sigma": "scale"},
        sets=((0.3, 1.0), (2.0, 0.7), (15.0, 2.0)),
        support=(0.0, mp.inf),
        log_density=rice_log_density,
        cdf=rice_cdf,
        sf=rice_sf,
    ),
)
