"""`pst.TruncatedNormal` under PyMC's own checks of a distribution, and the gradients at its bounds.

Domains, decimals and skipped parts are those PyMC uses for its own truncated normal: the bounds
are 0 at the edge of their domains, where they would be legal.
"""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.distributions.moments import mean
from pymc.testing import (
    R,
    Rplusbig,
    check_icdf,
    check_logccdf,
    check_logcdf,
    check_selfconsistency_icdf,
)
from scipy import stats

import pymc_safetrunc as pst

INF = np.inf
DOMAINS = {"mu": R, "sigma": Rplusbig, "lower": -Rplusbig, "upper": Rplusbig}


def truncnorm(mu, sigma, lower, upper):
    return stats.truncnorm((lower - mu) / sigma, (upper - mu) / sigma, loc=mu, scale=sigma)


def logcdf(value, **law):
    return truncnorm(**law).logcdf(value)


def logsf(value, **law):
    return truncnorm(**law).logsf(value)


@pytest.mark.parametrize(("check", "reference"), [(check_logcdf, logcdf), (check_logccdf, logsf)])
def test_check_log_tails(check, reference):
    check(
        pst.TruncatedNormal,
        R,
        DOMAINS,
        reference,
        decimal=6,
        skip_paramdomain_outside_edge_test=True,
    )


def test_check_icdf():
    check_icdf(
        pst.TruncatedNormal,
        DOMAINS,
        lambda q, **law: truncnorm(**law).ppf(q),
        skip_paramdomain_outside_edge_test=True,
    )


def test_check_selfconsistency_icdf():
    check_selfconsistency_icdf(pst.TruncatedNormal, DOMAINS)


@pytest.mark.parametrize("size", [None, (2, 4)])
def test_mean(size):
    law = {
        "mu": np.array([0.3, -2.0, 1.0, 0.0]),
        "sigma": np.array([1.5, 1.0, 0.2, 4.0]),
        "lower": np.array([-1.0, 0.0, -INF, -INF]),
        "upper": np.array([2.0, INF, 0.8, INF]),
    }
    got = mean(pst.TruncatedNormal.dist(**law, size=size)).eval()
    expected = truncnorm(**law).mean()
    assert got.shape == (size or (4,))
    # in these bodies scipy's moments have some thirteen digits
    np.testing.assert_allclose(got, np.broadcast_to(expected, got.shape), rtol=1e-12, atol=1e-15)


LAWS = {
    "body": (0.3, 1.5, -1.0, 2.0),
    "right tail": (-50.0, 1.0, 0.0, 3.0),
    "left tail": (50.0, 1.0, -3.0, 0.0),
    "one bound": (-9.0, 1.0, 1.0, INF),
    "one bound, to the left": (9.0, 1.0, -INF, -1.0),
    "narrow": (0.0, 1.0, 1.0, 1.0 + 1e-12),
}


@pytest.fixture(scope="module", params=["logcdf", "logccdf", "icdf"])
def function(request):
    """One of PyMC's functions of the law and its five slopes, all arguments given at run time."""
    variables = pt.dvectors("value", "mu", "sigma", "lower", "upper")
    value, mu, sigma, lower, upper = variables
    law = pst.TruncatedNormal.dist(mu, sigma, lower=lower, upper=upper)
    output = getattr(pm, request.param)(law, value)
    evaluate = pytensor.function(variables, [output, *pt.grad(output.sum(), variables)])
    return request.param, evaluate


def around(bound, inward):
    """The bound, the float outside it and the next one inside; nothing for an infinite bound."""
    if np.isinf(bound):
        return []
    # one step from 0 the slope of log(x - lower), 1/5e-324, is beyond the floats
    inside = np.copysign(1e-300, inward) if bound == 0 else np.nextafter(bound, inward)
    return [bound, float(np.nextafter(bound, -inward)), float(inside)]


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_slopes_at_the_bounds(function, law):
    """Finite on the bounds and beside them, on either side."""
    name, evaluate = function
    _, _, lower, upper = law
    if name == "icdf":
        values = [q for q, bound in ((0.0, lower), (1.0, upper)) if np.isfinite(bound)]
        values += [1e-300, 1e-17, 0.5, 1 - 2**-53]
    else:
        values = [*around(lower, INF), *around(upper, -INF)]
    rows = np.broadcast_to(np.array(law)[:, None], (4, len(values)))
    _, *slopes = evaluate(np.array(values), *rows)
    for argument, slope in zip(("value", "mu", "sigma", "lower", "upper"), slopes, strict=True):
        assert np.isfinite(slope).all(), (argument, values, slope)


def test_slope_beside_a_bound():
    """One float above 1, log CDF is log(x - 1) + log density at 1: the slope is 2^52."""
    law, x = pst.TruncatedNormal.dist(0, 1, lower=1, upper=pt.constant(INF)), pt.dscalar()
    slope = pytensor.function([x], pt.grad(pm.logcdf(law, x), x))
    assert slope(1 + 2**-52) == pytest.approx(2**52, rel=1e-9)
