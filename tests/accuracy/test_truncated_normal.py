"""The log-density, its gradient and second derivatives against 24,120 stored mpmath results."""

import pytensor.tensor as pt
import pytest

import pymc_safetrunc as pst
from tests.accuracy import budget
from tests.backends import LINKERS, compiled

INPUTS = ("x", "mu", "sigma", "lower", "upper")
COLUMNS = ("logp", *budget.GRADIENTS, *budget.SECOND_DERIVATIVES)


@pytest.fixture(scope="module")
def table():
    return budget.load("truncated_normal")


@pytest.fixture(scope="module", params=LINKERS)
def evaluated(request, table):
    variables = [pt.dvector(name) for name in INPUTS]
    _, mu, sigma, _, _ = variables
    logp = pst.math.truncated_normal_logpdf(*variables)
    gradient = pt.grad(logp.sum(), variables)
    d_mu, d_sigma = gradient[1].sum(), gradient[2].sum()
    second = [pt.grad(d_mu, mu), pt.grad(d_mu, sigma), pt.grad(d_sigma, sigma)]
    function = compiled(variables, [logp, *gradient, *second], request.param)
    return dict(zip(COLUMNS, function(*(table[name] for name in INPUTS)), strict=True))


@pytest.mark.parametrize("column", COLUMNS)
def test_within_budget(table, evaluated, column):
    errors = budget.error(evaluated[column], table[column], budget.scales(table)[column])
    assert errors.max() <= budget.guard(column), budget.worst(errors, table)
