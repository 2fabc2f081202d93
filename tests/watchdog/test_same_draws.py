"""A healthy run under the watchdog is that of `pm.sample`, to the last bit."""

from functools import cache

import numpy as np
import pymc as pm
import pytest

from pymc_safetrunc.watchdog import sample

SETTINGS = {
    "draws": 25,
    "tune": 25,
    "chains": 2,
    "random_seed": 11,
    "quiet": True,
    "compute_convergence_checks": False,
}
# Statistics that tell the time.
CLOCKS = {"perf_counter_diff", "perf_counter_start", "process_time_diff", "sampling_time"}


def model():
    with pm.Model() as mixed:
        x = pm.Normal("x", shape=2)
        k = pm.Poisson("k", 3)
        pm.Normal("z", x.sum() + k, observed=2.0)
    return mixed


def continuous():
    with pm.Model() as smooth:
        x = pm.Normal("x", shape=2)
        pm.Normal("z", x.sum(), observed=0.5)
    return smooth


# A step keeps what it learnt, so each run builds its own.
KINDS = {
    "auto": (continuous, lambda m: {"nuts_sampler": "pymc"}),
    "adapt_diag": (continuous, lambda m: {"init": "adapt_diag"}),
    "jitter+adapt_full": (continuous, lambda m: {"init": "jitter+adapt_full"}),
    "Metropolis": (model, lambda m: {"step": pm.Metropolis()}),
    "Slice": (continuous, lambda m: {"step": pm.Slice()}),
    "compound": (model, lambda m: {"step": [pm.NUTS([m["x"]]), pm.Metropolis([m["k"]])]}),
    "chosen for it": (model, lambda m: {}),
}
PLACES = {
    "one core": {"cores": 1},
    "fork": {"cores": 2, "mp_ctx": "fork"},
    "forkserver": {"cores": 2, "mp_ctx": "forkserver"},
    "spawn": {"cores": 2, "mp_ctx": "spawn"},
}


def cases():
    for kind in KINDS:
        for place in PLACES:
            slow = place == "forkserver" or (place == "spawn" and kind != "auto")
            yield pytest.param(kind, place, marks=[pytest.mark.soak] if slow else [])


@cache
def plain(kind):
    build, options = KINDS[kind]
    with build() as m:
        return pm.sample(cores=1, **SETTINGS, **options(m))


@pytest.mark.filterwarnings("ignore:QuadPotentialFullAdapt is an experimental feature")
@pytest.mark.parametrize(("kind", "place"), list(cases()))
def test_draws_and_statistics_are_those_of_pm_sample(kind, place):
    build, options = KINDS[kind]
    with build() as m:
        watched = sample(**SETTINGS, **PLACES[place], **options(m))
    for group in ("posterior", "sample_stats"):
        theirs, ours = plain(kind)[group], watched[group]
        assert set(ours.data_vars) == set(theirs.data_vars)
        for name in set(theirs.data_vars) - CLOCKS:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
