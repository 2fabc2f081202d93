"""The cheap part of the check, run by ``sample``: one warning, little time, the same draws."""

import logging
import time

import numpy as np
import pymc as pm
import pytest

from pymc_safetrunc.diagnosis.check import quick_check
from pymc_safetrunc.watchdog import preflight, pymc_samplers, sample
from tests import optional


def built(build):
    with pm.Model() as model:
        build()
    return model


def plain():
    pm.Normal("y", pm.Normal("mu"), pm.HalfNormal("sigma"), observed=[1.0, 2.0])


def flat_and_unscaled():
    x = np.linspace(1e7, 2e7, 30)
    unused = pm.Flat("unused", shape=2)
    mu = pm.Normal("a") + pm.Normal("b") * x + unused[0]
    pm.Normal("y", mu, 1, observed=np.zeros(30))


SETTINGS = {
    "draws": 5, "tune": 5, "chains": 2, "cores": 1, "random_seed": 1, "progressbar": False,
    "compute_convergence_checks": False,
}  # fmt: skip


def messages(caplog):
    return [r.getMessage() for r in caplog.records if r.name == "pymc_safetrunc.watchdog.preflight"]


def test_sample_warns_once_and_keeps_its_draws(caplog, monkeypatch):
    allowed, used, compiling = [], [], []

    def timed(model, density, point, seconds):
        allowed.append(seconds)
        started = time.monotonic()
        check = quick_check(model, density, point, seconds)
        used.append(time.monotonic() - started)
        return check

    def told(request, density, point, seconds):
        compiling.append(seconds)
        preflight.warn_before(request, density, point, seconds)

    monkeypatch.setattr(preflight, "quick_check", timed)
    monkeypatch.setattr(pymc_samplers, "warn_before", told)
    model = built(flat_and_unscaled)
    with caplog.at_level(logging.WARNING, "pymc_safetrunc"):
        idata = sample(model=model, nuts_sampler="pymc", **SETTINGS)
    (message,) = messages(caplog)
    assert "flat-direction" in message
    assert "unscaled-parameters" in message
    assert allowed[0] <= 0.1 * compiling[0]
    # one evaluation may be under way when the time is over, on a machine that is busy
    assert used[0] < allowed[0] + 0.1
    caplog.clear()
    quiet = sample(model=model, nuts_sampler="pymc", **SETTINGS, quiet=True)
    assert messages(caplog) == []
    # without the check: the same to the last bit
    for name in ("a", "b", "unused"):
        np.testing.assert_array_equal(idata.posterior[name], quiet.posterior[name])


@pytest.mark.parametrize("sampler", ["pymc", "nutpie"])
def test_sample_says_nothing_of_a_healthy_model(caplog, sampler):
    if sampler == "nutpie":
        optional.require("nutpie")
    with built(plain), caplog.at_level(logging.DEBUG, "pymc_safetrunc"):
        sample(nuts_sampler=sampler, **SETTINGS)
    assert messages(caplog) == []


def test_the_quick_check_stops_when_its_time_is_over():
    asked = []

    def density(point):
        asked.append(point)
        time.sleep(0.02)
        return -0.5 * float(point["x"] ** 2), {"x": -np.asarray(point["x"])}

    model = built(lambda: pm.Normal("x"))
    started = time.monotonic()
    check = quick_check(model, density, {"x": np.array(0.3)}, seconds=0.05)
    assert time.monotonic() - started < 1  # all of it takes some forty evaluations
    assert 1 <= len(asked) <= 4
    assert check.findings == ()


def test_a_check_that_fails_keeps_nobody_from_sampling(monkeypatch, caplog):
    def fail(*args):
        raise RuntimeError

    monkeypatch.setattr(preflight, "quick_check", fail)
    with built(plain), caplog.at_level(logging.DEBUG, "pymc_safetrunc"):
        sample(nuts_sampler="pymc", **SETTINGS)
    (message,) = messages(caplog)
    assert "failed" in message
