"""Densities that fall exponentially, in x or in log x.

Exponential, Laplace, AsymmetricLaplace and Pareto. The log-density is measured from the point of
the interval where it is largest, so that nothing large is subtracted from anything large.
"""

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.continuous import AsymmetricLaplaceRV
from pytensor.tensor.random.basic import ExponentialRV, LaplaceRV, ParetoRV

from pymc_safetrunc.distributions.families import dispatch
from pymc_safetrunc.distributions.families.safe import (
    is_data,
    is_shared,
    log1mexp,
    log_ratio,
    scaled_distance,
    scaled_log_ratio,
    surely,
)


@dispatch.support.register(ExponentialRV)
def _(op, scale):
    return 0.0, np.inf


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


def _mean_step(width):
    """Mean of exp(-t) truncated to [0, width]: 1 - w/(e^w - 1)."""
    # the two terms cancel in a narrow interval
    narrow = width < 0.1
    w = pt.switch(narrow, width, 0)
    series = w / 2 - w**2 / 12 + w**4 / 720 - w**6 / 30240 + w**8 / 1209600
    wide = pt.switch(narrow, 1, width)
    return pt.switch(narrow, series, 1 - wide / pt.expm1(wide))


@dispatch.truncated_mean.register(ExponentialRV)
def _(op, lower, upper, scale):
    return lower + scale * _mean_step(scaled_distance(upper - lower, scale))


class _TwoSides:
    """Exponential falls of two scales from a peak, of height 1 at the interval's highest point."""

    def __init__(self, lower, upper, peak, left, right):
        self.peak, self.left, self.right = peak, left, right
        self.only_left = upper <= peak
        self.top = pt.switch(lower > peak, lower, pt.switch(self.only_left, upper, peak))
        self.left_end, self.right_start = pt.minimum(upper, peak), pt.maximum(lower, peak)
        left_width = self.left_end - pt.minimum(lower, peak)
        right_width = pt.maximum(upper, peak) - self.right_start
        self.left_width = scaled_distance(left_width, left)
        self.right_width = scaled_distance(right_width, right)
        self.left_area = -left * pt.expm1(-self.left_width)
        self.right_area = -right * pt.expm1(-self.right_width)
        self.area = self.left_area + self.right_area

    def logp(self, value):
        to_the_right = pt.and_(value >= self.top, pt.invert(self.only_left))
        rate = pt.switch(to_the_right, -1 / self.right, 1 / self.left)
        return (value - self.top) * rate - pt.log(self.area)

    def log_mass(self):
        above, below = pt.maximum(self.top - self.peak, 0), pt.maximum(self.peak - self.top, 0)
        log_height = -above / self.right - below / self.left - pt.log(self.left + self.right)
        return log_height + pt.log(self.area)

    def quantile(self, q):
        below, above = q * self.area, (1 - q) * self.area
        on_the_left = below < self.left_area
        # in each part from the end at which the density is not the smaller part of a difference
        rest = pt.maximum(self.left_area - below, 0) / self.left
        far = rest > 0.5
        log_height = pt.switch(
            far,
            pt.log(below / self.left + pt.exp(-self.left_width)),
            pt.log1p(-pt.switch(far, 0, rest)),
        )
        left = self.left_end + self.left * log_height
        gone = pt.maximum(below - self.left_area, 0) / self.right
        far = gone > 0.5
        log_height = pt.switch(
            far,
            pt.log(above / self.right + pt.exp(-self.right_width)),
            pt.log1p(-pt.switch(far, 0, gone)),
        )
        right = self.right_start - self.right * log_height
        return pt.switch(on_the_left, left, right)

    def mean(self):
        left = self.left_end - self.left * _mean_step(self.left_width)
        right = self.right_start + self.right * _mean_step(self.right_width)
        return (self.left_area * left + self.right_area * right) / self.area


@dispatch.legal.register(LaplaceRV)
def _(op, mu, b):
    return (b > 0,), "b > 0"


@dispatch.log_interval_mass.register(LaplaceRV)
def _(op, lower, upper, mu, b):
    return _TwoSides(lower, upper, mu, b, b).log_mass()


@dispatch.truncated_logp.register(LaplaceRV)
def _(op, value, lower, upper, mu, b):
    return _TwoSides(lower, upper, mu, b, b).logp(value)


@dispatch.truncated_quantile.register(LaplaceRV)
def _(op, q, lower, upper, mu, b):
    return _TwoSides(lower, upper, mu, b, b).quantile(q)


@dispatch.truncated_mean.register(LaplaceRV)
def _(op, lower, upper, mu, b):
    return _TwoSides(lower, upper, mu, b, b).mean()


@dispatch.legal.register(AsymmetricLaplaceRV)
def _(op, b, kappa, mu):
    return (b > 0, kappa > 0), "b > 0, kappa > 0"


@dispatch.log_interval_mass.register(AsymmetricLaplaceRV)
def _(op, lower, upper, b, kappa, mu):
    return _TwoSides(lower, upper, mu, kappa / b, 1 / (kappa * b)).log_mass()


@dispatch.truncated_logp.register(AsymmetricLaplaceRV)
def _(op, value, lower, upper, b, kappa, mu):
    return _TwoSides(lower, upper, mu, kappa / b, 1 / (kappa * b)).logp(value)


@dispatch.truncated_quantile.register(AsymmetricLaplaceRV)
def _(op, q, lower, upper, b, kappa, mu):
    return _TwoSides(lower, upper, mu, kappa / b, 1 / (kappa * b)).quantile(q)


@dispatch.truncated_mean.register(AsymmetricLaplaceRV)
def _(op, lower, upper, b, kappa, mu):
    return _TwoSides(lower, upper, mu, kappa / b, 1 / (kappa * b)).mean()


@dispatch.support.register(ParetoRV)
def _(op, alpha, m):
    return m, np.inf


@dispatch.legal.register(ParetoRV)
def _(op, alpha, m):
    return (alpha > 0, m > 0), "alpha > 0, m > 0"


@dispatch.log_interval_mass.register(ParetoRV)
def _(op, lower, upper, alpha, m):
    above_edge = alpha * (pt.log(lower) - pt.log(m))
    return log1mexp(scaled_log_ratio(upper, lower, alpha)) - above_edge


@dispatch.goes_on_outside.register(ParetoRV)
def _(op, value, alpha, m):
    return surely(value > 0)


@dispatch.truncated_logp.register(ParetoRV)
def _(op, value, lower, upper, alpha, m):
    width = scaled_log_ratio(upper, lower, alpha)
    # lower depends on m: the logs of constant data stay constants by way of the smallest of them
    of_one_law = is_data(value) and is_shared(lower, upper, alpha, m)
    least = pt.constant(value.data.min()) if of_one_law else lower
    distance = alpha * (pt.log1p((value - least) / least) + log_ratio(least, lower))
    return pt.log(alpha) - pt.log(value) - distance - log1mexp(width)


@dispatch.truncated_quantile.register(ParetoRV)
def _(op, q, lower, upper, alpha, m):
    width = scaled_log_ratio(upper, lower, alpha)
    return lower * pt.exp(-pt.log1p(q * pt.expm1(-width)) / alpha)
