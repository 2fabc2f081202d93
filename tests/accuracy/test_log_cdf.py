"""Log CDF, survival function, quantile and moments against stored mpmath results."""

import numpy as np
import pytensor.tensor as pt
import pytest

import pymc_safetrunc as pst
from tests.accuracy import budget
from tests.backends import LINKERS, compiled

PARAMETERS = ("mu", "sigma", "lower", "upper")
INPUTS = ("x", *PARAMETERS)


def gradient_of(name, function, variables, mode):
    """Value and gradient, as a dictionary of the table's column names."""
    value = function(*variables)
    outputs = [value, *pt.grad(value.sum(), variables)]
    return compiled(variables, outputs, mode)


@pytest.fixture(scope="module")
def table():
    return budget.load("log_cdf")


@pytest.mark.parametrize("mode", LINKERS)
@pytest.mark.parametrize(
    ("column", "prefix", "function"),
    [
        ("logcdf", "cdf", pst.math.truncated_normal_logcdf),
        ("logsf", "sf", pst.math.truncated_normal_logsf),
    ],
)
def test_log_tails(table, mode, column, prefix, function):
    variables = [pt.dvector(name) for name in INPUTS]
    got, *gradient = gradient_of(column, function, variables, mode)(*(table[k] for k in INPUTS))
    errors = budget.log_cdf_error(got, table[column], table[f"{prefix}_conditioning"])
    assert errors.max() <= budget.LOG_CDF_GUARD, budget.worst(errors, table)
    for name, slope in zip(INPUTS, gradient, strict=True):
        truth = table[f"{prefix}_d_{name}"]
        errors = budget.log_cdf_gradient_error(slope, truth, table["sigma"])
        limit = budget.LOG_CDF_GRADIENT_GUARD
        assert errors.max() <= limit, f"d/d{name}:\n{budget.worst(errors, table)}"


@pytest.mark.parametrize("mode", LINKERS)
def test_quantile(table, mode):
    variables = [pt.dvector(name) for name in ("q", *PARAMETERS)]
    function = compiled(variables, pst.math.truncated_normal_icdf(*variables), mode)
    errors = budget.quantile_error(function(*(table[k] for k in ("q", *PARAMETERS))), table)
    assert errors.max() <= budget.QUANTILE_LIMIT, budget.worst(errors, table)


@pytest.mark.parametrize("mode", LINKERS)
def test_mean_and_variance(table, mode):
    variables = [pt.dvector(name) for name in PARAMETERS]
    mean = pst.math.truncated_normal_mean(*variables)
    variance = pst.math.truncated_normal_variance(*variables)
    outputs = [mean, variance, *pt.grad(mean.sum(), variables)]
    got_mean, got_variance, *slopes = compiled(variables, outputs, mode)(
        *(table[k] for k in PARAMETERS)
    )
    errors = budget.mean_error(got_mean, table)
    assert errors.max() <= budget.MEAN_LIMIT, budget.worst(errors, table)
    errors = budget.error(got_variance, table["variance"])
    assert errors.max() <= budget.VARIANCE_GUARD, budget.worst(errors, table)
    for (name, scale), slope in zip(
        budget.mean_gradient_scales(table).items(), slopes, strict=True
    ):
        errors = budget.error(slope, table[name], scale)
        assert errors.max() <= budget.MEAN_GRADIENT_GUARD, f"{name}\n{budget.worst(errors, table)}"


@pytest.mark.parametrize("mode", LINKERS)
def test_log_ndtr(mode):
    table = budget.load("log_ndtr")
    x = pt.dvector("x")
    got, slope = gradient_of("value", pst.math.log_ndtr, [x], mode)(table["x"])
    errors = budget.log_cdf_error(got, table["value"], table["conditioning"])
    assert errors.max() <= budget.LOG_CDF_GUARD, budget.worst(errors, table)
    errors = budget.log_cdf_gradient_error(slope, table["d_x"])
    assert errors.max() <= budget.LOG_CDF_GRADIENT_GUARD, budget.worst(errors, table)


@pytest.mark.parametrize("mode", LINKERS)
def test_log_ndtr_interval(mode):
    table = budget.load("log_ndtr_interval")
    a, b = pt.dvectors("a", "b")
    got, d_a, d_b = gradient_of("value", pst.math.log_ndtr_interval, [a, b], mode)(
        table["a"], table["b"]
    )
    errors = budget.log_cdf_error(got, table["value"], table["conditioning"])
    assert errors.max() <= budget.LOG_CDF_GUARD, budget.worst(errors, table)
    for slope, column in ((d_a, "d_a"), (d_b, "d_b")):
        errors = budget.log_cdf_gradient_error(slope, table[column])
        assert errors.max() <= budget.LOG_CDF_GRADIENT_GUARD, budget.worst(errors, table)


def test_variance_gradient_and_quantile_gradient_by_differences():
    """Central differences of mpmath-checked values, where the tables hold no derivative."""
    mu, sigma, lower, upper, q = (
        np.array(v)
        for v in (
            [0.3, -2.0, 0.0, 0.1, 1.0],
            [1.1, 0.7, 1.0, 2.0, 0.5],
            [-1.0, 0.0, 0.0, -1.5, 0.2],
            [2.0, 3.0, 0.4, 1.0, 1.1],
            [0.2, 0.7, 0.5, 0.93, 0.08],
        )
    )
    step = 1e-5
    for function, values in (
        (pst.math.truncated_normal_variance, [mu, sigma, lower, upper]),
        (pst.math.truncated_normal_icdf, [q, mu, sigma, lower, upper]),
    ):
        variables = [pt.dvector() for _ in values]
        value = function(*variables)
        evaluate = compiled(variables, value, "NUMBA")
        slopes = compiled(variables, pt.grad(value.sum(), variables), "NUMBA")(*values)
        for i, slope in enumerate(slopes):
            up, down = ([*values[:i], values[i] + d, *values[i + 1 :]] for d in (step, -step))
            difference = (evaluate(*up) - evaluate(*down)) / (2 * step)
            # rounding 1e-16/step plus truncation step^2 times a third derivative of order one
            np.testing.assert_allclose(slope, difference, rtol=1e-7, atol=1e-9)
