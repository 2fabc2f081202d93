"""Families of the incomplete gamma and beta functions."""

from mpmath import mp, mpf

from tests.accuracy.families.family import Family


def lower_gamma(a, x):
    return mp.gammainc(a, 0, x, regularized=True)


def upper_gamma(a, x):
    return mp.gammainc(a, x, mp.inf, regularized=True)


def beta_below(a, b, x):
    """I_x(a, b) with its digits for small x."""
    return mp.betainc(a, b, 0, x, regularized=True)


def gamma_log_density(x, alpha, beta):
    return alpha * mp.log(beta) + (alpha - 1) * mp.log(x) - beta * x - mp.loggamma(alpha)


def inverse_gamma_log_density(x, alpha, beta):
    return alpha * mp.log(beta) - (alpha + 1) * mp.log(x) - beta / x - mp.loggamma(alpha)


def log_beta(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def beta_log_density(x, alpha, beta):
    return (alpha - 1) * mp.log(x) + (beta - 1) * mp.log(1 - x) - log_beta(alpha, beta)


def student_log_density(x, nu, mu, sigma):
    z = (x - mu) / sigma
    return (
        mp.loggamma((nu + 1) / 2)
        - mp.loggamma(nu / 2)
        - mp.log(nu * mp.pi) / 2
        - mp.log(sigma)
        - (nu + 1) / 2 * mp.log1p(z * z / nu)
    )


def student_middle(z, nu):
    """P(|T| < z) with its digits for small z."""
    return beta_below(mpf(1) / 2, nu / 2, z * z / (nu + z * z))


def student_tails(z, nu):
    """P(|T| > z) with its digits for large z."""
    if z * z > nu:
        return beta_below(nu / 2, mpf(1) / 2, nu / (nu + z * z))
    return 1 - student_middle(z, nu)


def student_sf(x, nu, mu, sigma):
    z = (x - mu) / sigma
    return student_tails(z, nu) / 2 if z >= 0 else 1 - student_tails(-z, nu) / 2


def skew_shares(x, a, b, mu, sigma):
    """(1 + z/sqrt(a + b + z^2))/2 and one less that, each with its digits where it is small."""
    z = (x - mu) / sigma
    root = mp.sqrt(a + b + z * z)
    large = (1 + abs(z) / root) / 2
    small = (a + b) / (2 * root * (root + abs(z)))
    return (large, small) if z >= 0 else (small, large)


def skew_student_log_density(x, a, b, mu, sigma):
    left, right = skew_shares(x, a, b, mu, sigma)
    return (
        (a + mpf(1) / 2) * mp.log(2 * left)
        + (b + mpf(1) / 2) * mp.log(2 * right)
        - (a + b - 1) * mp.ln2
        - log_beta(a, b)
        - mp.log(a + b) / 2
        - mp.log(sigma)
    )


FAMILIES = (
    Family(
        "Gamma",
        kinds={"alpha": "shape", "beta": "scale"},
        sets=((0.3, 2.0), (1.0, 0.7), (2.4, 1.0), (45.0, 3.0)),
        support=(0.0, mp.inf),
        log_density=gamma_log_density,
        cdf=lambda x, alpha, beta: lower_gamma(alpha, beta * x),
        sf=lambda x, alpha, beta: upper_gamma(alpha, beta * x),
    ),
    Family(
        "ChiSquared",
        kinds={"nu": "shape"},
        sets=((0.7,), (2.0,), (3.5,), (80.0,)),
        support=(0.0, mp.inf),
        log_density=lambda x, nu: gamma_log_density(x, nu / 2, mpf(1) / 2),
        cdf=lambda x, nu: lower_gamma(nu / 2, x / 2),
        sf=lambda x, nu: upper_gamma(nu / 2, x / 2),
    ),
    Family(
        "InverseGamma",
        kinds={"alpha": "shape", "beta": "scale"},
        sets=((0.5, 2.0), (1.0, 0.7), (2.4, 1.0), (45.0, 3.0)),
        support=(0.0, mp.inf),
        log_density=inverse_gamma_log_density,
        cdf=lambda x, alpha, beta: upper_gamma(alpha, beta / x),
        sf=lambda x, alpha, beta: lower_gamma(alpha, beta / x),
    ),
    Family(
        "Beta",
        kinds={"alpha": "shape", "beta": "shape"},
        sets=((0.4, 0.3), (1.0, 2.5), (2.0, 50.0), (40.0, 20.0)),
        support=(0.0, 1.0),
        log_density=beta_log_density,
        cdf=lambda x, alpha, beta: beta_below(alpha, beta, x),
        sf=lambda x, alpha, beta: beta_below(beta, alpha, 1 - x),
    ),
    Family(
        "StudentT",
        kinds={"nu": "shape", "mu": "location", "sigma": "scale"},
        sets=((0.7, 0.3, 1.0), (1.0, -2.0, 0.4), (4.5, 0.0, 3.0), (60.0, 1.5, 1.2)),
        log_density=student_log_density,
        cdf=lambda x, nu, mu, sigma: student_sf(-x, nu, -mu, sigma),
        sf=student_sf,
    ),
    Family(
        "HalfStudentT",
        kinds={"nu": "shape", "sigma": "scale"},
        sets=((0.7, 1.0), (1.0, 0.4), (4.5, 3.0), (60.0, 1.2)),
        support=(0.0, mp.inf),
        log_density=lambda x, nu, sigma: student_log_density(x, nu, 0, sigma) + mp.ln2,
        cdf=lambda x, nu, sigma: student_middle(x / sigma, nu),
        sf=lambda x, nu, sigma: student_tails(x / sigma, nu),
    ),
    Family(
        "SkewStudentT",
        kinds={"a": "shape", "b": "shape", "mu": "location", "sigma": "scale"},
        sets=((0.6, 0.4, 0.3, 1.0), (1.0, 2.5, -2.0, 0.4), (12.0, 5.0, 1.5, 3.0)),
        log_density=skew_student_log_density,
        cdf=lambda x, a, b, *rest: beta_below(a, b, skew_shares(x, a, b, *rest)[0]),
        sf=lambda x, a, b, *rest: beta_below(b, a, skew_shares(x, a, b, *rest)[1]),
    ),
)
