"""NumPyro under the watchdog."""

from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest
import xarray as xr

from pymc_safetrunc.watchdog import SamplingAborted, WatchdogPolicy, sample
from pymc_safetrunc.watchdog.jax_verdict import judge
from tests import optional

optional.require("numpyro")


@pytest.fixture
def brief(settings):
    return settings | {"nuts_sampler": "numpyro"}


def test_draws_are_those_of_pm_sample(healthy, brief):
    with healthy:
        plain, watched = pm.sample(**brief), sample(**brief)
    np.testing.assert_array_equal(plain.posterior.x, watched.posterior.x)
    assert watched["watchdog"].attrs["sampler"] == "numpyro"


def test_the_doomed_model_is_stopped_before_it_starts(doomed, brief):
    with doomed, pytest.raises(SamplingAborted) as caught:
        sample(**brief)
    report = caught.value.report
    assert (report.sampler, report.phase) == ("numpyro", "initial point")
    assert {"s_log__", "V_interval__"} == set(report.point)
    assert "infinite, from up" in str(caught.value)


def test_a_limit_that_it_cannot_keep_is_refused(healthy, brief):
    with healthy, pytest.raises(ValueError, match="cannot be honoured by numpyro"):
        sample(watchdog=WatchdogPolicy(stall_seconds=60), **brief)


@pytest.mark.parametrize(
    ("policy", "limit", "run_length"),
    [({}, "max_nonfinite", 10), ({"max_divergent": 5}, "max_divergent", 5)],
)
def test_a_result_is_judged_before_it_is_handed_back(policy, limit, run_length, brief):
    with pm.Model():
        x = pm.Normal("x", initval=2.5)
        pm.Potential("cliff", pm.math.switch(x < 4, 0, np.nan) + 1e4 * x)
        with pytest.raises(SamplingAborted) as caught:
            sample(watchdog=WatchdogPolicy(**policy), **brief | {"draws": 40, "tune": 10})
    error = caught.value
    report = error.report
    assert (report.cause, report.limit, report.run_length) == ("logp-nan", limit, run_length)
    assert report.point["x"] > 4
    assert "cannot be stopped half-way" in str(error)
    assert error.idata.posterior.sizes == {"chain": 2, "draw": 40}
    assert set(error.chains) == {0, 1}
    group = error.idata["watchdog"].isel(chain=report.chain)
    assert (group.transitions_tune, group.transitions_draw) == (10, 40)
    assert report.draw == 10 + np.argmax(diverging_in_a_row(error.idata, report.chain, run_length))
    # the group says what the report says
    assert int(group.nonfinite) == int(group.divergent) > 10
    assert str(group.run_cause.values[-1]) == "logp-nan"
    assert int(group.run_start.values[-1]) >= 10


def diverging_in_a_row(idata, chain, wanted):
    """Whether so many in a row have diverged, before each draw."""
    diverging = idata.sample_stats.diverging.values[chain]
    rows = [diverging[max(0, end - wanted) : end].sum() for end in range(len(diverging) + 1)]
    return np.array(rows) == wanted


@pytest.mark.parametrize(("edge", "cause"), [(1.5, "logp-nan"), (20.0, "energy-error")])
def test_what_lies_beyond_the_reach_of_the_chains_is_no_cause(edge, cause):
    """A density that overflows far out is healthy; its energy errors are no NaN."""
    with pm.Model() as model:
        pm.Normal("x", shape=2)
    draws = np.random.default_rng(1).uniform(-1, 1, size=(2, 30, 2))
    diverging = np.zeros((2, 30), dtype=bool)
    diverging[1, 5:20] = True
    tree = xr.DataTree.from_dict(
        {
            "/posterior": xr.Dataset(
                {"x": (("chain", "draw", "i"), draws)}, attrs={"tuning_steps": 7}
            ),
            "/sample_stats": xr.Dataset({"diverging": (("chain", "draw"), diverging)}),
        }
    )

    def density(point):
        inside = np.abs(point["x"]).max() < edge
        return (0.0 if inside else np.nan), np.zeros(2)

    request = SimpleNamespace(model=model, policy=WatchdogPolicy(), seeds=[1])
    counters, stopped = judge(request, tree, density, "NUTS")
    assert counters[1].runs == [[12, 15, cause]]
    if cause == "logp-nan":
        assert (stopped.chain, stopped.stop.transitions) == (1, 22)
    else:
        assert stopped is None
