r"""Gumbel, and Weibull, which is a Gumbel law of -log x.

With G(z) = exp(-z) the CDF is exp(-G), and the mass of [a, b] is exp(-G(b)) (1 - exp(-D)) with
D = G(a) - G(b). In the right tail D is about G(a) and may underflow: everything is in log D.
"""

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.continuous import WeibullBetaRV
from pytensor.tensor.random.basic import GumbelRV

from pymc_safetrunc.distributions.families import dispatch
from pymc_safetrunc.distributions.families.safe import (
    Z_HIGHEST,
    Z_LOWEST,
    exp_minus,
    log1mexp,
    log1mexp_exp,
    log_plus,
    power_density,
    scaled_distance,
    scaled_log_ratio,
    standardized,
)

# e^-575 leaves room for the least share of it that a draw can ask for
_LEAST_LOG_D = np.float64(-575.0)
# G(b) is more than 8 below it: G(x) - G(b) would be wrong in its last digits
_LARGE_HAZARD = np.float64(-2.0)


def _log_mass_shape(z_lower, width):
    """The log of D, and log(1 - exp(-D)), which a right tail has as log D itself."""
    log_d = log1mexp(width) - z_lower
    return log_d, log1mexp_exp(log_d)


def _step(q, log_d):
    """How far G is above G(b) at q: -log(exp(-D) + q (1 - exp(-D))), relative to itself.

    Where D is so small that this is (1 - q) D, it is given in units: their log comes second.
    """
    log_held = pt.maximum(log_d, _LEAST_LOG_D)
    d = pt.exp(log_held)
    below = (1 - q) * -pt.expm1(-d)
    near = below < 0.5
    share = pt.switch(near, -below, q + (1 - q) * pt.exp(-d))
    return -log_plus(share, near), log_d - log_held


def _placed(step, log_unit, z_bound):
    """What to take from z, and whether from the bound's z or, where that is infinite, from 0."""
    bounded = z_bound < Z_HIGHEST
    growth = pt.exp(pt.switch(bounded, z_bound + log_unit, 0))
    fall = log_plus(step * growth, bounded)
    return pt.switch(bounded, fall, fall + log_unit), bounded


@dispatch.legal.register(GumbelRV)
def _(op, mu, beta):
    return (beta > 0,), "beta > 0"


@dispatch.log_interval_mass.register(GumbelRV)
def _(op, lower, upper, mu, beta):
    width = scaled_distance(upper - lower, beta)
    _, log_shape = _log_mass_shape(standardized(lower, mu, beta), width)
    return log_shape - pt.exp(-standardized(upper, mu, beta))


@dispatch.truncated_logp.register(GumbelRV)
def _(op, value, lower, upper, mu, beta):
    width = scaled_distance(upper - lower, beta)
    z_lower, z_upper = standardized(lower, mu, beta), standardized(upper, mu, beta)
    log_d, log_shape = _log_mass_shape(z_lower, width)
    # z and log D cancel where D is small, G(x) and G(b) where they are large: there a value is
    # measured from a bound, and elsewhere from mu
    is_small, is_large = log_d < 0, z_upper < _LARGE_HAZARD
    origin = pt.switch(is_large, upper, pt.switch(is_small, lower, mu))
    z_origin = pt.switch(is_large, z_upper, pt.switch(is_small, z_lower, 0))
    z_from_origin = pt.switch(is_large, pt.switch(is_small, width, z_upper), 0)
    log_norm = pt.switch(is_small, log1mexp(width) + log_shape - log_d, log_shape)
    above = (origin - value) / beta
    excess = pt.exp(-z_origin) * exp_minus(above, is_large)
    step = excess - pt.switch(is_large, 0, pt.exp(-z_upper))
    return above - step - (z_from_origin + log_norm + pt.log(beta))


@dispatch.truncated_quantile.register(GumbelRV)
def _(op, q, lower, upper, mu, beta):
    width = scaled_distance(upper - lower, beta)
    log_d = log1mexp(width) - standardized(lower, mu, beta)
    fall, bounded = _placed(*_step(q, log_d), standardized(upper, mu, beta))
    return pt.switch(bounded, upper, mu) - beta * fall


@dispatch.support.register(WeibullBetaRV)
def _(op, alpha, beta):
    return 0.0, np.inf


@dispatch.legal.register(WeibullBetaRV)
def _(op, alpha, beta):
    return (alpha > 0, beta > 0), "alpha > 0, beta > 0"


def _weibull_z(bound, alpha, beta):
    """The z of a bound, -alpha log(bound/beta), cut off as `standardized` does."""
    known = pt.and_(bound > 0, pt.isfinite(bound))
    ratio = pt.log(pt.switch(known, bound, beta) / beta)
    z = -alpha * ratio
    known = pt.and_(known, pt.and_(z >= Z_LOWEST, z <= Z_HIGHEST))
    return pt.switch(known, z, pt.switch(bound > beta, Z_LOWEST, Z_HIGHEST))


@dispatch.log_interval_mass.register(WeibullBetaRV)
def _(op, lower, upper, alpha, beta):
    width = scaled_log_ratio(upper, lower, alpha)
    _, log_shape = _log_mass_shape(_weibull_z(upper, alpha, beta), width)
    return log_shape - pt.exp(-_weibull_z(lower, alpha, beta))


@dispatch.truncated_logp.register(WeibullBetaRV)
def _(op, value, lower, upper, alpha, beta):
    width = scaled_log_ratio(upper, lower, alpha)
    z_lower, z_upper = _weibull_z(lower, alpha, beta), _weibull_z(upper, alpha, beta)
    _, log_shape = _log_mass_shape(z_upper, width)
    # as for Gumbel, a value is measured from the bound where the hazards are large
    is_large = z_lower < _LARGE_HAZARD
    positive = value > 0
    # the same logarithm as in the power
    log_relative = pt.log(pt.switch(positive, value, 1) / beta)
    above = pt.switch(is_large, scaled_log_ratio(value, lower, alpha), alpha * log_relative)
    hazard_lower = pt.exp(-z_lower)
    excess = pt.switch(is_large, hazard_lower, 1) * exp_minus(above, is_large)
    step = pt.switch(positive, excess, 0) - pt.switch(is_large, 0, hazard_lower)
    log_norm = log_shape + pt.log(beta) - pt.log(alpha)
    return power_density(alpha, value, beta) - step - log_norm


@dispatch.truncated_quantile.register(WeibullBetaRV)
def _(op, q, lower, upper, alpha, beta):
    width = scaled_log_ratio(upper, lower, alpha)
    log_d = log1mexp(width) - _weibull_z(upper, alpha, beta)
    fall, bounded = _placed(*_step(1 - q, log_d), _weibull_z(lower, alpha, beta))
    return pt.switch(bounded, lower, beta) * pt.exp(fall / alpha)
