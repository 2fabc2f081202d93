"""ZarrTrace: PyMC 6.4 writes it with zarr < 3, so `make test-zarr2` runs this in its environment.

The file's name keeps it out of every other test run.
"""

import numpy as np
import pymc as pm
import pytest
import zarr

from pymc_safetrunc.watchdog import SamplingAborted, sample
from pymc_safetrunc.watchdog.counter import Cause
from tests.watchdog.faults import SickNUTS, sick


@pytest.fixture
def raw(settings):
    return settings | {"return_inferencedata": False, "draws": 60}


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.filterwarnings("ignore:`return_inferencedata=False` is deprecated")
def test_a_healthy_run_and_its_sampling_state_are_those_of_pm_sample(cores, healthy, raw, tmp_path):
    from pymc.backends.zarr import ZarrTrace

    traces = []
    for function, name in ((pm.sample, "plain"), (sample, "watched")):
        store = zarr.DirectoryStore(str(tmp_path / name))
        with healthy:
            traces.append(
                function(
                    nuts_sampler="pymc", trace=ZarrTrace(store=store), **raw | {"cores": cores}
                )
            )
    plain, watched = traces
    np.testing.assert_array_equal(plain.posterior.x[...], watched.posterior.x[...])
    states = [trace._sampling_state.sampling_state[:] for trace in traces]
    for one, two in zip(*states, strict=True):
        assert type(one) is type(two)
        assert one.step_size == two.step_size


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.filterwarnings("ignore:`return_inferencedata=False` is deprecated")
def test_an_aborted_run_keeps_its_draws(cores, healthy, raw, tmp_path, no_child_left):
    from pymc.backends.zarr import ZarrTrace

    trace = ZarrTrace(store=zarr.DirectoryStore(str(tmp_path / "run")))
    with healthy:
        undisturbed = pm.sample(step=pm.NUTS(), **raw | {"return_inferencedata": True})
        with pytest.raises(SamplingAborted) as caught:
            sample(
                step=sick(SickNUTS(), Cause.LOGP_NAN, 40),
                trace=trace,
                **raw | {"cores": cores, "draws": 500},
            )
    error = caught.value
    stopped = error.report.chain
    drawn = error.chains[stopped].posterior.x.values[0]
    assert error.report.kept[stopped] == (25, len(drawn))
    # a worker writes for itself, and may be one draw ahead of what was asked of it
    assert len(drawn) - (40 + 10 - 25) in ([0] if cores == 1 else [0, 1])
    np.testing.assert_array_equal(drawn[:15], undisturbed.posterior.x.values[stopped, :15])
    assert error.idata["watchdog"].attrs["aborted"] == 1
