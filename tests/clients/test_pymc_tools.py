"""What PyMC and ArviZ do with a model works on the safe distributions as on PyMC's."""

import arviz as az
import cloudpickle
import numpy as np
import pymc as pm
import pytest

import pymc_safetrunc as pst
from tests.backends import GRAPH_MODES

pytestmark = pytest.mark.usefixtures("without_c")

LIMITS = np.tile([1.0, 2.0, np.inf, 4.0], 5)
DATA = LIMITS.clip(max=6.0) * np.linspace(0.2, 0.9, 20)


@pytest.fixture(scope="module")
def model():
    with pm.Model(coords={"row": range(20)}) as model:
        s = pm.HalfNormal("s", 10)
        rate = pm.HalfNormal("rate", 1.0)
        limits = pm.Data("limits", LIMITS, dims="row")
        pst.TruncatedNormal("y", 0, s, lower=0, upper=limits, observed=DATA, dims="row")
        delay = pm.Exponential.dist(rate)
        pst.Truncated("delay", delay, lower=0.1, upper=limits, observed=DATA, dims="row")
        pst.Truncated("free", pm.Exponential.dist(rate), lower=50.0)
    return model


@pytest.fixture(scope="module")
def idata(model):
    with model:
        return pm.sample(
            200, tune=200, chains=2, cores=1, random_seed=1,
            progressbar=False, compute_convergence_checks=False,
        )  # fmt: skip


def test_log_likelihood_and_loo(model, idata):
    with model:
        pm.compute_log_likelihood(idata, progressbar=False)
    assert np.isfinite(idata.log_likelihood["y"]).all()
    loo = az.loo(idata, var_name="y")
    assert np.isfinite(loo.elpd)


def test_posterior_predictive(model, idata):
    with model:
        drawn = pm.sample_posterior_predictive(idata, progressbar=False, random_seed=1)
    y = drawn.posterior_predictive["y"]
    assert ((y > 0) & (y < LIMITS)).all()
    assert (drawn.posterior_predictive["delay"] >= 0.1).all()


def test_graphviz(model):
    graph = pm.model_to_graphviz(model).source
    assert graph.count("Truncated_normal") == 1
    assert graph.count('\nTruncated"') == 2


@pytest.mark.parametrize("mode", GRAPH_MODES)
def test_freeze_dims_and_data(model, mode):
    frozen = pm.model.transform.optimization.freeze_dims_and_data(model)
    point = model.initial_point()
    densities = [m.compile_logp(mode=mode)(point) for m in (frozen, model)]
    np.testing.assert_allclose(*densities)


@pytest.mark.parametrize("mode", GRAPH_MODES)
def test_cloudpickle(model, mode):
    again = cloudpickle.loads(cloudpickle.dumps(model))
    point = model.initial_point()
    assert again.compile_logp(mode=mode)(point) == model.compile_logp(mode=mode)(point)


@pytest.mark.parametrize("mode", GRAPH_MODES)
def test_censored_beside_truncation(mode):
    """A detector that saturates at 3 sees sources above 1 only."""
    with pm.Model() as model:
        s = pm.HalfNormal("s")
        flux = pst.TruncatedNormal.dist(0, s, lower=1.0)
        pm.Censored("seen", flux, lower=None, upper=3.0, observed=[1.2, 3.0, 2.5])
    point = model.initial_point()
    assert np.isfinite(model.compile_dlogp(mode=mode)(point)).all()
    s = float(np.exp(point["s_log__"]))
    from scipy.stats import truncnorm

    law = truncnorm(1.0 / s, np.inf, scale=s)
    exact = law.logpdf([1.2, 2.5]).sum() + law.logsf(3.0)
    (got,) = model.compile_logp(vars=[model["seen"]], sum=False, mode=mode)(point)
    np.testing.assert_allclose(got.sum(), exact, rtol=1e-10)
