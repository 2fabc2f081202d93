"""Cauchy and HalfCauchy: angles.

The mass of [a, b] is the angle between the directions (1, za) and (1, zb), over pi. A narrow
interval has it as one arctangent of its width and midpoint, a wide one as a difference of the
bounds' own angles, taken from the side on which they are small. Each form has exact derivatives
where it is used.
"""

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.continuous import HalfCauchyRV
from pytensor.tensor.random.basic import CauchyRV

from pymc_safetrunc.distributions.families import dispatch
from pymc_safetrunc.distributions.families.safe import log1p_square

# in units of the distance of the midpoint from the peak, or of the scale if that is more: bounds
# nearer than this differ by a factor of less than 1.7 and their angles would cancel
_NARROW = np.float64(0.5)
# in the same unit: a quantile so near to a bound is formed as a step from it
_NEAR_BOUND = np.float64(0.5)
_PI = np.float64(np.pi)
_LOG_PI, _LOG_2 = np.log(_PI), np.log(np.float64(2))
_ZERO = np.float64(0)


def _angle(lower, upper, alpha, beta):
    """atan(zb) - atan(za), relative to itself."""
    middle = lower / 2 + upper / 2 - alpha
    narrow = upper - lower < _NARROW * pt.maximum(abs(middle), beta)
    width = pt.switch(narrow, upper - lower, beta) / beta
    z = pt.switch(narrow, middle, 1) / beta
    # width/(1 + z^2 - width^2/4), in a form that does not overflow
    far = abs(z) > 1
    outer = pt.switch(far, z, 1)
    far_tangent = width / outer / (1 / outer + outer - width / 4 * (width / outer))
    near_z = pt.switch(far, 0, z)
    near_tangent = width / (1 + near_z * near_z - width * width / 4)
    narrow_angle = pt.arctan(pt.switch(far, far_tangent, near_tangent))

    lower_bound, upper_bound = pt.switch(narrow, -np.inf, lower), pt.switch(narrow, np.inf, upper)
    right, left = lower_bound > alpha, upper_bound < alpha
    from_right = _angle_beyond(lower_bound, alpha, beta, 1)
    from_left = _angle_beyond(upper_bound, alpha, beta, -1)
    tail = pt.switch(
        right,
        from_right - _angle_beyond(upper_bound, alpha, beta, 1),
        from_left - _angle_beyond(lower_bound, alpha, beta, -1),
    )
    between = (
        _PI
        - _angle_beyond(lower_bound, alpha, beta, -1)
        - _angle_beyond(upper_bound, alpha, beta, 1)
    )
    wide = pt.switch(pt.or_(right, left), tail, between)
    return pt.switch(narrow, narrow_angle, wide)


def _angle_beyond(bound, alpha, beta, side):
    """Angle beyond a bound, on the side given: relative to itself in that tail."""
    distance = side * (bound - alpha)
    there = pt.isfinite(bound)
    beyond = distance > beta
    outer = pt.arctan(beta / pt.switch(pt.and_(beyond, there), distance, beta))
    inner = _PI / 2 - pt.arctan(pt.switch(pt.or_(beyond, pt.invert(there)), beta, distance) / beta)
    angle = pt.switch(beyond, outer, inner)
    return pt.switch(there, angle, pt.switch(distance > 0, 0, _PI))


def _logp(value, lower, upper, alpha, beta):
    log_angle = pt.log(_angle(lower, upper, alpha, beta))
    return -log1p_square((value - alpha) / beta) - (pt.log(beta) + log_angle)


def _direction(bound, alpha, beta):
    """(cos, sin) of the direction (1, z) times a positive factor; (0, +-1) of an infinite bound."""
    there = pt.isfinite(bound)
    z = pt.switch(there, bound - alpha, 0) / beta
    size = pt.maximum(abs(z), 1)
    return pt.switch(there, 1 / size, 0), pt.switch(there, z / size, pt.sign(bound))


def _quantile(q, lower, upper, alpha, beta):
    """Turn from the nearer bound by its share of the angle."""
    angle = _angle(lower, upper, alpha, beta)
    from_lower = q < 0.5
    bound = pt.switch(from_lower, lower, upper)
    turn = pt.switch(from_lower, q * angle, (q - 1) * angle)
    cos, sin = _direction(bound, alpha, beta)
    turned_cos = cos * pt.cos(turn) - sin * pt.sin(turn)
    turned_sin = sin * pt.cos(turn) + cos * pt.sin(turn)
    direct = alpha + beta * (turned_sin / turned_cos)
    # near a bound by the difference of the two directions' tangents
    there = pt.isfinite(bound)
    cos = pt.switch(there, cos, 1)
    step = beta * ((cos + sin * (sin / cos)) * pt.sin(turn) / turned_cos)
    near = pt.and_(there, abs(step) < _NEAR_BOUND * pt.maximum(abs(bound - alpha), beta))
    return pt.switch(near, pt.switch(there, bound, alpha) + step, direct)


@dispatch.legal.register(CauchyRV)
def _(op, alpha, beta):
    return (beta > 0,), "beta > 0"


@dispatch.log_interval_mass.register(CauchyRV)
def _(op, lower, upper, alpha, beta):
    return pt.log(_angle(lower, upper, alpha, beta)) - _LOG_PI


@dispatch.truncated_logp.register(CauchyRV)
def _(op, value, lower, upper, alpha, beta):
    return _logp(value, lower, upper, alpha, beta)


@dispatch.truncated_quantile.register(CauchyRV)
def _(op, q, lower, upper, alpha, beta):
    return _quantile(q, lower, upper, alpha, beta)


@dispatch.support.register(HalfCauchyRV)
def _(op, beta):
    return 0.0, np.inf


@dispatch.legal.register(HalfCauchyRV)
def _(op, beta):
    return (beta > 0,), "beta > 0"


@dispatch.log_interval_mass.register(HalfCauchyRV)
def _(op, lower, upper, beta):
    return pt.log(_angle(lower, upper, _ZERO, beta)) - _LOG_PI + _LOG_2


@dispatch.truncated_logp.register(HalfCauchyRV)
def _(op, value, lower, upper, beta):
    return _logp(value, lower, upper, _ZERO, beta)


@dispatch.truncated_quantile.register(HalfCauchyRV)
def _(op, q, lower, upper, beta):
    return _quantile(q, lower, upper, _ZERO, beta)
