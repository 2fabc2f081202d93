"""Families of a location and a scale, by their distribution functions."""

from mpmath import mp, mpf

from tests.accuracy.families.family import Family


def standardised(function):
    return lambda x, mu, sigma: function((x - mu) / sigma)


def logistic(z):
    return 1 / (1 + mp.exp(-z))


def logistic_log_density(x, mu, s):
    z = (x - mu) / s
    return -z - mp.log(s) - 2 * mp.log1p(mp.exp(-z))


def normal_log_density(x, mu, sigma):
    return -(((x - mu) / sigma) ** 2) / 2 - mp.log(sigma) - mp.log(2 * mp.pi) / 2


def normal_cdf(z):
    return mp.erfc(-z / mp.sqrt(2)) / 2


def cauchy_sf(z):
    return mp.atan(1 / z) / mp.pi if z > 0 else mpf(1) / 2 - mp.atan(z) / mp.pi


def laplace_sf(z):
    return mp.exp(-z) / 2 if z > 0 else 1 - mp.exp(z) / 2


def asymmetric_laplace_log_density(x, kappa, mu, b):
    slope = b * kappa if x >= mu else b / kappa
    return mp.log(b / (kappa + 1 / kappa)) - slope * abs(x - mu)


def asymmetric_laplace_sf(x, kappa, mu, b):
    if x >= mu:
        return mp.exp(-b * kappa * (x - mu)) / (1 + kappa**2)
    return 1 - kappa**2 / (1 + kappa**2) * mp.exp(b / kappa * (x - mu))


def gumbel_log_density(x, mu, beta):
    z = (x - mu) / beta
    return -z - mp.exp(-z) - mp.log(beta)


def moyal_log_density(x, mu, sigma):
    z = (x - mu) / sigma
    return -(z + mp.exp(-z)) / 2 - mp.log(sigma) - mp.log(2 * mp.pi) / 2


def exgaussian_parts(x, mu, sigma, nu):
    """The two terms of the distribution function; the second is nu times the density."""
    z = (x - mu) / sigma
    return z, mp.exp((mu - x) / nu + (sigma / nu) ** 2 / 2) * normal_cdf(z - sigma / nu)


def exgaussian_cdf(x, mu, sigma, nu):
    z, exponential = exgaussian_parts(x, mu, sigma, nu)
    return normal_cdf(z) - exponential


def exgaussian_sf(x, mu, sigma, nu):
    z, exponential = exgaussian_parts(x, mu, sigma, nu)
    return normal_cdf(-z) + exponential


FAMILIES = (
    Family(
        "Normal",
        kinds={"mu": "location", "sigma": "scale"},
        sets=((0.0, 1.0), (-1.7, 0.3), (3.1, 12.0)),
        log_density=normal_log_density,
        cdf=standardised(normal_cdf),
        sf=standardised(lambda z: normal_cdf(-z)),
    ),
    Family(
        "Logistic",
        kinds={"mu": "location", "s": "scale"},
        sets=((0.0, 1.0), (-1.7, 0.3), (3.1, 12.0)),
        log_density=logistic_log_density,
        cdf=standardised(logistic),
        sf=standardised(lambda z: logistic(-z)),
    ),
    Family(
        "Cauchy",
        kinds={"alpha": "location", "beta": "scale"},
        sets=((0.0, 1.0), (-1.7, 0.3), (3.1, 12.0)),
        log_density=lambda x, mu, s: -mp.log(mp.pi * s) - mp.log1p(((x - mu) / s) ** 2),
        cdf=standardised(lambda z: cauchy_sf(-z)),
        sf=standardised(cauchy_sf),
    ),
    Family(
        "Laplace",
        kinds={"mu": "location", "b": "scale"},
        sets=((0.0, 1.0), (-1.7, 0.3), (3.1, 12.0)),
        log_density=lambda x, mu, b: -mp.log(2 * b) - abs(x - mu) / b,
        cdf=standardised(lambda z: laplace_sf(-z)),
        sf=standardised(laplace_sf),
        corners=lambda mu, b: (mu,),
    ),
    Family(
        "AsymmetricLaplace",
        kinds={"kappa": "shape", "mu": "location", "b": "scale"},
        sets=((1.0, 0.0, 1.0), (0.2, -1.7, 3.0), (6.0, 3.1, 0.1)),
        log_density=asymmetric_laplace_log_density,
        cdf=lambda x, kappa, mu, b: asymmetric_laplace_sf(-x, 1 / kappa, -mu, b),
        sf=asymmetric_laplace_sf,
        corners=lambda kappa, mu, b: (mu,),
    ),
    Family(
        "Gumbel",
        kinds={"mu": "location", "beta": "scale"},
        sets=((0.0, 1.0), (-1.7, 0.3), (3.1, 12.0)),
        log_density=gumbel_log_density,
        cdf=standardised(lambda z: mp.exp(-mp.exp(-z))),
        sf=standardised(lambda z: -mp.expm1(-mp.exp(-z))),
    ),
    Family(
        "Moyal",
        kinds={"mu": "location", "sigma": "scale"},
        sets=((0.0, 1.0), (-1.7, 0.3), (3.1, 12.0)),
        log_density=moyal_log_density,
        cdf=standardised(lambda z: mp.erfc(mp.exp(-z / 2) / mp.sqrt(2))),
        sf=standardised(lambda z: mp.erf(mp.exp(-z / 2) / mp.sqrt(2))),
    ),
    Family(
        "ExGaussian",
        kinds={"mu": "location", "sigma": "scale", "nu": "scale"},
        # PyMC takes the normal law where nu is below 0.05 sigma
        sets=((0.0, 1.0, 1.0), (-1.7, 2.0, 0.3), (3.1, 0.4, 5.0)),
        log_density=lambda x, mu, sigma, nu: mp.log(exgaussian_parts(x, mu, sigma, nu)[1] / nu),
        cdf=exgaussian_cdf,
        sf=exgaussian_sf,
    ),
)
