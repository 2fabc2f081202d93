"""`watch(step)`: healthy runs are untouched, sick ones are stopped where the policy says."""

import pickle
from typing import ClassVar

import cloudpickle
import numpy as np
import pymc as pm
import pytest
from pymc.sampling.parallel import ParallelSamplingError
from pymc.step_methods.compound import BlockedStep, CompoundStep

from pymc_safetrunc.watchdog import SamplingAborted, WatchdogPolicy, watch
from pymc_safetrunc.watchdog.counter import NONFINITE, Cause
from pymc_safetrunc.watchdog.step import unwatch
from tests.watchdog.faults import SickHMC, SickNUTS, SickProposals, sick

STEPS = {
    "nuts": pm.NUTS,
    "hmc": pm.HamiltonianMC,
    "metropolis": pm.Metropolis,
    "slice": pm.Slice,
    "demetropolis_z": pm.DEMetropolisZ,
}
TRAJECTORY_CAUSES = [
    Cause.GRADIENT_ON_PATH,
    Cause.LOGP_NAN,
    Cause.LOGP_MINUS_INF,
    Cause.ENERGY_ERROR,
    Cause.LINEAR_ALGEBRA,
]


def same(left, right):
    for name in left.posterior.data_vars:
        np.testing.assert_array_equal(left.posterior[name], right.posterior[name])


@pytest.mark.parametrize("name", STEPS)
def test_draws_are_bitwise_those_of_the_bare_step(name, healthy, settings):
    with healthy:
        # a step keeps what it learnt, so each run has a new one
        bare = pm.sample(step=STEPS[name](), **settings)
        same(bare, pm.sample(step=watch(STEPS[name]()), **settings))
        several = settings | {"cores": 2, "mp_ctx": "fork"}
        same(bare, pm.sample(step=watch(STEPS[name]()), **several))


@pytest.mark.parametrize(
    "start_method", [pytest.param("forkserver", marks=pytest.mark.soak), "spawn"]
)
def test_draws_are_the_same_in_new_interpreters(start_method, settings):
    with pm.Model():
        x = pm.Normal("x", shape=2)
        b = pm.Bernoulli("b", 0.3)
        c = pm.Categorical("c", [0.2, 0.3, 0.5])
        z = pm.Normal("z", x.sum() + b + c)

        def steps():
            return [
                pm.NUTS([x]),
                pm.BinaryGibbsMetropolis([b]),
                pm.CategoricalGibbsMetropolis([c]),
                pm.Slice([z]),
            ]

        bare = pm.sample(step=steps(), **settings)
        several = settings | {"cores": 2, "mp_ctx": start_method}
        watched = pm.sample(step=watch(steps()), **several)
    same(bare, watched)


def test_a_watched_step_is_still_what_it_was(healthy):
    with healthy:
        step = pm.NUTS()
    state, names, stats = step.sampling_state, [v.name for v in step.vars], step.stats_dtypes
    assert watch(step) is step
    assert isinstance(step, pm.NUTS)
    assert type(step).__name__ == "NUTS"
    assert step.name == "nuts"
    assert [v.name for v in step.vars] == names
    assert step.stats_dtypes == stats
    assert type(step.sampling_state) is type(state)
    step.sampling_state = state
    again = cloudpickle.loads(cloudpickle.dumps(step))
    assert isinstance(again, pm.NUTS)
    assert type(again) is type(step)


def test_unwatch_gives_the_step_back(healthy):
    with healthy:
        step = pm.Metropolis()
    before = dict(vars(step))
    unwatch(watch(step))
    assert type(step) is pm.Metropolis
    assert vars(step) == before


@pytest.mark.parametrize("tune", [0, 1_000])
@pytest.mark.parametrize("cause", TRAJECTORY_CAUSES)
def test_nuts_stops_at_exactly_k_plus_limit(cause, tune, healthy, settings):
    policy = WatchdogPolicy(
        max_nonfinite=3, max_divergent=5, max_nonfinite_tuning=4, max_divergent_tuning=6
    )
    with healthy:
        step = watch(sick(SickNUTS(), cause, 7), policy)
        with pytest.raises(SamplingAborted) as caught:
            pm.sample(step=step, **settings | {"tune": tune})
    limit = (4 if tune else 3) if cause in NONFINITE else (6 if tune else 5)
    report = caught.value.report
    assert (report.cause, report.draw, report.run_length) == (cause, 7 + limit, limit)
    assert report.phase == ("tuning" if tune else "sampling")
    assert report.chain == 0


@pytest.mark.parametrize("cause", TRAJECTORY_CAUSES)
def test_hmc_stops_at_exactly_k_plus_limit(cause, healthy, settings):
    policy = WatchdogPolicy(max_nonfinite=3, max_divergent=5)
    with healthy:
        step = watch(sick(SickHMC(), cause, 4), policy)
        with pytest.raises(SamplingAborted) as caught:
            pm.sample(step=step, **settings | {"tune": 0})
    report = caught.value.report
    assert report.cause == cause
    assert report.draw == 4 + (3 if cause in NONFINITE else 5)


@pytest.mark.parametrize("step_class", [SickNUTS, SickHMC])
@pytest.mark.parametrize("tune", [0, 1_000])
def test_a_lost_gradient_at_the_state_stops_at_once(step_class, tune, healthy, settings):
    with healthy:
        step = watch(sick(step_class(), Cause.GRADIENT_AT_STATE, 7))
        with pytest.raises(SamplingAborted) as caught:
            pm.sample(step=step, **settings | {"tune": tune})
    report = caught.value.report
    assert (report.cause, report.draw, report.limit) == (Cause.GRADIENT_AT_STATE, 8, "absorbing")


def test_metropolis_stops_when_the_acceptance_is_nan(healthy, settings):
    with healthy:
        step = SickProposals()
        step.sick_from = 6
        with pytest.raises(SamplingAborted) as caught:
            pm.sample(step=watch(step), **settings | {"tune": 0})
    report = caught.value.report
    assert (report.cause, report.draw) == (Cause.ACCEPTANCE_NAN, 16)


class OwnStep(BlockedStep):
    """A step method of the user's own, known by its statistics alone."""

    stats_dtypes_shapes: ClassVar = {"accept": (float, []), "diverging": (bool, [])}
    sick: ClassVar = {"accept": 1.0, "diverging": False}

    def __init__(self, vars, **kwargs):
        self.vars = vars
        self.taken = 0

    def step(self, point):
        self.taken += 1
        return point, [self.sick if self.taken > 6 else {"accept": 1.0, "diverging": False}]


@pytest.mark.parametrize(
    ("sick_stats", "cause", "limit"),
    [
        ({"accept": np.nan, "diverging": False}, Cause.ACCEPTANCE_NAN, 10),
        ({"accept": 1.0, "diverging": True}, Cause.ENERGY_ERROR, 50),
    ],
)
def test_a_step_of_ones_own_is_judged_by_its_statistics(sick_stats, cause, limit, settings):
    with pm.Model() as model:
        x = pm.Normal("x")
        step = watch(OwnStep([model.rvs_to_values[x]], model=model))
        step.sick = sick_stats
        with pytest.raises(SamplingAborted) as caught:
            pm.sample(step=step, **settings | {"tune": 0, "draws": 100})
    assert (caught.value.report.cause, caught.value.report.draw) == (cause, 6 + limit)


def test_the_doomed_model_is_stopped_at_the_first_transition_of_hmc(doomed, settings):
    with doomed, pytest.raises(SamplingAborted, match="infinite, from up") as caught:
        pm.sample(step=watch(pm.HamiltonianMC()), **settings)
    assert caught.value.report.draw == 1
    assert "  s_log__ = " in str(caught.value)


def test_a_proposal_outside_the_support_is_no_fault(settings):
    with pm.Model():
        pm.Uniform("u", 0, 1e-6, default_transform=None)
        idata = pm.sample(step=watch(pm.Metropolis()), **settings | {"tune": 0, "draws": 100})
    assert float(idata.sample_stats.accepted.mean()) < 0.1


def test_slice_stops_when_it_accepts_nan(settings):
    with pm.Model():
        x = pm.Flat("x", initval=0.0)
        pm.Potential("nan", pm.math.switch(x > 1, np.nan, -(x**2)))
        with pytest.raises(SamplingAborted) as caught:
            pm.sample(step=watch(pm.Slice()), **settings | {"draws": 500})
    assert caught.value.report.cause == Cause.ACCEPTED_NAN


def test_a_binary_step_stops_when_its_density_is_nan(settings):
    with pm.Model():
        b = pm.Bernoulli("b", 0.5, initval=0)
        pm.Potential("nan", pm.math.switch(b > 0, np.nan, 0.0))
        with pytest.raises(SamplingAborted) as caught:
            pm.sample(
                step=watch(pm.BinaryGibbsMetropolis([b], transit_p=1.0)),
                **settings | {"tune": 0},
            )
    assert (caught.value.report.cause, caught.value.report.draw) == (Cause.ACCEPTANCE_NAN, 10)


@pytest.mark.parametrize("start_method", ["fork", pytest.param("spawn", marks=pytest.mark.soak)])
def test_with_several_cores_it_is_the_cause_of_pymcs_error(start_method, doomed, settings):
    with doomed:
        step = watch(pm.NUTS())
        with pytest.raises(ParallelSamplingError) as caught:
            pm.sample(step=step, **settings | {"cores": 2, "mp_ctx": start_method})
    error = caught.value.__cause__
    assert isinstance(error, SamplingAborted)
    assert error.report.draw == 1
    assert error.report.chain in (0, 1)
    assert (error.chains, error.idata) == ({}, None)
    assert set(error.report.point) == {"s_log__", "V_interval__"}
    assert "pymc_safetrunc.sample" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_only_the_owner_of_all_variables_is_absorbed(doomed, settings):
    with doomed:
        steps = CompoundStep([pm.NUTS([doomed["s"]]), pm.Metropolis([doomed["V"]])])
        with pytest.raises(SamplingAborted) as caught:
            pm.sample(step=watch(steps, WatchdogPolicy(max_nonfinite_tuning=3)), **settings)
    assert (caught.value.report.draw, caught.value.report.limit) == (3, "max_nonfinite_tuning")


@pytest.mark.parametrize("wrong", [pm.NUTS, "nuts", None])
def test_what_is_no_built_step_is_refused(wrong):
    with pytest.raises(TypeError, match="built step method"):
        watch(wrong)


def test_a_policy_must_be_one(healthy):
    with healthy, pytest.raises(TypeError, match="WatchdogPolicy"):
        watch(pm.NUTS(), {"max_divergent": 3})
