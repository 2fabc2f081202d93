"""Elementary functions, each in one evaluation, that neither overflow nor cancel."""

import math

from pymc_safetrunc.kernels.jitable import kernel

# exp of more is infinite
LOG_LARGEST = math.log(1.7976931348623157e308)
# from here on 1 + z^2 is z^2, which may overflow
SQUARE_IS_ALL = 1e100
# where exp(-x) and 1 - exp(-x) are equal
LOG_2 = math.log(2.0)


@kernel
def exp_minus(x, one):
    """exp(x) - one for a one of 0 or 1, relative to itself; inf where it overflows.

    Its derivative in x is itself plus one: relative to itself for x >= 0, where it is used.
    """
    if x > LOG_LARGEST:
        return math.inf
    return math.exp(x) if one == 0.0 else math.expm1(x)


@kernel
def log_plus(x, one):
    """log(x + one) for a one of 0 or 1: the inverse of `exp_minus`, relative to itself.

    log(1 + x) is log(y) x/(y - 1) with y the rounded 1 + x, as in the HP-15C (W. Kahan): within
    three roundings, and faster than log1p.
    """
    y = x + one
    if one == 0.0:
        return math.log(x) if x > 0.0 else (-math.inf if x == 0.0 else math.nan)
    if y == 1.0 or y == math.inf:
        return x
    if y > 0.0:
        return math.log(y) * (x / (y - 1.0))
    return -math.inf if y == 0.0 else math.nan


@kernel
def log1mexp(x):
    """log(1 - exp(-x)) for x >= 0 (M. Maechler, 2012, "Accurately computing log(1 - exp(-|a|))").

    Its derivative is 1/(exp(x) - 1).
    """
    if x > LOG_2:
        return math.log1p(-math.exp(-x))
    if x > 0.0:
        return math.log(-math.expm1(-x))
    return -math.inf if x == 0.0 else math.nan


@kernel
def log1p_square(z):
    """log(1 + z^2)."""
    if abs(z) > SQUARE_IS_ALL:
        return 2.0 * math.log(abs(z))
    return log_plus(z * z, 1.0)


@kernel
def log1p_square_slope(z):
    """Its derivative 2 z/(1 + z^2), of which the derivative is 2/(1 + z^2) less its square."""
    if abs(z) > SQUARE_IS_ALL:
        return 2.0 / z
    return 2.0 * z / (1.0 + z * z)
