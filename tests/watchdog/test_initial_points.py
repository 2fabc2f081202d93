"""Starting points: bounded tries, an untouched random stream, and a diagnosis at the end."""

import logging
from dataclasses import replace

import numpy as np
import pymc as pm
import pytest

from pymc_safetrunc.distributions.truncated import Truncated
from pymc_safetrunc.distributions.truncated_normal import TruncatedNormal
from pymc_safetrunc.watchdog import SamplingAborted, WatchdogPolicy, sample
from pymc_safetrunc.watchdog.counter import Cause
from pymc_safetrunc.watchdog.reporting import Stop, build_report


@pytest.mark.parametrize("cores", [1, 2])
def test_the_doomed_model_is_stopped_before_the_first_transition(cores, doomed, settings):
    with doomed, pytest.raises(SamplingAborted) as caught:
        sample(nuts_sampler="pymc", **settings | {"cores": cores})
    report = caught.value.report
    assert (report.phase, report.draw, report.cause) == ("initial point", 0, "gradient-at-state")
    assert set(report.point) == {"s_log__", "V_interval__"}
    assert "100 starting points tried" in str(report)
    assert report.diagnosis.findings[0].source == "up"
    assert "infinite, from up" in str(caught.value)
    assert "  s_log__ = " in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 24  # a screen
    assert (caught.value.chains, caught.value.idata) == ({}, None)


# PyMC's own first search has 11 tries
@pytest.mark.parametrize(("attempts", "tried"), [(15, 15), (1, 11)])
def test_a_log_density_that_is_never_finite_is_given_up(attempts, tried, settings):
    policy = WatchdogPolicy(max_init_attempts=attempts)
    with pm.Model():
        x = pm.Normal("x")
        pm.Potential("p", pm.math.log(-pm.math.exp(x)))
        with pytest.raises(SamplingAborted) as caught:
            sample(nuts_sampler="pymc", watchdog=policy, **settings)
    assert caught.value.report.cause == "logp-at-state"
    assert set(caught.value.report.point) == {"x"}
    assert f"{tried} starting points tried" in str(caught.value)


def test_a_single_attempt_is_allowed(doomed, settings):
    policy = WatchdogPolicy(max_init_attempts=1)
    with doomed, pytest.raises(SamplingAborted) as caught:
        sample(nuts_sampler="pymc", watchdog=policy, **settings)
    assert set(caught.value.report.point) == {"s_log__", "V_interval__"}
    assert "1 starting point tried" in str(caught.value)


def test_parameters_without_a_start_are_an_error_each():
    with pm.Model() as model:
        a, b = pm.Normal("a", -2, 0.1), pm.Normal("b", -3, 0.1)
        Truncated("x", pm.Weibull.dist(a, 1), lower=pm.Data("low", 1.0), observed=[2.0, 3.0])
        TruncatedNormal("v", a, b, lower=0, observed=1.0)
    point = model.initial_point()
    stop = Stop(Cause.LOGP_AT_STATE, phase="initial point", point=point)
    of_x, of_v = build_report(stop, chain=None, model=model).diagnosis.findings
    assert (of_x.factor, of_x.severity, of_v.factor, of_v.severity) == ("x", "error", "v", "error")
    assert "requires that alpha > 0, which does not hold: alpha = a is -2." in of_x.message
    assert "sigma < inf, which does not hold: sigma = b is -3." in of_v.message
    # on the way, a chain draws another point
    on_the_way = build_report(replace(stop, phase="tuning"), chain=0, model=model)
    assert "warning" in {f.severity for f in on_the_way.diagnosis.findings}


def test_initialising_is_announced_once(settings, caplog):
    with pm.Model():
        x = pm.Normal("x")
        pm.Potential("p", pm.math.log(-pm.math.exp(x)))
        with caplog.at_level(logging.INFO, "pymc"), pytest.raises(SamplingAborted):
            sample(nuts_sampler="pymc", **settings | {"quiet": False})
    assert caplog.text.count("Initializing NUTS") == 1
    assert caplog.text.count("trying up to 100") == 1


def test_on_abort_return_raises_when_there_is_no_draw(doomed, settings):
    with doomed, pytest.raises(SamplingAborted):
        sample(nuts_sampler="pymc", watchdog=WatchdogPolicy(on_abort="return"), **settings)


def test_a_warning_after_ten_tries(doomed, settings, caplog):
    with (
        doomed,
        caplog.at_level(logging.WARNING, "pymc_safetrunc"),
        pytest.raises(SamplingAborted),
    ):
        sample(nuts_sampler="pymc", **settings | {"quiet": False})
    assert "10 starting points of chain 0 were not usable" in caplog.text


def test_a_step_that_needs_no_gradient_asks_for_none(doomed, settings):
    with doomed:
        idata = sample(step=pm.Metropolis(), **settings)
    assert np.isfinite(idata.posterior.s).all()


def test_a_good_point_is_found_where_jitter_finds_one(settings):
    with pm.Model():
        x = pm.Normal("x", initval=0.0)
        # the gradient of sqrt(max(x - 0.5, 0)) is NaN or infinite unless x > 0.5
        pm.Potential("p", pm.math.sqrt(pm.math.maximum(x - 0.5, 0)))
        idata = sample(
            nuts_sampler="pymc",
            watchdog=WatchdogPolicy(max_nonfinite_tuning=None, max_nonfinite=None),
            **settings,
        )
    assert idata.posterior.sizes["draw"] == settings["draws"]


def test_points_the_caller_fixed_are_not_moved(doomed, settings):
    with doomed, pytest.raises(SamplingAborted) as caught:
        sample(
            nuts_sampler="pymc",
            init="adapt_diag",
            initvals={"s": 2.0, "V": 1.0},
            **settings,
        )
    assert "1 starting point tried" in str(caught.value)
    assert caught.value.report.point["s_log__"] == pytest.approx(np.log(2.0))
