"""Families whose logarithm falls in straight lines: Exponential."""

import pytensor.tensor as pt
from pytensor.tensor.random.basic import ExponentialRV

from pymc_safetrunc.distributions.families import dispatch
from pymc_safetrunc.distributions.families.safe import log1mexp, scaled_distance


@dispatch.support.register(ExponentialRV)
def _(op, scale):
    return 0.0, float("inf")


@dispatch.legal.register(ExponentialRV)
def _(op, scale):
    return (scale > 0,), "scale > 0"


@dispatch.log_interval_mass.register(ExponentialRV)
def _(op, lower, upper, scale):
    return -lower / scale + log1mexp(scaled_distance(upper - lower, scale))


@dispatch.truncated_logp.register(ExponentialRV)
def _(op, value, lower, upper, scale):
    width = scaled_distance(upper - lower, scale)
    return -(value - lower) / scale - pt.log(scale) - log1mexp(width)


@dispatch.truncated_quantile.register(ExponentialRV)
def _(op, q, lower, upper, scale):
    width = scaled_distance(upper - lower, scale)
    return lower - scale * pt.log1p(q * pt.expm1(-width))


@dispatch.truncated_mean.register(ExponentialRV)
def _(op, lower, upper, scale):
    width = scaled_distance(upper - lower, scale)
    # 1 - w/(e^w - 1), whose two terms cancel in a narrow interval
    narrow = width < 0.1
    w = pt.switch(narrow, width, 0)
    series = w / 2 - w**2 / 12 + w**4 / 720 - w**6 / 30240 + w**8 / 1209600
    wide = pt.switch(narrow, 1, width)
    return lower + scale * pt.switch(narrow, series, 1 - wide / pt.expm1(wide))
