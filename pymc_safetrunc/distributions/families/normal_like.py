"""Families that are a normal or half-normal law of a coordinate t of x.

Normal, HalfNormal, LogNormal, LogitNormal and Moyal: the kernels of the truncated normal in t.
Where the bounds are near each other t is measured from one of them, so that the interval's width in
t comes from the exact difference of the bounds. An origin that the law does not depend on is held
fixed.
"""

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.continuous import MoyalRV
from pymc.distributions.custom import CustomSymbolicDistRV
from pytensor.gradient import disconnected_grad
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.random.basic import HalfNormalRV, LogNormalRV, NormalRV

from pymc_safetrunc.distributions.families import dispatch
from pymc_safetrunc.distributions.families.safe import exp_minus, log_plus, scaled_distance
from pymc_safetrunc.math import (
    HALF_LOG_2PI,
    truncated_normal_icdf,
    truncated_normal_log_mean_exp,
    truncated_normal_logcdf,
    truncated_normal_logpdf_inside,
    truncated_normal_logpdf_less_x,
    truncated_normal_logsf,
    truncated_normal_mean,
)
from pymc_safetrunc.ops.truncated_normal_rv import safe_truncated_normal


class _Coordinate:
    """What a family gives: t of x and its inverse, and the normal law of t between the bounds.

    Attributes
    ----------
    law : list of TensorVariable
        mu, sigma, lower and upper of t, lower < upper.
    rising : bool
        Whether t rises with x.
    edges : tuple of float, optional
        Support of x where that is open and the same for all parameters.
    """

    law: list
    rising = True
    edges: tuple[float, float] | None = None

    def t(self, x):
        """The coordinate of an x between the bounds."""
        raise NotImplementedError

    def x(self, t):
        """The x of a coordinate."""
        raise NotImplementedError

    def log_slope(self, x):
        """Log of |dt/dx|."""
        raise NotImplementedError

    def log_mass(self):
        """Log of the normal density over the truncated one, at the point where that is largest.

        Not of (bound - mu)/sigma, whose difference has lost the width of a narrow interval.
        """
        mu, sigma, lower, upper = self.law
        peak = disconnected_grad(pt.minimum(pt.maximum(mu, lower), upper))
        log_density = -(((peak - mu) / sigma) ** 2) / 2 - pt.log(sigma) - HALF_LOG_2PI
        return log_density - truncated_normal_logpdf_inside(peak, *self.law)

    def logp(self, value):
        return truncated_normal_logpdf_inside(self.t(value), *self.law) + self.log_slope(value)

    def logcdf(self, value):
        of_t = truncated_normal_logcdf if self.rising else truncated_normal_logsf
        return of_t(self.t(value), *self.law)

    def logccdf(self, value):
        of_t = truncated_normal_logsf if self.rising else truncated_normal_logcdf
        return of_t(self.t(value), *self.law)

    def quantile(self, q):
        return self.x(truncated_normal_icdf(q if self.rising else 1 - q, *self.law))

    def sample(self, rng, size):
        """By rejection: a tenth of the time that a quantile takes."""
        next_rng, t = safe_truncated_normal(
            *self.law, size=size, rng=rng, dtype="float64", return_next_rng=True
        )
        return next_rng, self.x(t)


class _Plain(_Coordinate):
    """t = x."""

    def __init__(self, lower, upper, loc, sigma):
        self.law = [loc, sigma, lower, upper]

    def t(self, x):
        return x

    def x(self, t):
        return t

    def log_slope(self, x):
        return pt.zeros_like(x)

    def mean(self):
        return truncated_normal_mean(*self.law)


class _Half(_Plain):
    """t = x, of which the upper half is the family."""

    def log_mass(self):
        return super().log_mass() + np.log(np.float64(2))


class _Log(_Coordinate):
    """t = log x."""

    edges = (0.0, np.inf)

    def __init__(self, lower, upper, mu, sigma):
        self.narrow = upper < 2 * lower
        self.origin = disconnected_grad(pt.switch(lower > 0, lower, 1))
        no_lower, no_upper = lower <= 0, pt.isinf(upper)
        self.law = [
            mu - pt.switch(self.narrow, pt.log(self.origin), 0),
            sigma,
            pt.switch(no_lower, -np.inf, self.t(pt.switch(no_lower, 1, lower))),
            pt.switch(no_upper, np.inf, self.t(pt.switch(no_upper, 1, upper))),
        ]

    def t(self, x):
        step = (pt.switch(self.narrow, x, self.origin) - self.origin) / self.origin
        return pt.switch(self.narrow, pt.log1p(step), pt.log(x))

    def x(self, t):
        near = self.origin + self.origin * pt.expm1(pt.switch(self.narrow, t, 0))
        return pt.switch(self.narrow, near, pt.exp(t))

    def log_slope(self, x):
        return -pt.log(x)

    def logp(self, value):
        """The log of the slope is -t, less that of the origin."""
        of_origin = pt.switch(self.narrow, pt.log(self.origin), 0)
        return truncated_normal_logpdf_less_x(self.t(value), *self.law) - of_origin

    def mean(self):
        return self.x(truncated_normal_log_mean_exp(*self.law))


class _Logit(_Coordinate):
    """t = log(x/(1 - x))."""

    edges = (0.0, 1.0)

    def __init__(self, lower, upper, mu, sigma):
        self.narrow = pt.and_(upper < 2 * lower, 1 - lower < 2 * (1 - upper))
        inner = pt.and_(lower > 0, lower < 1)
        self.origin = disconnected_grad(pt.switch(inner, lower, 0.5))
        no_lower, no_upper = lower <= 0, upper >= 1
        self.law = [
            mu - pt.switch(self.narrow, pt.log(self.origin) - pt.log1p(-self.origin), 0),
            sigma,
            pt.switch(no_lower, -np.inf, self.t(pt.switch(no_lower, 0.5, lower))),
            pt.switch(no_upper, np.inf, self.t(pt.switch(no_upper, 0.5, upper))),
        ]

    def t(self, x):
        step = pt.switch(self.narrow, x, self.origin) - self.origin
        near = pt.log1p(step / self.origin) - pt.log1p(-step / (1 - self.origin))
        return pt.switch(self.narrow, near, pt.log(x) - pt.log1p(-x))

    def x(self, t):
        growth = pt.expm1(pt.switch(self.narrow, t, 0))
        step = self.origin * (1 - self.origin) * growth / (1 + self.origin * growth)
        return pt.switch(self.narrow, self.origin + step, pt.sigmoid(t))

    def log_slope(self, x):
        return -pt.log(x) - pt.log1p(-x)


class _MoyalRoot(_Coordinate):
    """t = exp((o - x)/(2 sigma)), half-normal in units that o determines.

    The origin o is mu, in a right tail the lower bound. In a narrow interval or a left tail it is
    the upper one, and t is less by 1 there: minus that is the normal law's mu.
    """

    rising = False

    def __init__(self, lower, upper, mu, sigma):
        self.twice = 2 * sigma
        width = scaled_distance(upper - lower, self.twice)
        self.shifted = pt.or_(width < _MOYAL_NARROW, upper < mu)
        self.origin = pt.switch(self.shifted, upper, pt.switch(lower > mu, lower, mu))
        # the normal law is flat over the interval where the unit is small
        self.log_unit = (mu - self.origin) / self.twice
        self.log_unit_held = pt.clip(self.log_unit, -_MOYAL_FAR, _MOYAL_FAR)
        to_upper = scaled_distance(upper - self.origin, self.twice)
        to_lower = scaled_distance(self.origin - lower, self.twice)
        no_lower = to_lower > _MOYAL_FAR
        self.law = [
            pt.switch(self.shifted, np.float64(-1), np.float64(0)),
            pt.exp(-self.log_unit_held),
            pt.switch(self.shifted, 0, pt.exp(-to_upper)),
            pt.switch(no_lower, np.inf, exp_minus(pt.switch(no_lower, 1, to_lower), self.shifted)),
        ]

    def t(self, x):
        return exp_minus((self.origin - x) / self.twice, self.shifted)

    def x(self, t):
        return self.origin - self.twice * log_plus(t, self.shifted)

    def log_slope(self, x):
        return (self.origin - x) / self.twice - pt.log(self.twice)

    def logp(self, value):
        """From the density where t is least: one exponential for each value, and no division."""
        shift, least = -self.law[0], self.law[2]
        distance = (self.origin - value) / self.twice
        t = exp_minus(distance, self.shifted)
        stiffness = pt.exp(2 * self.log_unit_held)
        at_least = truncated_normal_logpdf_inside(least, *self.law)
        peak = at_least + stiffness * least * (shift + least / 2) - pt.log(self.twice)
        return distance - stiffness * (t * (shift + t / 2)) + peak

    def log_mass(self):
        return super().log_mass() + np.log(np.float64(2)) + self.log_unit - self.log_unit_held


# exp of more half-scales is infinite, or 0, to every use
_MOYAL_FAR = np.float64(340.0)
# t of wider bounds differ by a factor of 2
_MOYAL_NARROW = np.float64(0.7)


def _register(rv_type, coordinate, applies=lambda op: True):
    """Answer the questions of `dispatch` for a family by its coordinate.

    Where the family is some of the Ops of a type, `applies` tells which; the others keep the
    default.
    """

    def answer(question, own):
        @question.register(rv_type)
        def _(op, *arguments):
            return (own if applies(op) else question.dispatch(object))(op, *arguments)

    def by(method):
        return lambda op, argument, lower, upper, *params: method(
            coordinate(lower, upper, *params), argument
        )

    answer(
        dispatch.log_interval_mass,
        lambda op, lower, upper, *params: coordinate(lower, upper, *params).log_mass(),
    )
    answer(dispatch.truncated_logp, by(coordinate.logp))
    answer(dispatch.truncated_logcdf, by(coordinate.logcdf))
    answer(dispatch.truncated_logccdf, by(coordinate.logccdf))
    answer(dispatch.truncated_quantile, by(coordinate.quantile))
    answer(
        dispatch.truncated_sample,
        lambda op, rng, size, lower, upper, *params: coordinate(lower, upper, *params).sample(
            rng, size
        ),
    )
    answer(dispatch.legal, lambda op, mu, sigma: ((sigma > 0,), "sigma > 0"))
    if hasattr(coordinate, "mean"):
        answer(
            dispatch.truncated_mean,
            lambda op, lower, upper, *params: coordinate(lower, upper, *params).mean(),
        )
    if coordinate.edges:
        answer(dispatch.support, lambda op, *params: coordinate.edges)
        answer(dispatch.is_open, lambda op: True)


def _is_logit_normal(op):
    """Whether a CustomDist is PyMC's LogitNormal, which has no Op of its own: sigmoid(normal)."""
    outer = op.inner_outputs[op.default_output].owner
    if dispatch.family_name(op) != "LogitNormal" or outer is None or len(outer.inputs) != 1:
        return False
    is_sigmoid = isinstance(outer.op, Elemwise) and outer.op.scalar_op == pt.sigmoid.scalar_op
    inner = outer.inputs[0].owner
    return is_sigmoid and inner is not None and isinstance(inner.op, NormalRV)


# alone, a normal law is a TruncatedNormal; this is for one that is part of a mixture
_register(NormalRV, _Plain)
_register(HalfNormalRV, _Half)
_register(LogNormalRV, _Log)
_register(MoyalRV, _MoyalRoot)
_register(CustomSymbolicDistRV, _Logit, _is_logit_normal)


@dispatch.support.register(HalfNormalRV)
def _(op, loc, sigma):
    return loc, np.inf
