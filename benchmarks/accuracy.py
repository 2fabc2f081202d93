"""Largest errors against the stored mpmath tables, for each family of columns and linker.

Relative to the larger of the truth and the natural scale of the column, as `tests.accuracy.budget`
defines them; the mean in units of 2 ulp or 1e-13 standard deviations, the quantile in those of an
ulp or 2.2e-16 standard deviations, whichever is larger.
"""

from collections.abc import Iterator

import numpy as np
import pytensor
import pytensor.tensor as pt

import pymc_safetrunc as pst
from tests.accuracy import budget

LINKERS = ("NUMBA", "CVM", "C", "JAX")
PARAMETERS = ("mu", "sigma", "lower", "upper")
INPUTS = ("x", *PARAMETERS)

# What was measured, the largest error, the limit.
Figure = tuple[str, float, float]


def run():
    for linker in LINKERS:
        for family in (log_density, log_tails, quantile, moments, log_probabilities):
            for what, error, limit in family(linker):
                yield f"{what} ({linker})", error, limit, ""


def log_density(linker: str) -> Iterator[Figure]:
    table = budget.load("truncated_normal")
    variables = pt.dvectors(*INPUTS)
    _, mu, sigma, _, _ = variables
    value, gradient = value_and_gradient(pst.math.truncated_normal_logpdf, variables)
    d_mu, d_sigma = gradient[1].sum(), gradient[2].sum()
    second = [pt.grad(d_mu, mu), pt.grad(d_mu, sigma), pt.grad(d_sigma, sigma)]
    columns = ("logp", *budget.GRADIENTS, *budget.SECOND_DERIVATIVES)
    got = evaluated(variables, [value, *gradient, *second], table, INPUTS, linker)
    scales = budget.scales(table)
    errors = {
        name: budget.error(column, table[name], scales[name]).max()
        for name, column in zip(columns, got, strict=True)
    }
    for what, names in (
        ("log density", ("logp",)),
        ("gradient of log density", budget.GRADIENTS),
        ("second derivatives of log density", budget.SECOND_DERIVATIVES),
    ):
        yield what, max(errors[name] for name in names), budget.limit(names[0])


def log_tails(linker: str) -> Iterator[Figure]:
    table = budget.load("log_cdf")
    variables = pt.dvectors(*INPUTS)
    for what, column, prefix, function in (
        ("log CDF", "logcdf", "cdf", pst.math.truncated_normal_logcdf),
        ("log survival", "logsf", "sf", pst.math.truncated_normal_logsf),
    ):
        value, gradient = value_and_gradient(function, variables)
        got, *slopes = evaluated(variables, [value, *gradient], table, INPUTS, linker)
        error = budget.log_cdf_error(got, table[column], table[f"{prefix}_conditioning"])
        yield what, error.max(), budget.LOG_CDF_LIMIT
        truths = [table[f"{prefix}_d_{name}"] for name in INPUTS]
        yield gradient_figure(what, slopes, truths, table["sigma"])


def quantile(linker: str) -> Iterator[Figure]:
    table = budget.load("log_cdf")
    names = ("q", *PARAMETERS)
    variables = pt.dvectors(*names)
    value = pst.math.truncated_normal_icdf(*variables)
    (got,) = evaluated(variables, [value], table, names, linker)
    yield "quantile, in units", budget.quantile_error(got, table).max(), budget.QUANTILE_LIMIT


def moments(linker: str) -> Iterator[Figure]:
    table = budget.load("log_cdf")
    variables = pt.dvectors(*PARAMETERS)
    mean, gradient = value_and_gradient(pst.math.truncated_normal_mean, variables)
    variance = pst.math.truncated_normal_variance(*variables)
    outputs = [mean, variance, *gradient]
    got_mean, got_variance, *slopes = evaluated(variables, outputs, table, PARAMETERS, linker)
    yield "mean, in units", budget.mean_error(got_mean, table).max(), budget.MEAN_LIMIT
    error = max(
        budget.error(slope, table[name], scale).max()
        for slope, (name, scale) in zip(
            slopes, budget.mean_gradient_scales(table).items(), strict=True
        )
    )
    yield "gradient of mean", error, budget.MEAN_GRADIENT_LIMIT
    error = budget.error(got_variance, table["variance"]).max()
    yield "variance", error, budget.VARIANCE_LIMIT


def log_probabilities(linker: str) -> Iterator[Figure]:
    for what, function, names in (
        ("log_ndtr", pst.math.log_ndtr, ("x",)),
        ("log_ndtr_interval", pst.math.log_ndtr_interval, ("a", "b")),
    ):
        table = budget.load(what)
        variables = [pt.dvector(name) for name in names]
        value, gradient = value_and_gradient(function, variables)
        got, *slopes = evaluated(variables, [value, *gradient], table, names, linker)
        error = budget.log_cdf_error(got, table["value"], table["conditioning"])
        yield what, error.max(), budget.LOG_CDF_LIMIT
        yield gradient_figure(what, slopes, [table[f"d_{name}"] for name in names], 1.0)


def value_and_gradient(function, variables):
    value = function(*variables)
    return value, pt.grad(value.sum(), variables)


def evaluated(variables, outputs, table, names, linker) -> list[np.ndarray]:
    function = pytensor.function(variables, outputs, mode=linker, on_unused_input="ignore")
    return function(*(table[name] for name in names))


def gradient_figure(what, slopes, truths, sigma) -> Figure:
    error = max(
        budget.log_cdf_gradient_error(slope, truth, sigma).max()
        for slope, truth in zip(slopes, truths, strict=True)
    )
    return f"gradient of {what}", error, budget.LOG_CDF_GRADIENT_LIMIT


if __name__ == "__main__":
    for row in run():
        print(row)
