"""Families of the incomplete gamma and beta functions."""

from mpmath import mp

from tests.accuracy.families.family import Family


def lower_gamma(a, x):
    return mp.gammainc(a, 0, x, regularized=True)


def upper_gamma(a, x):
    return mp.gammainc(a, x, mp.inf, regularized=True)


def beta_below(a, b, x):
    """I_x(a, b) with its digits for small x."""
    return mp.betainc(a, b, 0, x, regularized=True)


def student_tail(z, nu):
    """P(T > z), z >= 0; from the middle where z is small."""
    square = z * z
    if square > nu:
        return beta_below(nu / 2, mp.mpf(1) / 2, nu / (nu + square)) / 2
    return (1 - beta_below(mp.mpf(1) / 2, nu / 2, square / (nu + square))) / 2


def student_sf(x, nu, mu, sigma):
    z = (x - mu) / sigma
    return student_tail(z, nu) if z >= 0 else 1 - student_tail(-z, nu)


def student_log_density(x, nu, mu, sigma):
    z = (x - mu) / sigma
    return (
        mp.loggamma((nu + 1) / 2)
        - mp.loggamma(nu / 2)
        - mp.log(nu * mp.pi) / 2
        - mp.log(sigma)
        - (nu + 1) / 2 * mp.log1p(z * z / nu)
    )


FAMILIES = (
    Family(
        "Gamma",
        kinds={"alpha": "shape", "beta": "scale"},
        sets=((0.3, 2.0), (1.0, 0.7), (2.4, 1.0), (45.0, 3.0)),
        support=(0.0, mp.inf),
        log_density=lambda x, alpha, beta: (
            alpha * mp.log(beta) + (alpha - 1) * mp.log(x) - beta * x - mp.loggamma(alpha)
        ),
        cdf=lambda x, alpha, beta: lower_gamma(alpha, beta * x),
        sf=lambda x, alpha, beta: upper_gamma(alpha, beta * x),
    ),
    Family(
        "StudentT",
        kinds={"nu": "shape", "mu": "location", "sigma": "scale"},
        sets=((0.7, 0.3, 1.0), (1.0, -2.0, 0.4), (4.5, 0.0, 3.0), (60.0, 1.5, 1.2)),
        log_density=student_log_density,
        cdf=lambda x, nu, mu, sigma: student_sf(-x, nu, -mu, sigma),
        sf=student_sf,
    ),
)
