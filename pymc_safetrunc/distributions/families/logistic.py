"""Logistic: the two-sided exponential law with a round peak."""

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.random.basic import LogisticRV

from pymc_safetrunc.distributions.families import dispatch
from pymc_safetrunc.distributions.families.safe import (
    Z_LOWEST,
    log1mexp,
    log_plus,
    scaled_distance,
    standardized,
)


def _rounding(x, mu, s):
    """log(1 + exp(-|x - mu|/s)): how far the log-density is below the exponential law's."""
    return log_plus(pt.exp(-scaled_distance(abs(x - mu), s)), np.True_)


def _top(lower, upper, mu):
    """Where in the interval the density is largest."""
    return pt.switch(lower > mu, lower, pt.switch(upper < mu, upper, mu))


@dispatch.legal.register(LogisticRV)
def _(op, mu, s):
    return (s > 0,), "s > 0"


@dispatch.log_interval_mass.register(LogisticRV)
def _(op, lower, upper, mu, s):
    top_distance = abs(_top(lower, upper, mu) - mu) / s
    width = scaled_distance(upper - lower, s)
    bounds = _rounding(lower, mu, s) + _rounding(upper, mu, s)
    return log1mexp(width) - top_distance - bounds


@dispatch.truncated_logp.register(LogisticRV)
def _(op, value, lower, upper, mu, s):
    width = scaled_distance(upper - lower, s)
    bounds = _rounding(lower, mu, s) + _rounding(upper, mu, s)
    # not by abs: at a bound, too, the distance has the slope it has beside it
    side = pt.switch(lower > mu, 1, pt.switch(upper < mu, -1, pt.sign(value - mu)))
    distance = side * (value - _top(lower, upper, mu)) / s
    log_mass = pt.log(s) + log1mexp(width) - bounds
    return -distance - 2 * _rounding(value, mu, s) - log_mass


@dispatch.truncated_quantile.register(LogisticRV)
def _(op, q, lower, upper, mu, s):
    # F(x) - F(lower) = q mass, solved for exp((x - lower)/s), or without a bound for exp(z)
    width = scaled_distance(upper - lower, s)
    z_lower, z_upper = standardized(lower, mu, s), standardized(upper, mu, s)
    share = q * (-pt.expm1(-width) * pt.sigmoid(z_upper))
    bounded = z_lower > Z_LOWEST
    unit = pt.switch(bounded, 1 + pt.exp(-z_lower), 1)
    return pt.switch(bounded, lower, mu) + s * log_plus(unit * (share / (1 - share)), bounded)
