import pymc as pm
import pytest
from matplotlib import pyplot as plt

from pymc_safetrunc.watchdog import SamplingAborted, sample


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def settings():
    return {
        "chains": 2,
        "cores": 1,
        "nuts_sampler": "pymc",
        "quiet": True,
        "compute_convergence_checks": False,
    }


@pytest.fixture(scope="session")
def funnel(settings):
    """Neal's funnel, whose neck no step size fits, with the group of the watchdog."""
    with pm.Model():
        scale = pm.LogNormal("scale", 0, 1.5)
        pm.Normal("x", 0, scale, shape=3)
        return sample(
            300, tune=200, random_seed=3, idata_kwargs={"include_transformed": True}, **settings
        )


@pytest.fixture(scope="session")
def aborted(settings):
    """A run that meets a cliff and is stopped among its draws."""
    with pm.Model() as model:
        load = pm.NormalMixture("load", w=[0.5, 0.5], mu=[0, 6], sigma=1)
        pm.Normal("strength", pm.math.sqrt(5 - load), 1, observed=1.0)
    with pytest.raises(SamplingAborted) as stop:
        sample(2000, random_seed=20, model=model, **settings)
    return stop.value
