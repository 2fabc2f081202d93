"""`sample` with PyMC's own samplers: every fault ends in time, and no draw is lost."""

import concurrent.futures
import multiprocessing
import pickle
import time
from functools import cache

import numpy as np
import pymc as pm
import pytest
from pymc.step_methods.compound import CompoundStep

from pymc_safetrunc.watchdog import SamplingAborted, WatchdogPolicy, sample, watch
from pymc_safetrunc.watchdog.counter import NONFINITE, Cause
from tests.watchdog.faults import FaultyMetropolis, Raises, SickNUTS, SlowToArrive, faulty, sick

# What a run may take beyond the policy's own bound (the figure).
GRACE = 2.0
# Worker processes everywhere, and one process; the slow ways to start one only in the soak.
PLACES = [
    {"cores": 1},
    {"cores": 2, "mp_ctx": "fork"},
    pytest.param({"cores": 2, "mp_ctx": "forkserver"}, marks=pytest.mark.soak),
    pytest.param({"cores": 2, "mp_ctx": "spawn"}, marks=pytest.mark.soak),
]
FAULTS = {"raise": "exception", "kill": "worker-died", "hang": "stalled"}


def same(left, right):
    for name in left.posterior.data_vars:
        np.testing.assert_array_equal(left.posterior[name], right.posterior[name])


def with_tuning(tree, chain):
    groups = [tree[name] for name in ("warmup_posterior", "posterior") if name in tree.children]
    return np.concatenate([group.x.sel(chain=chain).values for group in groups])


def test_mixed_steps_and_a_callback_are_those_of_pm_sample(settings):
    seen = {"plain": [], "watched": []}
    with pm.Model():
        x = pm.Normal("x")
        k = pm.Poisson("k", 3)
        pm.Normal("y", x + k, observed=2.0)
        plain = pm.sample(
            callback=lambda trace, draw: seen["plain"].append(draw.draw_idx), **settings
        )
        watched = sample(
            callback=lambda trace, draw: seen["watched"].append(draw.draw_idx), **settings
        )
    same(plain, watched)
    assert seen["plain"] == seen["watched"]


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.filterwarnings("ignore:DEMetropolis should be used with more chains")
def test_a_population_is_that_of_pm_sample(cores, healthy, settings):
    several = settings | {"cores": cores, "chains": 3}
    with healthy:
        plain = pm.sample(step=pm.DEMetropolis(), **settings | {"chains": 3})
        same(plain, sample(step=pm.DEMetropolis(), **several))


def test_the_step_of_the_caller_is_given_back_unchanged(healthy, settings):
    with healthy:
        step = pm.Metropolis()
        sample(step=step, **settings)
    assert type(step) is pm.Metropolis
    assert "_watchdog" not in vars(step)


@pytest.mark.parametrize("watchdog", [True, WatchdogPolicy(max_nonfinite=3)])
def test_the_policy_of_a_watched_step_holds_and_stays(watchdog, healthy, settings):
    policy = WatchdogPolicy(max_nonfinite=3)
    with healthy:
        step = watch(sick(SickNUTS(), Cause.LOGP_NAN, 7), policy)
        with pytest.raises(SamplingAborted) as caught:
            sample(step=[step], watchdog=watchdog, **settings | {"tune": 0})
        assert (caught.value.report.limit, caught.value.report.run_length) == ("max_nonfinite", 3)
        assert caught.value.idata is not None  # pst.sample stopped it, and not the step
        with pytest.raises(SamplingAborted) as caught:
            pm.sample(step=step, **settings | {"tune": 0})
    assert caught.value.report.run_length == 3


def test_two_policies_are_refused(healthy, settings):
    with pm.Model():
        x, y = pm.Normal("x"), pm.Normal("y")
        step = watch(pm.Slice([x]), WatchdogPolicy(max_nonfinite=3))
        other = watch(pm.Slice([y]))
        for given in (
            {"step": step, "watchdog": WatchdogPolicy()},
            {"step": [step, other]},
            {"step": CompoundStep([step, other])},
        ):
            with pytest.raises(ValueError, match="max_nonfinite is 10 and 3"):
                sample(**given, **settings)


@pytest.fixture(scope="module")
def undisturbed(healthy, settings):
    """The draws of a healthy run, tuning included, by its number of tuning draws."""

    @cache
    def run(tune):
        with healthy:
            return pm.sample(
                step=pm.NUTS(), discard_tuned_samples=False, **settings | {"tune": tune}
            )

    return run


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("cause", [Cause.LOGP_NAN, Cause.ENERGY_ERROR])
@pytest.mark.parametrize("tune", [0, 20])
def test_every_draw_before_the_stop_is_kept(
    cause, place, tune, healthy, undisturbed, settings, no_child_left
):
    policy = WatchdogPolicy(max_nonfinite=3, max_divergent=5)
    with healthy, pytest.raises(SamplingAborted) as caught:
        sample(
            step=sick(SickNUTS(), cause, 24),
            watchdog=policy,
            **settings | {"tune": tune, "draws": 500} | place,
        )
    error = caught.value
    limit = 3 if cause in NONFINITE else 5
    assert (error.report.cause, error.report.draw) == (cause, 24 + limit)
    stopped = error.report.chain
    tree = error.chains[stopped]
    assert tree.posterior.sizes["draw"] == 24 + limit - tune
    assert list(tree.posterior.chain.values) == [stopped]
    for chain, kept in error.chains.items():
        drawn = with_tuning(kept, chain)[:24]
        expected = with_tuning(undisturbed(tune), chain)
        np.testing.assert_array_equal(drawn, expected[: len(drawn)])
    # the other chain may still be tuning, and then has no part in it
    lengths = [draws for _, draws in error.report.kept.values() if draws]
    assert error.idata.posterior.sizes["draw"] == min(lengths)
    assert error.report.kept[stopped] == (tune, 24 + limit - tune)
    group = error.idata["watchdog"]
    assert group.attrs["aborted"] == 1
    assert group.verdict.sel(chain=stopped) == cause
    last = group.sel(chain=stopped).run_start.values.tolist().index(24)
    assert group.run_length.sel(chain=stopped).values[last] == limit
    assert group.run_cause.sel(chain=stopped).values[last] == cause


@pytest.mark.parametrize("place", PLACES)
def test_a_density_that_turns_nan_beyond_some_value(place, settings, no_child_left):
    with pm.Model():
        s = pm.HalfNormal("s", initval=2.5)
        pm.Potential("cliff", pm.math.switch(s > 0.01, 0, np.nan) - 30 * pm.math.log(s))
        with pytest.raises(SamplingAborted) as caught:
            sample(nuts_sampler="pymc", **settings | {"draws": 5_000} | place)
    report = caught.value.report
    assert (report.cause, report.run_length) == (Cause.LOGP_NAN, 10)
    assert np.exp(report.point["s_log__"]) < 0.01  # the proposal, not the state before it
    assert report.diagnosis is not None
    assert sum(report.kept[report.chain]) == report.draw


def model_that_raises(after):
    with pm.Model() as model:
        x = pm.Normal("x", shape=2)
        pm.Potential("p", Raises(after)(x[0]))
    return model


@pytest.fixture(scope="module")
def never_raised(settings):
    with model_that_raises(after=10**9):
        return pm.sample(
            nuts_sampler="pymc", discard_tuned_samples=False, **settings | {"draws": 200}
        )


@pytest.mark.filterwarnings("ignore:Numba will use object mode")
@pytest.mark.parametrize("place", PLACES)
def test_an_op_that_raises_costs_no_draws(place, never_raised, settings, no_child_left):
    with model_that_raises(after=200), pytest.raises(SamplingAborted) as caught:
        sample(nuts_sampler="pymc", **settings | {"draws": 10_000} | place)
    error = caught.value
    assert isinstance(error.__cause__, ArithmeticError)
    assert "ArithmeticError: made for the test" in str(error)
    tuned, drawn = error.report.kept[error.report.chain]
    assert (error.report.cause, error.report.draw) == ("exception", tuned + drawn)
    assert drawn > 0
    for chain, tree in error.chains.items():
        drawn = with_tuning(tree, chain)
        np.testing.assert_array_equal(drawn, with_tuning(never_raised, chain)[: len(drawn)])


def faults_by_start_method():
    """Every fault under fork, and one in a new interpreter; the other pairs in the soak."""
    for method in ("fork", "forkserver", "spawn"):
        for fault, cause in FAULTS.items():
            slow = method != "fork" and (fault, method) != ("kill", "spawn")
            yield pytest.param(fault, cause, method, marks=[pytest.mark.soak] if slow else [])


@pytest.mark.parametrize(("fault", "cause", "start_method"), list(faults_by_start_method()))
def test_a_fault_in_a_worker_ends_in_time(fault, cause, start_method, settings, no_child_left):
    stall = 1.5
    with pm.Model():
        pm.Normal("x")
        undisturbed = pm.sample(step=pm.Metropolis(), **settings | {"tune": 0})
        step = faulty(FaultyMetropolis(), fault, faulty_from=20)
        last = []
        with pytest.raises(SamplingAborted) as caught:
            sample(
                step=step,
                callback=lambda trace, draw: last.append(time.monotonic()),
                watchdog=WatchdogPolicy(stall_seconds=stall if fault == "hang" else None),
                **settings | {"tune": 0, "cores": 2, "mp_ctx": start_method, "draws": 1_000_000},
            )
        ended = time.monotonic()
    error = caught.value
    assert ended - last[-1] < GRACE + (stall if fault == "hang" else 0)
    assert (error.report.cause, error.report.chain, error.report.draw) == (cause, 1, 20)
    np.testing.assert_array_equal(
        error.chains[1].posterior.x.values[0], undisturbed.posterior.x.values[1, :20]
    )
    if fault == "raise":
        assert isinstance(error.__cause__, ArithmeticError)
        assert "made for the test" in str(error)


def test_an_exception_in_this_process_keeps_the_draws(settings):
    with pm.Model():
        pm.Normal("x")
        step = faulty(FaultyMetropolis(), "raise", faulty_from=20)
        with pytest.raises(SamplingAborted) as caught:
            sample(step=step, **settings | {"tune": 0})
    error = caught.value
    assert isinstance(error.__cause__, ArithmeticError)
    assert {chain: len(tree.posterior.draw) for chain, tree in error.chains.items()} == {
        0: 25,
        1: 20,
    }


@pytest.mark.parametrize("chains", [1, 2])
def test_a_hang_with_one_core_is_ended_too(chains, settings, no_child_left):
    with pm.Model():
        pm.Normal("x")
        step = faulty(FaultyMetropolis(), "hang", faulty_from=20, faulty_chain=chains - 1)
        with pytest.raises(SamplingAborted) as caught:
            sample(
                step=step,
                watchdog=WatchdogPolicy(stall_seconds=1.0),
                **settings | {"chains": chains, "mp_ctx": "fork"},
            )
    assert caught.value.report.cause == "stalled"
    assert caught.value.report.kept[chains - 1] == (20, 0)


def test_a_process_that_does_not_end_is_not_waited_for(settings, no_child_left):
    with pm.Model():
        pm.Normal("x")
        step = faulty(FaultyMetropolis(), "linger", faulty_from=20, faulty_chain=0)
        began = time.monotonic()
        idata = sample(step=step, **settings | {"cores": 2, "mp_ctx": "fork"})
    assert time.monotonic() - began < 30
    assert idata.posterior.sizes == {"chain": 2, "draw": 25}


def test_a_slow_start_of_a_process_is_no_stall(healthy, settings):
    with healthy:
        step = pm.Metropolis()
        step.luggage = SlowToArrive(seconds=4.0)  # longer than a chain may be silent
        sample(
            step=step,
            watchdog=WatchdogPolicy(stall_seconds=3.0),
            **settings | {"mp_ctx": "spawn", "chains": 1},
        )


def test_stall_seconds_is_refused_where_it_cannot_be_honoured(healthy, settings):
    with healthy, pytest.raises(ValueError, match="stall_seconds"):
        sample(
            step=pm.DEMetropolis(),
            watchdog=WatchdogPolicy(stall_seconds=1.0),
            **settings | {"chains": 3},
        )


@pytest.mark.parametrize("cores", [1, 2])
def test_the_callers_own_error_comes_back_as_it_is(cores, healthy, settings, no_child_left):
    def callback(trace, draw):
        raise LookupError("mine")

    with healthy, pytest.raises(LookupError, match="mine"):
        sample(callback=callback, **settings | {"cores": cores})


@pytest.mark.parametrize("cores", [1, 2])
def test_an_interrupt_returns_what_is_there_and_keeps_the_rest(
    cores, healthy, settings, no_child_left
):
    latest = {}

    def callback(trace, draw):
        latest[draw.chain] = draw.draw_idx
        # with two cores each chain is to have draws, whichever process was the faster to start
        if len(latest) == cores and min(latest.values()) >= 40:
            raise KeyboardInterrupt

    with healthy:
        whole = pm.sample(nuts_sampler="pymc", **settings | {"draws": 2000})
        idata = sample(callback=callback, **settings | {"draws": 2000, "cores": cores})
    assert idata.posterior.sizes["draw"] >= 1
    kept = idata["interrupted"]
    assert kept["chain_0"].posterior.sizes["draw"] == latest[0] + 1 - 25
    for chain in (0, 1):
        drawn = kept[f"chain_{chain}"].posterior.x.values[0]
        np.testing.assert_array_equal(drawn, whole.posterior.x.values[chain, : len(drawn)])


def test_an_interrupt_while_tuning_keeps_the_tuning_draws(healthy, settings):
    def callback(trace, draw):
        if draw.draw_idx == 10:
            raise KeyboardInterrupt

    with healthy:
        idata = sample(callback=callback, **settings)
    assert idata.warmup_posterior.sizes["draw"] == 11


def test_it_works_in_a_thread(healthy, settings):
    def job(cores):
        with healthy:
            return sample(nuts_sampler="pymc", **settings | {"cores": cores, "mp_ctx": "spawn"})

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        one, two = pool.submit(job, 1).result(), pool.submit(job, 2).result()
    same(one, two)


def test_a_stop_works_in_a_thread(settings, no_child_left):
    def job():
        with pm.Model():
            pm.Normal("x")
            step = faulty(FaultyMetropolis(), "hang", faulty_from=20)
            sample(
                step=step,
                watchdog=WatchdogPolicy(stall_seconds=1.0),
                **settings | {"cores": 2, "mp_ctx": "spawn"},
            )

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        error = pool.submit(job).exception()
    assert isinstance(error, SamplingAborted)
    assert error.report.cause == "stalled"


def test_the_error_survives_a_pickle(healthy, settings):
    with healthy, pytest.raises(SamplingAborted) as caught:
        sample(step=sick(SickNUTS(), Cause.LOGP_NAN, 30), **settings | {"tune": 0, "draws": 99})
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.report.to_dict() == caught.value.report.to_dict()
    same(again.idata, caught.value.idata)
    assert set(again.chains) == {0}


def test_return_gives_the_draws_with_one_warning(healthy, settings):
    policy = WatchdogPolicy(on_abort="return")
    with healthy, pytest.warns(UserWarning, match="logp|log-density") as caught:
        idata = sample(
            step=sick(SickNUTS(), Cause.LOGP_NAN, 30),
            watchdog=policy,
            **settings | {"tune": 0, "draws": 99},
        )
    assert len(caught) == 1
    assert idata.posterior.sizes["draw"] == 40
    assert idata["watchdog"].attrs["aborted"] == 1


def test_no_child_is_left_after_a_healthy_run(healthy, settings):
    with healthy:
        sample(step=pm.Metropolis(), **settings | {"cores": 2, "mp_ctx": "fork"})
    assert multiprocessing.active_children() == []
