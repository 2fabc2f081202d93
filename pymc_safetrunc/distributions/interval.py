"""The interval transform with bounds that may be infinite at run time."""

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform
from pytensor import config

from pymc_safetrunc.math import as_argument, is_infinite_constant


class SafeInterval(Transform):
    """Map [lower, upper] to the real line, whichever bound turns out to be infinite.

    The values are those of PyMC's interval transform: log odds between two finite bounds, the log
    distance from a single one, the value itself without any. PyMC's keeps an infinite bound in the
    branch not taken, where the backward pass multiplies it by zero and makes NaN; here it is
    replaced by 0 before it enters any arithmetic. Results have the value's dtype, whatever that
    of the bounds.

    Parameters
    ----------
    bounds_fn : callable
        Takes the inputs of the random variable and returns its two bounds.
    """

    name = "interval"
    ndim_supp = 0

    def __init__(self, bounds_fn):
        self.bounds_fn = bounds_fn

    def _bounds(self, inputs):
        """Bounds with 0 for an infinite one, and which are finite."""
        bounds = [pt.as_tensor_variable(bound) for bound in self.bounds_fn(*inputs)]
        finite = [pt.isfinite(bound) for bound in bounds]
        if not any(is_infinite_constant(bound) for bound in bounds):
            # bounds upside down are as none: the density is to say -inf, and not to be made NaN
            ordered = pt.lt(*bounds)
            finite = [pt.and_(f, ordered) for f in finite]
        return [pt.switch(f, b, 0) for f, b in zip(finite, bounds, strict=True)], finite

    def forward(self, value, *inputs):
        """Take a value inside the bounds to the real line."""
        value = _as_float(value)
        (lower, upper), (has_lower, has_upper) = self._bounds(inputs)
        # 1 where a bound is missing: its log is 0, and so is the log's derivative
        log_above_lower = pt.log(pt.switch(has_lower, value - lower, 1))
        log_below_upper = pt.log(pt.switch(has_upper, upper - value, 1))
        one_sided = log_above_lower + log_below_upper
        between = log_above_lower - log_below_upper
        free = _choose(has_lower, has_upper, between, one_sided, one_sided, value)
        return free.astype(value.dtype)

    def backward(self, value, *inputs):
        """Take a real number to a value inside the bounds."""
        value = _as_float(value)
        (lower, upper), (has_lower, has_upper) = self._bounds(inputs)
        both = pt.and_(has_lower, has_upper)
        width = pt.switch(both, upper - lower, 0)
        # measured from the nearer bound: never outside, and exact near either
        between = pt.switch(
            value < 0, lower + width * pt.sigmoid(value), upper - width * pt.sigmoid(-value)
        )
        one_sided = pt.exp(pt.switch(pt.eq(has_lower, has_upper), 0, value))
        inside = _choose(has_lower, has_upper, between, lower + one_sided, upper - one_sided, value)
        lowest, highest = pt.switch(has_lower, lower, -np.inf), pt.switch(has_upper, upper, np.inf)
        return cast_inside(inside, lowest, highest, value.dtype)

    def log_jac_det(self, value, *inputs):
        """Log of the derivative of `backward`."""
        value = _as_float(value)
        (lower, upper), (has_lower, has_upper) = self._bounds(inputs)
        width = pt.switch(pt.and_(has_lower, has_upper), upper - lower, 1)
        between = pt.log(width) - pt.softplus(value) - pt.softplus(-value)
        log_slope = _choose(has_lower, has_upper, between, value, value, pt.zeros_like(value))
        return log_slope.astype(value.dtype)


def _as_float(value):
    """Tensor of a value, of its own precision; a whole number is in that of the model."""
    tensor = as_argument(value)
    return tensor if tensor.dtype.startswith("float") else tensor.astype(config.floatX)


def _choose(has_lower, has_upper, between, above_lower, below_upper, unbounded):
    """Pick by which bounds are finite; constant bounds fold this to one branch."""
    with_lower = pt.switch(has_upper, between, above_lower)
    without_lower = pt.switch(has_upper, below_upper, unbounded)
    return pt.switch(has_lower, with_lower, without_lower)


def cast_inside(x, lower, upper, dtype):
    """Cast an x between the bounds, stepping back where the rounding left them."""
    if x.dtype == dtype:
        return x
    limits = np.finfo(dtype)
    rounded = pt.clip(x, float(limits.min), float(limits.max)).astype(dtype)
    # compared in the dtype of x, where the bounds are exact
    exact = rounded.astype(x.dtype)
    # more than half a unit in the last place, and less than one and a half
    step = pt.maximum(abs(exact) * (0.501 * limits.eps), 0.75 * float(limits.smallest_subnormal))
    rounded = pt.switch(exact < lower, (exact + step).astype(dtype), rounded)
    return pt.switch(exact > upper, (exact - step).astype(dtype), rounded)


def interior_point(point, lower, upper, dtype):
    """Move a point strictly inside the bounds, where a float of the dtype lies between them.

    A NaN, which is what illegal parameters make, becomes some point of the interval.
    """
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).smallest_normal
    point, lower, upper = (v.astype(dtype) for v in (point, lower, upper))
    lowest = pt.switch(pt.isfinite(lower), lower + pt.maximum(abs(lower) * eps, tiny), lower)
    highest = pt.switch(pt.isfinite(upper), upper - pt.maximum(abs(upper) * eps, tiny), upper)
    any_point = some_point(lower, upper)
    point = pt.clip(pt.switch(pt.isnan(point), any_point, point), lowest, highest)
    return pt.switch(lowest < highest, point, any_point)


def some_point(lower, upper):
    """A finite point well inside the bounds."""
    has_lower, has_upper = pt.isfinite(lower), pt.isfinite(upper)
    low, high = pt.switch(has_lower, lower, 0), pt.switch(has_upper, upper, 0)
    middle = pt.switch(pt.and_(has_lower, has_upper), low / 2 + high / 2, 0)
    beside = pt.switch(has_lower, low + abs(low) + 1, high - abs(high) - 1)
    return pt.switch(pt.eq(has_lower, has_upper), middle, beside)
