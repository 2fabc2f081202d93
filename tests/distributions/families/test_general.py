"""Families that users bring: what `Truncated` makes of what they say of themselves."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.distributions.continuous import BoundedContinuous, PositiveContinuous
from pymc.distributions.transforms import Interval
from pytensor.tensor.random.op import RandomVariable
from scipy import stats

from pymc_safetrunc._upstream import default_transform
from pymc_safetrunc.distributions.truncated import Truncated

# Interpreted: what is evaluated once is not worth compiling.
PLAIN = pytensor.compile.mode.Mode(linker="py", optimizer=None)


def log_exponential(value, rate):
    return pt.log(rate) - rate * value


def draw_exponential(rate, rng=None, size=None):
    return rng.exponential(1 / rate, size)


@pytest.mark.parametrize(
    "support_point",
    [None, lambda rv, size, rate: pt.full_like(rv, 1 / rate)],
    ids=["default", "own"],
)
def test_a_support_point_of_the_variable_itself(support_point):
    """Its shape alone is asked: a draw has no part in the law."""
    base = pm.CustomDist.dist(
        pt.vector("rate"),
        logp=log_exponential,
        random=draw_exponential,
        support_point=support_point,
    )
    rate = np.array([0.5, 2.0])
    law = Truncated.dist(base, lower=1.0, upper=3.0)
    (parameter,) = pytensor.graph.traversal.explicit_graph_inputs(law)
    logp = pm.logp(law, 1.5)
    truth = stats.truncexpon(2 * rate, 1, 1 / rate).logpdf(1.5)
    np.testing.assert_allclose(logp.eval({parameter: rate}, mode=PLAIN), truth, rtol=1e-9)


def test_a_law_that_is_drawn_by_a_graph():
    base = pm.CustomDist.dist(
        0.5,
        dist=lambda rate, size: pm.Exponential.dist(rate, size=size),
        logp=log_exponential,
    )
    found = pm.logp(Truncated.dist(base, lower=1.0, upper=3.0), 1.5).eval(mode=PLAIN)
    np.testing.assert_allclose(found, stats.truncexpon(1.0, 1, 2.0).logpdf(1.5), rtol=1e-9)


class DecayRV(RandomVariable):
    """An exponential law whose class alone says that it is of positive numbers."""

    name = "decay"
    signature = "()->()"
    dtype = "floatX"
    _print_name = ("Decay", "Decay")
    rng_fn = staticmethod(draw_exponential)


class Decay(PositiveContinuous):
    rv_op = DecayRV()

    @classmethod
    def dist(cls, rate, **kwargs):
        return super().dist([rate], **kwargs)

    def support_point(rv, size, rate):
        return 1 / rate

    logp = staticmethod(log_exponential)


class SlopeRV(DecayRV):
    """A density that falls from its lower parameter to 0 at its upper one."""

    name = "slope"
    signature = "(),()->()"


class Slope(BoundedContinuous):
    rv_op = SlopeRV()

    @classmethod
    def dist(cls, low, high, **kwargs):
        return super().dist([low, high], **kwargs)

    def support_point(rv, size, low, high):
        return (2 * low + high) / 3

    def logp(value, low, high):
        return pt.log(2 * (high - value)) - 2 * pt.log(high - low)


@default_transform.register(SlopeRV)
def _(op, rv):
    # as PyMC writes it for Pareto and others, by the variable
    _, _, low, high = rv.owner.inputs
    return Interval(bounds_fn=lambda *inputs: (low, high))


def test_the_default_transform_says_where_a_family_lives():
    """A density that jumps at the edge of its support is not to be looked for beyond it."""
    rates = np.array([0.1, 0.5, 1.0, 3.0, 10.0])
    outputs = [
        pm.logp(Truncated.dist(Decay.dist(rates), upper=3.0), 1.0),
        pm.logp(Truncated.dist(Slope.dist(1.0, 3.0), upper=2.0), 1.5),
    ]
    found, of_slope = pytensor.function([], outputs, mode=PLAIN)()
    np.testing.assert_allclose(
        found, stats.truncexpon(3 * rates, 0, 1 / rates).logpdf(1.0), rtol=0, atol=1e-12
    )
    # (3 - x)/2 from 1 to 2 has an area of 3/4
    np.testing.assert_allclose(of_slope, np.log(0.75 / 0.75), atol=1e-12)
    with pytest.raises(ValueError, match=r"Decay lives between 0\.0 and inf"):
        Truncated.dist(Decay.dist(1.0), upper=-1.0)


def log_poisson(value, mu):
    return value * pt.log(mu) - mu - pt.gammaln(value + 1)


@pytest.mark.parametrize("in_a_mixture", [False, True])
def test_a_discrete_law_of_ones_own_is_not_integrated(in_a_mixture):
    base = pm.CustomDist.dist(
        3.0,
        logp=log_poisson,
        random=lambda mu, rng=None, size=None: rng.poisson(mu, size),
        dtype="int64",
    )
    if in_a_mixture:
        base = pm.Mixture.dist([0.5, 0.5], [base, pm.Poisson.dist(1.0)])
    with pytest.raises(NotImplementedError, match=r"discrete.*pm\.Truncated takes it"):
        Truncated.dist(base, lower=2)
