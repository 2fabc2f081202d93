"""Families that take the general form with a log-density of their own.

PyMC's is right in the body. Here no square overflows, no logarithm is taken of something that has
underflown, and nothing cancels in a tail. A parameter of a support or a centre is in the order of
PyTensor's Op.
"""

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.continuous import (
    ExGaussianRV,
    HalfStudentTRV,
    RiceRV,
    SkewNormalRV,
    SkewStudentTRV,
    WaldRV,
)
from pymc.distributions.dist_math import i0e
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.random.basic import (
    BetaRV,
    GammaRV,
    InvGammaRV,
    StudentTRV,
    VonMisesRV,
)

from pymc_safetrunc.distributions.families import dispatch, general
from pymc_safetrunc.distributions.families.count_density import stirling_error
from pymc_safetrunc.distributions.families.safe import (
    distance,
    is_data,
    is_shared,
    limit_at_zero,
    log1p_square,
    log_ratio,
)
from pymc_safetrunc.ops import counts as count_ops

relative_gamma: Any = Elemwise(count_ops.relative_gamma)

LOG_2PI = np.log(2 * np.pi)
# the normal CDF is 1 to within 3e-5 there
BECOMES_ONE = np.float64(4.0)


def register(op_class, edges, words, *conditions):
    """Make a family with these edges and legal parameters take the general form.

    Conditions are functions of the parameters, one for each part of the words; edges are numbers
    or functions of the parameters.
    """

    @dispatch.support.register(op_class)
    def _(op, *params):
        return tuple(edge(*params) if callable(edge) else edge for edge in edges)

    @dispatch.legal.register(op_class)
    def _(op, *params):
        return tuple(condition(*params) for condition in conditions), words

    # numerator and denominator of the same formula: what they have in common cancels to the bit
    dispatch.truncated_logp.register(op_class)(general.general_truncated_logp)


def positive(place):
    """Condition: the parameter in this place is positive."""
    return lambda *params: params[place] > 0


REAL = (-np.inf, np.inf)
POSITIVE = (0.0, np.inf)

register(
    GammaRV,
    POSITIVE,
    "alpha > 0, beta > 0",
    positive(0),
    # of the parameter that the words and the user name
    lambda alpha, scale: 1 / scale > 0,
)
register(InvGammaRV, POSITIVE, "alpha > 0, beta > 0", positive(0), positive(1))
register(BetaRV, (0.0, 1.0), "alpha > 0, beta > 0", positive(0), positive(1))
register(StudentTRV, REAL, "nu > 0, sigma > 0", positive(0), positive(2))
register(HalfStudentTRV, POSITIVE, "nu > 0, sigma > 0", positive(0), positive(1))
register(SkewStudentTRV, REAL, "a > 0, b > 0, sigma > 0", positive(0), positive(1), positive(3))
register(ExGaussianRV, REAL, "sigma > 0, nu > 0", positive(1), positive(2))
register(
    WaldRV,
    (lambda mu, lam, alpha: alpha, np.inf),
    "mu > 0, lam > 0, alpha >= 0",
    positive(0),
    positive(1),
    lambda mu, lam, alpha: alpha >= 0,
)
register(SkewNormalRV, REAL, "sigma > 0", positive(1))
register(RiceRV, POSITIVE, "sigma > 0, b >= 0", positive(1), lambda b, sigma: b >= 0)
register(VonMisesRV, (-np.pi, np.pi), "kappa > 0", positive(1))


@dispatch.is_open.register(InvGammaRV)
@dispatch.is_open.register(WaldRV)
def _(op):
    return True


def log_gamma(alpha, z):
    """log(alpha/z), and log-density of Gamma(alpha) at z, of what is small where that is large.

    As in `count_density`: a difference of log-gammas and powers loses what they have in common.
    There is one logarithm for each z, which is the derivative in alpha as well.
    """
    log_inverse = pt.log(alpha) - pt.log(z)
    at_alpha = -(pt.log(alpha) + LOG_2PI) / 2 - stirling_error(alpha)
    return log_inverse, at_alpha + relative_gamma(alpha, z, log_inverse)


def origin_of(x, *params):
    """A constant inside the support to measure constant data of one law from; None without one.

    Two terms that cancel are of the size of a root of the shape then, and not of the shape.
    """
    if not (is_data(x) and is_shared(*params) and np.all(x.data > 0) and np.isfinite(x.data).all()):
        return None
    return pt.constant(np.exp(np.log(x.data).mean()))


@general.log_density.register(GammaRV)
def _(op, x, upper, to_upper, alpha, scale):
    _, logp = log_gamma(alpha, x / scale)
    return logp - pt.log(scale)


@general.log_density_at_value.register(GammaRV)
def _(op, x, upper, to_upper, alpha, scale):
    if (origin := origin_of(x, alpha, scale)) is not None:
        # in data as many as their logs and distances, which are constants, and nothing else
        there = general.log_density(op, origin, upper, to_upper, alpha, scale)
        return there + (alpha - 1) * log_ratio(x, origin) - (x - origin) / scale
    positive = x > 0
    inside = general.log_density(op, pt.switch(positive, x, 1), upper, to_upper, alpha, scale)
    return pt.switch(positive, inside, limit_at_zero(alpha, -x / scale - pt.log(scale)))


@general.centre.register(GammaRV)
def _(op, alpha, scale):
    return alpha * scale


@general.given.register(GammaRV)
def _(op, alpha, scale):
    return {"alpha": alpha, "beta": 1 / scale}


@general.log_density.register(InvGammaRV)
def _(op, x, upper, to_upper, alpha, beta):
    log_inverse, logp = log_gamma(alpha, beta / x)
    return logp + 2 * (pt.log(alpha) - log_inverse) - pt.log(beta)


@general.log_density_at_value.register(InvGammaRV)
def _(op, x, upper, to_upper, alpha, beta):
    if (origin := origin_of(x, alpha, beta)) is None:
        return general.log_density(op, x, upper, to_upper, alpha, beta)
    there = general.log_density(op, origin, upper, to_upper, alpha, beta)
    return there - (alpha + 1) * log_ratio(x, origin) - beta * ((origin - x) / x / origin)


@general.centre.register(InvGammaRV)
def _(op, alpha, beta):
    return beta / (alpha + 1)


def distance_from_one(upper, to_upper):
    """1 - x, opaque: log((1 - upper) + to_upper) would be rewritten to log1p(to_upper - upper)."""
    return distance(to_upper, upper - 1, np.float64(1))


@general.log_density.register(BetaRV)
def _(op, x, upper, to_upper, alpha, beta):
    """The same of two shapes, whose shares of their total are x and 1 - x."""
    total = alpha + beta
    below, above = total * x, total * distance_from_one(upper, to_upper)
    log_alpha, log_beta, log_total = pt.log(alpha), pt.log(beta), pt.log(total)
    relative = relative_gamma(alpha, below, log_alpha - pt.log(below))
    relative += relative_gamma(beta, above, log_beta - pt.log(above))
    leftover = stirling_error(total) - stirling_error(alpha) - stirling_error(beta)
    return relative + leftover + (3 * log_total - log_alpha - log_beta - LOG_2PI) / 2


@general.log_density_at_value.register(BetaRV)
def _(op, x, upper, to_upper, alpha, beta):
    if (origin := origin_of(x, alpha, beta)) is not None and np.all(x.data < 1):
        there = general.log_density(op, origin, upper, upper - origin, alpha, beta)
        # near the origin not by 1 - x, which has been rounded
        far = 1 - x < (1 - origin) / 2
        near = pt.log1p(pt.switch(far, 0, origin - x) / (1 - origin))
        rest = pt.switch(far, pt.log(1 - x) - pt.log(1 - origin), near)
        return there + (alpha - 1) * log_ratio(x, origin) + (beta - 1) * rest
    from_one = distance_from_one(upper, to_upper)
    positive, below_one = x > 0, from_one > 0
    between = pt.and_(positive, below_one)
    known = pt.switch(between, x, 0.5), upper, pt.switch(between, to_upper, upper - 0.5)
    inside = general.log_density(op, *known, alpha, beta)
    rest = (beta - 1) * pt.log(pt.switch(below_one, from_one, 1))
    at_zero = limit_at_zero(alpha, pt.log(beta) + rest)
    at_one = limit_at_zero(beta, pt.log(alpha) + (alpha - 1) * pt.log(pt.switch(positive, x, 1)))
    return pt.switch(between, inside, pt.switch(positive, at_one, at_zero))


@general.centre.register(BetaRV)
def _(op, alpha, beta):
    return alpha / (alpha + beta)


def log_student_t(z, nu, sigma):
    """Log-density of Student's t, z scaled by sigma."""
    leftover = stirling_error((nu + 1) / 2) - stirling_error(nu / 2)
    log_norm = leftover + (nu * pt.log1p(1 / nu) - 1 - LOG_2PI) / 2
    return log_norm - pt.log(sigma) - (nu + 1) / 2 * log1p_square(z / pt.sqrt(nu))


@general.log_density.register(StudentTRV)
def _(op, x, upper, to_upper, nu, mu, sigma):
    return log_student_t((x - mu) / sigma, nu, sigma)


@general.centre.register(StudentTRV)
def _(op, nu, mu, sigma):
    return mu


@general.log_density.register(HalfStudentTRV)
def _(op, x, upper, to_upper, nu, sigma):
    return np.log(2) + log_student_t(x / sigma, nu, sigma)


@general.centre.register(HalfStudentTRV)
def _(op, nu, sigma):
    return sigma


@general.log_density.register(SkewStudentTRV)
def _(op, x, upper, to_upper, a, b, mu, sigma):
    """log(1 +- z/r), r^2 = a + b + z^2, where one of the two would cancel: they are reciprocals.

    That is, (1 + z/r) (1 - z/r) = (a + b)/r^2.
    """
    z = (x - mu) / sigma
    below = z < 0
    size = pt.switch(below, -z, z)
    unit = pt.maximum(size, 1)
    r = unit * pt.sqrt((size / unit) ** 2 + (a + b) / unit / unit)
    larger = pt.log(r + size) - pt.log(r)
    smaller = pt.log(a + b) - pt.log(r) - pt.log(r + size)
    plus, minus = pt.switch(below, smaller, larger), pt.switch(below, larger, smaller)
    log_beta = pt.gammaln(a) + pt.gammaln(b) - pt.gammaln(a + b)
    log_norm = (a + b - 1) * np.log(2) + log_beta + pt.log(a + b) / 2 + pt.log(sigma)
    return (a + 0.5) * plus + (b + 0.5) * minus - log_norm


@general.centre.register(SkewStudentTRV)
def _(op, a, b, mu, sigma):
    return mu + sigma * (a - b) * pt.sqrt((a + b) / (2 * a + 1) / (2 * b + 1))


def log_ndtr_parts(t):
    """Log of the normal CDF plus t^2/2 where t < 0, and log of it where t >= 0; elsewhere 0.

    `pymc_safetrunc.math.log_ndtr` has more digits in its derivatives, and is six times compiled.
    """
    left = t < 0
    lower = pt.log(pt.erfcx(pt.switch(left, -t, 0) / np.sqrt(2)) / 2)
    upper = pt.log1p(-pt.erfc(pt.switch(left, 0, t) / np.sqrt(2)) / 2)
    return pt.switch(left, lower, 0), pt.switch(left, 0, upper)


@general.log_density.register(ExGaussianRV)
def _(op, x, upper, to_upper, mu, sigma, nu):
    """Exponential decay times a normal CDF; left of where that has its bend, one of the two forms.

    There exp(sigma^2/(2 nu^2) - (x - mu)/nu) Phi(t) is exp(-z^2/2) times erfcx. PyMC takes a
    normal density where nu < sigma/20; this is the law itself.
    """
    z = (x - mu) / sigma
    t = z - sigma / nu
    scaled, log_cdf = log_ndtr_parts(t)
    decay = (sigma / nu) ** 2 / 2 - (x - mu) / nu
    return pt.switch(t < 0, scaled - z**2 / 2, log_cdf + decay) - pt.log(nu)


@general.centre.register(ExGaussianRV)
def _(op, mu, sigma, nu):
    """By the side that is steep where one of sigma and nu is much the smaller."""
    return mu + pt.minimum(nu, 2 * sigma)


@general.log_density.register(WaldRV)
def _(op, x, upper, to_upper, mu, lam, alpha):
    y = x - alpha
    exponent = lam / 2 * ((y - mu) / mu) * ((1 - mu / y) / mu)
    return (pt.log(lam) - LOG_2PI - 3 * pt.log(y)) / 2 - exponent


@general.centre.register(WaldRV)
def _(op, mu, lam, alpha):
    skewness = 1.5 * mu / lam
    return alpha + mu / (skewness + pt.sqrt(1 + skewness**2))


@general.log_density.register(SkewNormalRV)
def _(op, x, upper, to_upper, mu, sigma, alpha):
    z = (x - mu) / sigma
    t = alpha * z
    scaled, log_cdf = log_ndtr_parts(t)
    log_cdf = pt.switch(t < 0, scaled - t**2 / 2, log_cdf)
    return np.log(2) - LOG_2PI / 2 - pt.log(sigma) - z**2 / 2 + log_cdf


@general.centre.register(SkewNormalRV)
def _(op, mu, sigma, alpha):
    """Where the normal CDF has become 1: no side then has both scales, sigma and sigma/alpha."""
    return mu + sigma * pt.sign(alpha) * pt.minimum(BECOMES_ONE / abs(alpha), 1)


@general.log_density.register(RiceRV)
def _(op, x, upper, to_upper, b, sigma):
    z = x / sigma
    return pt.log(z) - (z - b) ** 2 / 2 + pt.log(i0e(z * b)) - pt.log(sigma)


@general.centre.register(RiceRV)
def _(op, b, sigma):
    return sigma * pt.maximum(b, 1)


@general.log_density.register(VonMisesRV)
def _(op, x, upper, to_upper, mu, kappa):
    return -2 * kappa * pt.sin((x - mu) / 2) ** 2 - LOG_2PI - pt.log(i0e(kappa))


@general.centre.register(VonMisesRV)
def _(op, mu, kappa):
    return mu
