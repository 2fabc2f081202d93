"""A bambi model nobody can edit, with a truncation bound that is infinite for some rows."""

import bambi
import numpy as np
import pandas as pd
import pymc as pm
import pytest

import pymc_safetrunc as pst
from tests.backends import GRAPH_MODES

pytestmark = pytest.mark.usefixtures("without_c")


@pytest.fixture(scope="module")
def data():
    """A survey: a bright limit for two thirds of the rows and none for the others."""
    rng = np.random.default_rng(1)
    n = 300
    x = rng.normal(size=n)
    y = 1.0 + 0.5 * x + rng.normal(scale=0.8, size=n)
    limit = np.where(np.arange(n) % 3 == 0, np.inf, 1.5)
    seen = y < limit
    return pd.DataFrame({"x": x, "y": y, "limit": limit})[seen].reset_index(drop=True)


# Given, as bambi would scale its own by the mean of all columns, infinite bounds included.
PRIORS = {
    "Intercept": {"mu": 0.0, "sigma": 5.0},
    "x": {"mu": 0.0, "sigma": 5.0},
    "sigma": {"nu": 4.0, "sigma": 2.0},
}


def of_bambi(data):
    priors = {
        name: bambi.Prior("HalfStudentT" if name == "sigma" else "Normal", **arguments)
        for name, arguments in PRIORS.items()
    }
    with np.errstate(invalid="ignore"):
        model = bambi.Model(
            "truncated(y, ub=limit) ~ x", data, priors=priors, center_predictors=False
        )
        model.build()
    return model


def by_hand(data):
    with pm.Model() as model:
        intercept, slope = (pm.Normal(name, **PRIORS[name]) for name in ("Intercept", "x"))
        sigma = pm.HalfStudentT("sigma", **PRIORS["sigma"])
        mu = intercept + slope * data.x.to_numpy()
        pst.TruncatedNormal("y", mu, sigma, upper=data.limit.to_numpy(), observed=data.y)
    return model


@pytest.mark.parametrize("mode", GRAPH_MODES)
def test_agrees_with_the_one_written_by_hand(data, mode):
    model = of_bambi(data)
    twin = by_hand(data)
    # the model was built without install(): it fails as it stands, and is safe under it
    point = twin.initial_point()
    assert np.isnan(model.backend.model.compile_dlogp(mode=mode)(point)).any()
    with pst.installed():
        ours = model.backend.model
        densities = [m.compile_logp(mode=mode)(point) for m in (ours, twin)]
        gradients = [
            m.compile_dlogp([m[name] for name in PRIORS], mode=mode)(point) for m in (ours, twin)
        ]
    np.testing.assert_allclose(*densities)
    np.testing.assert_allclose(*gradients, rtol=1e-10)


def test_samples_where_it_failed(data):
    settings = {"draws": 300, "tune": 300, "chains": 2, "cores": 1, "random_seed": 1}
    settings |= {"progressbar": False, "compute_convergence_checks": False}
    model = of_bambi(data)
    with pst.installed():
        mine = model.fit(**settings)
    with by_hand(data):
        twin = pm.sample(**settings)
    assert int(mine.sample_stats.diverging.sum()) == 0
    for name in ("Intercept", "x", "sigma"):
        a, b = (np.asarray(run.posterior[name]).ravel() for run in (mine, twin))
        assert abs(a.mean() - b.mean()) < 5 * np.hypot(a.std(), b.std()) / np.sqrt(150), name
    # what the data were made with
    assert abs(float(mine.posterior["x"].mean()) - 0.5) < 0.25


def test_without_it_nothing_moves(data):
    """What the two tests above would hide if PyMC were mended one day."""
    model = of_bambi(data)
    with pytest.raises(pst.SamplingAborted, match="gradient"), model.backend.model:
        pst.sample(
            draws=20, tune=20, chains=1, cores=1, random_seed=1,
            quiet=True, nuts_sampler="pymc",
        )  # fmt: skip
