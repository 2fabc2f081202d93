"""Families on a finite interval: Uniform, Triangular and Kumaraswamy."""

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.continuous import KumaraswamyRV
from pytensor.tensor.random.basic import TriangularRV, UniformRV

from pymc_safetrunc.distributions.families import dispatch
from pymc_safetrunc.distributions.families.safe import (
    limit_at_zero,
    log1mexp,
    log1mexp_exp,
    power_density,
    scaled_log_ratio,
)


@dispatch.support.register(UniformRV)
def _(op, low, high):
    return low, high


@dispatch.legal.register(UniformRV)
def _(op, low, high):
    return (low <= high,), "lower <= upper"


@dispatch.log_interval_mass.register(UniformRV)
def _(op, lower, upper, low, high):
    return pt.log(upper - lower) - pt.log(high - low)


@dispatch.truncated_logp.register(UniformRV)
def _(op, value, lower, upper, low, high):
    # the zero has the value's shape
    return pt.zeros_like(value) - pt.log(upper - lower)


@dispatch.truncated_quantile.register(UniformRV)
def _(op, q, lower, upper, low, high):
    return lower + q * (upper - lower)


@dispatch.truncated_mean.register(UniformRV)
def _(op, lower, upper, low, high):
    return lower + (upper - lower) / 2


@dispatch.support.register(TriangularRV)
def _(op, low, peak, high):
    return low, high


@dispatch.legal.register(TriangularRV)
def _(op, low, peak, high):
    return (low <= peak, peak <= high, low < high), "lower <= c <= upper, lower < upper"


class _Slope:
    """One side of the triangle between two distances from the corner where its height is 0.

    A width that is not small is taken by squares: their difference has the bounds' derivatives,
    which the product of width and height has as differences of larger numbers.
    """

    def __init__(self, near, far, width, length):
        self.width, self.length = width, length
        self.is_wide = near < far / 2
        self.near, self.far = near, far

    def area(self):
        squares = self.far * self.far - self.near * self.near
        product = self.width * (self.far + self.near)
        return pt.switch(self.is_wide, squares, product) / 2 / self.length

    def log_area(self):
        """The same where the area may underflow; 0 on a side without width."""
        there = self.width > 0
        width, far = pt.switch(there, self.width, 1), pt.switch(there, self.far, 1)
        near = pt.switch(there, self.near, 0)
        ratio = pt.switch(self.is_wide, near, 0) / far
        wide = 2 * pt.log(far) + pt.log1p(-ratio * ratio)
        narrow = pt.log(width) + pt.log(far + near)
        return pt.switch(self.is_wide, wide, narrow) - pt.log(2 * self.length)


class _Triangle:
    """The triangle of height 1 at the peak, and its areas between the bounds."""

    def __init__(self, lower, upper, low, peak, high):
        self.low, self.peak, self.high = low, peak, high
        # a side of no width holds no area
        self.rise = pt.switch(peak > low, peak - low, 1)
        self.fall = pt.switch(high > peak, high - peak, 1)
        self.start, self.end = pt.minimum(lower, peak), pt.maximum(upper, peak)
        left_end, right_start = pt.minimum(upper, peak), pt.maximum(lower, peak)
        left_width, right_width = left_end - self.start, self.end - right_start
        self.left = _Slope(self.start - low, left_end - low, left_width, self.rise)
        self.right = _Slope(high - self.end, high - right_start, right_width, self.fall)

    def log_area(self):
        only_left, only_right = self.right.width <= 0, self.left.width <= 0
        one_side = pt.or_(only_left, only_right)
        both = pt.switch(one_side, 1, self.left.area() + self.right.area())
        side = pt.switch(only_left, self.left.log_area(), self.right.log_area())
        return pt.switch(one_side, side, pt.log(both))

    def log_height(self, value):
        rising = pt.or_(value < self.peak, self.high <= self.peak)
        side = pt.switch(rising, value - self.low, self.high - value)
        return pt.log(side) - pt.log(pt.switch(rising, self.rise, self.fall))

    def quantile(self, q):
        left, right = self.left.area(), self.right.area()
        below, above = q * (left + right), (1 - q) * (left + right)
        gone = 2 * self.rise * below
        from_start = gone / (self.left.near + pt.sqrt(self.left.near**2 + gone))
        rest = 2 * self.fall * above
        to_end = rest / (self.right.near + pt.sqrt(self.right.near**2 + rest))
        return pt.switch(below < left, self.start + from_start, self.end - to_end)


@dispatch.log_interval_mass.register(TriangularRV)
def _(op, lower, upper, low, peak, high):
    return _Triangle(lower, upper, low, peak, high).log_area() + pt.log(2 / (high - low))


@dispatch.truncated_logp.register(TriangularRV)
def _(op, value, lower, upper, low, peak, high):
    triangle = _Triangle(lower, upper, low, peak, high)
    return triangle.log_height(value) - triangle.log_area()


@dispatch.truncated_quantile.register(TriangularRV)
def _(op, q, lower, upper, low, peak, high):
    return _Triangle(lower, upper, low, peak, high).quantile(q)


@dispatch.support.register(KumaraswamyRV)
def _(op, a, b):
    return 0.0, 1.0


@dispatch.legal.register(KumaraswamyRV)
def _(op, a, b):
    return (a > 0, b > 0), "a > 0, b > 0"


class _Kumaraswamy:
    """1 - F = (1 - x^a)^b between the bounds; D is the step of -b log(1 - x^a) over them."""

    def __init__(self, lower, upper, a, b):
        self.a, self.b = a, b
        self.log_rest_lower = _log_rest(lower, a)
        # log of (upper^a - lower^a)/(1 - upper^a)
        at_edge = upper >= 1
        log_upper = a * pt.log(pt.switch(at_edge, 0.5, upper))
        log_growth = log_upper + log1mexp(scaled_log_ratio(upper, lower, a))
        log_odds = log_growth - pt.log(-pt.expm1(log_upper))
        small = log_odds < -40
        log_step = pt.switch(
            small, log_odds, pt.log(pt.log1p(pt.exp(pt.switch(small, 0, log_odds))))
        )
        self.log_d = pt.switch(at_edge, _WHOLE, pt.log(b) + log_step)
        self.log_shape = log1mexp_exp(self.log_d)

    def log_mass(self):
        return self.b * self.log_rest_lower + self.log_shape

    def logp(self, value):
        at_edge = value >= 1
        rest = (self.b - 1) * _log_rest(pt.switch(at_edge, 0.5, value), self.a)
        rest = pt.switch(at_edge, limit_at_zero(self.b, 0.0), rest)
        base = pt.log(self.a) + pt.log(self.b) + power_density(self.a, value, 1)
        return base + rest - self.b * self.log_rest_lower - self.log_shape

    def quantile(self, q, lower):
        step = -pt.log1p(q * pt.expm1(-pt.exp(self.log_d)))
        far = self.log_d < -600
        # the step relative to b, of which exp(-step/b) is the fall of 1 - x^a
        log_step = pt.switch(far, pt.log(q) + self.log_d, pt.log(pt.switch(far, 1, step)))
        log_fall = log_step - pt.log(self.b)
        small = log_fall < -40
        fall = pt.switch(small, log_fall, log1mexp_exp(pt.switch(small, 0, log_fall)))
        log_growth = self.log_rest_lower + fall
        log_power = pt.switch(lower > 0, self.a * pt.log(pt.switch(lower > 0, lower, 1)), -np.inf)
        return pt.exp(pt.logaddexp(log_power, log_growth) / self.a)


# D is infinite at the edge of the support: exp(-e^7) is 0
_WHOLE = np.float64(7.0)


def _log_rest(x, a):
    """log(1 - x^a) of an x in [0, 1)."""
    positive = x > 0
    return pt.switch(positive, log1mexp(-a * pt.log(pt.switch(positive, x, 0.5))), 0)


@dispatch.log_interval_mass.register(KumaraswamyRV)
def _(op, lower, upper, a, b):
    return _Kumaraswamy(lower, upper, a, b).log_mass()


@dispatch.truncated_logp.register(KumaraswamyRV)
def _(op, value, lower, upper, a, b):
    return _Kumaraswamy(lower, upper, a, b).logp(value)


@dispatch.truncated_quantile.register(KumaraswamyRV)
def _(op, q, lower, upper, a, b):
    return _Kumaraswamy(lower, upper, a, b).quantile(q, lower)
