"""NumPyro under the watchdog."""

import numpy as np
import pymc as pm
import pytest

from pymc_safetrunc.watchdog import SamplingAborted, WatchdogPolicy, sample
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


def test_a_result_is_judged_before_it_is_handed_back(brief):
    with pm.Model():
        x = pm.Normal("x", initval=2.5)
        pm.Potential("cliff", pm.math.switch(x < 4, 0, np.nan) + 1e4 * x)
        with pytest.raises(SamplingAborted) as caught:
            sample(watchdog=WatchdogPolicy(max_divergent=2), **brief | {"draws": 200, "tune": 10})
    error = caught.value
    assert error.report.limit == "max_divergent"
    assert "cannot be stopped half-way" in str(error)
    assert error.idata.posterior.sizes == {"chain": 2, "draw": 200}
    assert set(error.chains) == {0, 1}
