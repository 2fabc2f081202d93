"""Arithmetic of the closed forms: relative to itself, with derivatives that are never NaN.

The backward pass multiplies what a branch was not taken for by 0, so nothing infinite may enter a
branch: arguments are replaced where they are not used. Two of PyTensor's rewrites would take the
replacement out again before a gradient is taken: a 0 is moved through a product or quotient, and
two switches of one condition are merged. So a replacement that is divided is never 0, and two that
meet have different conditions.
"""

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.pytensorf import constant_fold
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import ancestors
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.sharedvar import TensorSharedVariable

from pymc_safetrunc.ops import elementary as ops
from pymc_safetrunc.ops import truncated_normal as normal_ops

_exp_minus: Any = Elemwise(ops.exp_minus)
_log_plus: Any = Elemwise(ops.log_plus)
distance: Any = Elemwise(normal_ops.distance)
log1mexp: Any = Elemwise(ops.log1mexp)
log1p_square: Any = Elemwise(ops.log1p_square)

# exp(-750) is 0 in double precision, and so are its derivatives
FAR = np.float64(750.0)
# exp(-z) is near overflow below the first, and 0 above the second
Z_LOWEST, Z_HIGHEST = np.float64(-700.0), FAR
# log(1 - exp(-e^y)) is y to rounding where e^y/2 is less than 2^-53
_LINEAR = np.float64(-40.0)


def scaled_distance(distance, scale):
    """distance/scale for distance >= 0, and FAR where that is more: there exp(-distance) is 0.

    The distance may be infinite. No derivative flows where it is cut off.
    """
    near = distance < FAR * scale
    return pt.switch(near, pt.switch(near, distance, 1) / scale, FAR)


def standardized(x, origin, scale):
    """(x - origin)/scale, cut off where exp(-z) is 0 or near overflow; x may be infinite."""
    low, high = x - origin < Z_LOWEST * scale, x - origin > Z_HIGHEST * scale
    known = pt.invert(pt.or_(low, high))
    z = pt.switch(known, x - origin, 1) / scale
    return pt.switch(known, z, pt.switch(low, Z_LOWEST, Z_HIGHEST))


def log_ratio(x, origin):
    """log(x/origin) for x and origin > 0: from their difference where they are near."""
    near = pt.and_(x < 2 * origin, origin < 2 * x)
    step = pt.switch(near, x, origin) - origin
    # not by the quotient, whose derivative underflows between numbers that are far apart
    return pt.switch(near, pt.log1p(step / origin), pt.log(x) - pt.log(origin))


def scaled_log_ratio(x, origin, power):
    """The product of power and `log_ratio`, FAR where that is more; x may be infinite, origin 0."""
    known = pt.and_(origin > 0, pt.isfinite(x))
    scaled = power * log_ratio(pt.switch(known, x, 1), pt.switch(known, origin, 1))
    return pt.switch(pt.and_(known, scaled < FAR), scaled, FAR)


def exp_minus(x, is_less_one):
    """exp(x) - 1 where `is_less_one`, else exp(x): one evaluation for value and derivative."""
    return _exp_minus(x, pt.cast(is_less_one, "float64"))


def log_plus(x, is_more_one):
    """log(1 + x) where `is_more_one`, else log(x): the inverse of `exp_minus`."""
    return _log_plus(x, pt.cast(is_more_one, "float64"))


def log1mexp_exp(y):
    """log(1 - exp(-e^y)): y itself far below 0, and 0 far above."""
    linear = y < _LINEAR
    return pt.switch(linear, y, log1mexp(pt.exp(pt.switch(linear, 0, y))))


def power_density(exponent, x, scale):
    """(exponent - 1) log(x/scale) for x >= 0, with its limit at 0."""
    positive = x > 0
    inside = (exponent - 1) * pt.log(pt.switch(positive, x, 1) / scale)
    return pt.switch(positive, inside, limit_at_zero(exponent, 0.0))


def limit_at_zero(exponent, at_one):
    """Limit of (exponent - 1) log(x) for x to 0; where the exponent is 1, what is given."""
    return pt.switch(exponent < 1, np.inf, pt.switch(exponent > 1, -np.inf, at_one))


def surely(condition):
    """Whether a condition is made of constants, and holds everywhere."""
    (known,) = constant_fold([pt.all(condition)], raise_not_constant=False)
    return not hasattr(known, "owner") and bool(known)


def constant_number(x) -> float | None:
    """The number that an expression is, if it is made of constants and the same everywhere."""
    (known,) = constant_fold([x], raise_not_constant=False)
    if hasattr(known, "owner") or known.size == 0 or np.any(known != known.flat[0]):
        return None
    return float(known.flat[0])


def is_shared(*numbers) -> bool:
    """Whether the numbers are one law's: none varies by observation."""
    return all(all(x.type.broadcastable) for x in numbers)


def is_fixed(*numbers) -> bool:
    """Whether numbers are made of constants and shared data, which nobody differentiates in."""
    roots = (x for x in ancestors(numbers) if x.owner is None)
    return all(isinstance(x, Constant | TensorSharedVariable) for x in roots)


def is_data(value) -> bool:
    """Whether a value is constant, and there is some of it."""
    return isinstance(value, Constant) and value.data.size > 0
