"""Discrete families whose sums have a form: geometric ones, and the finite ones.

Geometric, DiscreteWeibull, DiscreteUniform, Bernoulli and Categorical.
"""

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.discrete import DiscreteUniformRV, DiscreteWeibullRV
from pymc.distributions.dist_math import check_parameters
from pytensor.tensor.random.basic import BernoulliRV, CategoricalRV, GeometricRV

from pymc_safetrunc.distributions.families import dispatch
from pymc_safetrunc.distributions.families.safe import log1mexp, scaled_distance


@dispatch.is_cheap.register(GeometricRV)
@dispatch.is_cheap.register(DiscreteUniformRV)
@dispatch.is_cheap.register(BernoulliRV)
@dispatch.is_cheap.register(CategoricalRV)
def _(op):
    return True


@dispatch.support.register(GeometricRV)
def _(op, p):
    return 1.0, np.inf


@dispatch.legal.register(GeometricRV)
def _(op, p):
    return (p > 0, p < 1), "0 < p < 1"


def _geometric_width(lower, upper, p):
    """Log of P(X >= lower) over P(X > upper)."""
    return scaled_distance(upper - lower + 1, -1 / pt.log1p(-p))


@dispatch.log_interval_mass.register(GeometricRV)
def _(op, lower, upper, p):
    return (lower - 1) * pt.log1p(-p) + log1mexp(_geometric_width(lower, upper, p))


@dispatch.truncated_logp.register(GeometricRV)
def _(op, value, lower, upper, p):
    fall = (value - lower) * pt.log1p(-p)
    return fall + pt.log(p) - log1mexp(_geometric_width(lower, upper, p))


@dispatch.truncated_quantile.register(GeometricRV)
def _(op, q, lower, upper, p):
    gone = pt.log1p(q * pt.expm1(-_geometric_width(lower, upper, p)))
    return pt.maximum(lower - 1 + pt.ceil(gone / pt.log1p(-p)), lower)


@dispatch.support.register(DiscreteWeibullRV)
def _(op, q, beta):
    return 0.0, np.inf


@dispatch.legal.register(DiscreteWeibullRV)
def _(op, q, beta):
    return (q > 0, q < 1, beta > 0), "0 < q < 1, beta > 0"


def _power_step(start, end, beta):
    """The difference end^beta - start^beta for end > start >= 0, whichever are near."""
    positive = start > 0
    base = pt.switch(positive, start, 1.0)
    step = base**beta * pt.expm1(beta * pt.log1p((pt.switch(positive, end, 1.0) - base) / base))
    from_zero = pt.switch(positive, 1.0, end) ** beta
    return pt.switch(positive, step, from_zero)


def _weibull_width(lower, upper, q, beta):
    """Log of P(X >= lower) over P(X > upper)."""
    bounded = pt.isfinite(upper)
    end = pt.switch(bounded, upper, lower) + 1
    width = pt.switch(bounded, _power_step(lower, end, beta), np.inf)
    return scaled_distance(width, -1 / pt.log(q))


@dispatch.log_interval_mass.register(DiscreteWeibullRV)
def _(op, lower, upper, q, beta):
    positive = lower > 0
    start = pt.switch(positive, pt.switch(positive, lower, 1.0) ** beta, 0.0)
    return start * pt.log(q) + log1mexp(_weibull_width(lower, upper, q, beta))


@dispatch.truncated_logp.register(DiscreteWeibullRV)
def _(op, value, lower, upper, q, beta):
    above = value > lower
    end = pt.switch(above, value, lower + 1)
    fall = pt.switch(above, _power_step(lower, end, beta), 0.0) * pt.log(q)
    own = log1mexp(-pt.log(q) * _power_step(value, value + 1, beta))
    return fall + own - log1mexp(_weibull_width(lower, upper, q, beta))


@dispatch.truncated_quantile.register(DiscreteWeibullRV)
def _(op, u, lower, upper, q, beta):
    gone = pt.log1p(u * pt.expm1(-_weibull_width(lower, upper, q, beta))) / pt.log(q)
    return pt.maximum(pt.ceil((lower**beta + gone) ** (1 / beta)) - 1, lower)


@dispatch.support.register(DiscreteUniformRV)
def _(op, first, last):
    return first, last


@dispatch.legal.register(DiscreteUniformRV)
def _(op, first, last):
    return (first <= last,), "lower <= upper"


@dispatch.log_interval_mass.register(DiscreteUniformRV)
def _(op, lower, upper, first, last):
    return pt.log((upper - lower + 1) / (last - first + 1))


@dispatch.truncated_logp.register(DiscreteUniformRV)
def _(op, value, lower, upper, first, last):
    return pt.zeros_like(value) - pt.log(upper - lower + 1)


@dispatch.truncated_quantile.register(DiscreteUniformRV)
def _(op, q, lower, upper, first, last):
    return pt.maximum(lower - 1 + pt.ceil(q * (upper - lower + 1)), lower)


@dispatch.truncated_mean.register(DiscreteUniformRV)
def _(op, lower, upper, first, last):
    return lower / 2 + upper / 2


@dispatch.support.register(BernoulliRV)
def _(op, p):
    return 0.0, 1.0


@dispatch.legal.register(BernoulliRV)
def _(op, p):
    return (p >= 0, p <= 1), "0 <= p <= 1"


def _bernoulli_shares(lower, upper, p):
    """Masses at 0 and at 1, 0 outside the bounds."""
    return pt.switch(lower > 0, 0.0, 1 - p), pt.switch(upper < 1, 0.0, p)


def _log(share):
    """Log of a share, without derivatives at 0."""
    positive = share > 0
    return pt.switch(positive, pt.log(pt.switch(positive, share, 1)), -np.inf)


def _checked(result, mass, **kwargs):
    """The result, or an error where no number between the bounds has mass."""
    words = "the parameters give mass to a number between the truncation bounds"
    return check_parameters(result, mass > 0, msg=words, **kwargs)


@dispatch.log_interval_mass.register(BernoulliRV)
def _(op, lower, upper, p):
    return pt.log(sum(_bernoulli_shares(lower, upper, p)))


@dispatch.truncated_logp.register(BernoulliRV)
def _(op, value, lower, upper, p):
    mass = sum(_bernoulli_shares(lower, upper, p))
    own = pt.switch(value > 0, _log(p), _log(1 - p))
    return _checked(own - pt.log(mass), mass)


@dispatch.truncated_quantile.register(BernoulliRV)
def _(op, q, lower, upper, p):
    at_zero, at_one = _bernoulli_shares(lower, upper, p)
    mass = at_zero + at_one
    mass = _checked(mass, mass, can_be_replaced_by_ninf=False)
    return (q * mass > at_zero).astype("float64")


@dispatch.support.register(CategoricalRV)
def _(op, p):
    return 0.0, (p.shape[-1] - 1).astype("float64")


@dispatch.legal.register(CategoricalRV)
def _(op, p):
    whole = pt.isclose(p.sum(axis=-1), 1)
    return ((p >= 0).all(axis=-1), whole), "0 <= p, sum(p) = 1"


def _categorical_shares(lower, upper, p):
    """Mass of each category, 0 outside the bounds."""
    k = pt.arange(p.shape[-1])
    inside = pt.and_(k >= lower[..., None], k <= upper[..., None])
    return pt.switch(inside, p, 0.0)


@dispatch.log_interval_mass.register(CategoricalRV)
def _(op, lower, upper, p):
    return pt.log(_categorical_shares(lower, upper, p).sum(axis=-1))


@dispatch.truncated_logp.register(CategoricalRV)
def _(op, value, lower, upper, p):
    own = pt.switch(pt.eq(pt.arange(p.shape[-1]), value[..., None]), p, 0.0).sum(axis=-1)
    mass = _categorical_shares(lower, upper, p).sum(axis=-1)
    return _checked(pt.log(own) - pt.log(mass), mass)


@dispatch.truncated_quantile.register(CategoricalRV)
def _(op, q, lower, upper, p):
    cumulative = pt.cumsum(_categorical_shares(lower, upper, p), axis=-1)
    mass = cumulative[..., -1]
    target = q * _checked(mass, mass, can_be_replaced_by_ninf=False)
    return (cumulative < target[..., None]).sum(axis=-1).astype("float64")
