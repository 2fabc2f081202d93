"""The same table when JAX differentiates the compiled forward graph, as its samplers do."""

import pytensor.tensor as pt
import pytest

import pymc_safetrunc as pst
from tests import optional
from tests.accuracy import budget
from tests.accuracy.test_truncated_normal import COLUMNS, INPUTS

jax = optional.require("jax")


@pytest.fixture(scope="module")
def table():
    return budget.load("truncated_normal")


@pytest.fixture(scope="module")
def evaluated(table):
    from pymc.sampling.jax import get_jaxified_graph

    variables = [pt.dvector(name) for name in INPUTS]
    forward = get_jaxified_graph(variables, [pst.math.truncated_normal_logpdf(*variables)])

    def logp(arguments):
        return forward(*arguments)[0]

    def second(arguments):
        """Derivatives of d_mu and d_sigma along mu, then along sigma."""
        gradient = jax.grad(lambda v: logp(v).sum())
        ones, zeros = jax.numpy.ones_like(arguments[0]), jax.numpy.zeros_like(arguments[0])
        along = [
            jax.jvp(gradient, (arguments,), ([ones if i == k else zeros for i in range(5)],))[1]
            for k in (1, 2)
        ]
        return along[0][1], along[0][2], along[1][2]

    @jax.jit
    def all_columns(arguments):
        gradient = jax.grad(lambda v: logp(v).sum())(arguments)
        return [logp(arguments), *gradient, *second(arguments)]

    arguments = [jax.numpy.asarray(table[name]) for name in INPUTS]
    return dict(zip(COLUMNS, all_columns(arguments), strict=True))


@pytest.mark.parametrize("column", COLUMNS)
def test_within_budget(table, evaluated, column):
    errors = budget.error(evaluated[column], table[column], budget.scales(table)[column])
    assert errors.max() <= budget.guard(column), budget.worst(errors, table)
