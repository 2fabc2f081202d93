"""Families that users bring: what `Truncated` makes of what they say of themselves."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

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
