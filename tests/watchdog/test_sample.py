"""`sample` is `pm.sample` with one argument more."""

import inspect
import json
import re
import sys

import numpy as np
import pymc as pm
import pytest
import xarray as xr

from pymc_safetrunc.watchdog import SamplingAborted, WatchdogPolicy, sample
from pymc_safetrunc.watchdog.counter import Cause
from tests import optional
from tests.watchdog.faults import SickNUTS, sick


def test_the_signature_is_that_of_pm_sample_and_watchdog():
    theirs = inspect.signature(pm.sample).parameters
    ours = dict(inspect.signature(sample).parameters)
    watchdog = ours.pop("watchdog")
    assert watchdog.default is True
    assert list(ours) == list(theirs)
    for name, parameter in theirs.items():
        assert ours[name].default == parameter.default, name
        assert ours[name].kind == parameter.kind, name


def test_without_watchdog_it_is_pm_sample(healthy, settings):
    with healthy:
        idata = sample(watchdog=False, nuts_sampler="pymc", **settings)
    assert "watchdog" not in idata.children


@pytest.mark.parametrize("wrong", [None, 3, {"max_divergent": 1}])
def test_watchdog_must_be_a_bool_or_a_policy(wrong, healthy, settings):
    with healthy, pytest.raises(TypeError, match="WatchdogPolicy"):
        sample(watchdog=wrong, **settings)


def library(idata):
    stats = idata.sample_stats.attrs.get("inference_library")
    return idata.posterior.attrs.get("inference_library", stats)


CASES = {
    "nothing": {},
    "a callback": {"callback": lambda trace, draw: None},
    "an init": {"init": "adapt_diag"},
    "one initval": {"initvals": {"x": [0.1, 0.2]}},
    "initvals for each chain": {"initvals": [{"x": [0.1, 0.2]}, None]},
    "the C backend": {"backend": "c"},
    "asked for": {"nuts_sampler": "pymc"},
}


@pytest.mark.parametrize("case", CASES)
def test_it_picks_the_sampler_pm_sample_picks(case, healthy, settings):
    with healthy:
        plain = pm.sample(**settings, **CASES[case])
        watched = sample(**settings, **CASES[case])
    assert watched["watchdog"].attrs["sampler"] == library(plain)
    np.testing.assert_array_equal(plain.posterior.x, watched.posterior.x)


def test_a_model_with_a_discrete_variable_is_not_for_nutpie(settings):
    with pm.Model():
        pm.Normal("x")
        pm.Bernoulli("b", 0.5)
        assert sample(**settings)["watchdog"].attrs["sampler"] == "pymc"
        with pytest.raises(ValueError, match="differentiable"):
            sample(nuts_sampler="nutpie", **settings)


@pytest.mark.parametrize(
    "options",
    [
        {"trace": [], "nuts_sampler": "pymc"},
        {"callback": print, "nuts_sampler": "nutpie"},
        {"nuts": {"target_accept": 0.9}, "target_accept": 0.8},
        {"random_seed": -1},
        {"no_such_step": {"a": 1}, "nuts_sampler": "nutpie"},
        {"var_names": ["nobody"], "nuts_sampler": "pymc"},
    ],
)
def test_what_pm_sample_refuses_is_refused(options, healthy, settings):
    with healthy:
        with pytest.raises((ValueError, TypeError, AssertionError)):
            pm.sample(**settings | options)
        with pytest.raises((ValueError, TypeError)):
            sample(**settings | options)


@pytest.mark.parametrize(
    ("sampler", "package", "needed"),
    [
        ("nutpie", "nutpie", "nutpie"),
        ("numpyro", "numpyro", "jax numpyro"),
        ("blackjax", "blackjax", "jax blackjax"),
    ],
)
def test_a_sampler_that_is_not_installed_says_how_to_get_it(
    sampler, package, needed, healthy, settings, monkeypatch
):
    monkeypatch.setitem(sys.modules, package, None)
    with healthy, pytest.raises(ImportError) as caught:
        sample(nuts_sampler=sampler, **settings)
    assert f"{package} not found" in str(caught.value)
    assert f"pip install {needed}" in str(caught.value)


def test_an_old_nutpie_is_refused_in_pymcs_words(healthy, settings, monkeypatch):
    optional.require("nutpie")
    monkeypatch.setattr("pymc.sampling.mcmc.NUTPIE_MIN_VERSION", (99, 0, 0))
    with healthy, pytest.raises(ImportError, match=r"requires nutpie>=99\.0\.0"):
        sample(nuts_sampler="nutpie", **settings)


def test_a_misspelled_argument_is_named(healthy, settings):
    for name, meant in (("drws", "draws"), ("target_acept", "target_accept")):
        for watchdog in (True, False):
            with healthy, pytest.raises(TypeError, match=f"'{name}'.*Did you mean '{meant}'"):
                sample(**settings, watchdog=watchdog, **{name: 3})


def test_a_field_of_the_policy_is_no_argument(healthy, settings):
    with healthy, pytest.raises(TypeError, match=r"watchdog=pst.WatchdogPolicy\(on_abort=\.\.\.\)"):
        sample(**settings, on_abort="return")


@pytest.mark.parametrize("wrong", [{"unheard_of": 10}, {"nuts_sampler": "stan"}])
def test_nothing_is_said_twice_before_an_error(wrong, healthy, settings, caplog):
    loud = {**settings, "quiet": False, "nuts_sampler": "nutpie"} | wrong
    with healthy, pytest.raises((TypeError, ValueError)):
        sample(**loud)
    assert caplog.text.count("Only 25 samples per chain") == 1


@pytest.mark.parametrize(
    "place",
    [
        {"nuts_sampler": "pymc", "cores": 1},
        {"nuts_sampler": "pymc", "cores": 2, "mp_ctx": "fork"},
        {"nuts_sampler": "nutpie"},
    ],
)
def test_log_and_progress_bars_are_those_of_pm_sample(place, healthy, settings, capsys, caplog):
    loud = {**settings, "quiet": False, "progressbar": True, **place}
    told = []
    for function in (pm.sample, sample):
        caplog.clear()
        with healthy, caplog.at_level("INFO", "pymc"):
            function(**loud)
        # draw, divergences, step size and gradients of each chain: the rest is time
        bars = re.findall(r"━ +(\d+) +(\d+) +([\d.]+) +(\d+) ", capsys.readouterr().out)
        told.append((bars, [line.split(" took ")[0] for line in caplog.messages]))
    assert len(told[0][0]) >= 2
    assert told[0] == told[1]


def test_the_help_names_every_argument():
    described = inspect.getdoc(sample)
    for name in inspect.signature(sample).parameters:
        assert re.search(rf"^(\w+, )*(\*\*)?{name}\b", described, flags=re.MULTILINE), name


def test_the_callers_dicts_are_left_alone(healthy, settings):
    nuts = {"max_treedepth": 4}
    with healthy:
        plain = pm.sample(nuts_sampler="pymc", nuts=dict(nuts), target_accept=0.9, **settings)
        watched = sample(nuts_sampler="pymc", nuts=nuts, target_accept=0.9, **settings)
    assert nuts == {"max_treedepth": 4}
    np.testing.assert_array_equal(plain.posterior.x, watched.posterior.x)


def test_a_generator_is_used_as_pm_sample_uses_it(healthy, settings):
    with healthy:
        plain = pm.sample(
            nuts_sampler="pymc", **settings | {"random_seed": np.random.default_rng(3)}
        )
        watched = sample(
            nuts_sampler="pymc", **settings | {"random_seed": np.random.default_rng(3)}
        )
    np.testing.assert_array_equal(plain.posterior.x, watched.posterior.x)


@pytest.fixture(scope="module")
def aborted(healthy, settings):
    with healthy, pytest.raises(SamplingAborted) as caught:
        sample(step=sick(SickNUTS(), Cause.LOGP_NAN, 30), **settings | {"tune": 0, "draws": 99})
    return caught.value


@pytest.mark.parametrize("engine", ["zarr", "h5netcdf"])
def test_the_group_survives_a_file(engine, aborted, tmp_path):
    path = tmp_path / f"run.{engine}"
    options = {}
    if engine == "zarr":
        options["consolidated"] = False  # zarr 3 warns of the other, which is nothing to us
        aborted.idata.to_zarr(path, **options)
    else:
        optional.require("h5py")
        aborted.idata.to_netcdf(path, engine=engine)
    with xr.open_datatree(path, engine=engine, **options) as tree:
        group, original = tree["watchdog"].load(), aborted.idata["watchdog"]
    for name in original.data_vars:
        np.testing.assert_array_equal(group[name].values, original[name].values)
        assert group[name].dtype.kind == original[name].dtype.kind or group[name].dtype == object
    assert group.attrs["schema_version"] == 1
    assert group.attrs["aborted"] == 1
    assert json.loads(group.attrs["report"])["cause"] == "logp-nan"
    assert WatchdogPolicy(**json.loads(group.attrs["policy"])) == WatchdogPolicy()


def test_the_group_has_the_schema(aborted):
    group = aborted.idata["watchdog"]
    assert group["verdict"].values.tolist() == ["logp-nan", "not started"]
    assert group["transitions_draw"].values.tolist() == [40, 0]
    assert group["nonfinite"].values.tolist() == [10, 0]
    assert group["run_start"].values.tolist() == [[30], [-1]]
    assert group["run_length"].values.tolist() == [[10], [0]]
    assert group["run_cause"].values.tolist() == [["logp-nan"], [""]]
    for name in ("transitions_tune", "divergent", "longest_nonfinite", "run_start"):
        assert group[name].dtype == np.int64
    assert set(group.attrs) == {
        "schema_version",
        "policy",
        "report",
        "aborted",
        "sampler",
        "versions",
    }


def test_the_report_has_a_face_for_notebooks_with_names_escaped(settings):
    with pm.Model():
        pm.Normal("<b>x")
        with pytest.raises(SamplingAborted) as caught:
            sample(step=sick(SickNUTS(), Cause.LOGP_NAN, 3), **settings | {"tune": 0})
    for face in (caught.value._repr_html_(), caught.value.report._repr_html_()):
        assert "&lt;b&gt;x" in face
        assert "<b>x" not in face


def test_a_failing_diagnosis_hides_nothing(monkeypatch, healthy, settings):
    def broken(point, model):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("pymc_safetrunc.watchdog.reporting.diagnose", broken)
    with healthy, pytest.raises(SamplingAborted) as caught:
        sample(step=sick(SickNUTS(), Cause.LOGP_NAN, 3), **settings | {"tune": 0})
    assert caught.value.report.cause == "logp-nan"
    assert "The diagnosis failed: ZeroDivisionError: oh" in str(caught.value)
