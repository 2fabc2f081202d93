"""Counting, against invented histories and a slow second reading of the policy."""

import sys
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymc_safetrunc.watchdog import WatchdogPolicy
from pymc_safetrunc.watchdog.counter import MAX_RUNS, NONFINITE, Cause, ChainCounter

SAMPLED = [c for c in Cause if c not in (Cause.STALLED, Cause.WORKER_DIED, Cause.EXCEPTION)]
ORDINARY = [cause for cause in SAMPLED if cause is not Cause.GRADIENT_AT_STATE]


def first_stop(counter, history):
    for number, cause in enumerate(history, start=1):
        limit = counter.record(cause)
        if limit is not None:
            return number, limit
    return None


@pytest.mark.parametrize("start", [0, 7, 30])
@pytest.mark.parametrize("cause", ORDINARY)
def test_a_cause_from_k_on_stops_at_exactly_k_plus_limit(cause, start):
    policy = WatchdogPolicy(
        max_nonfinite=4, max_divergent=6, max_nonfinite_tuning=9, max_divergent_tuning=11
    )
    tuning = first_stop(ChainCounter(policy, tune=1_000), [None] * start + [cause] * 50)
    drawing = first_stop(ChainCounter(policy, tune=0), [None] * start + [cause] * 50)
    if cause in NONFINITE:
        assert tuning == (start + 9, "max_nonfinite_tuning")
        assert drawing == (start + 4, "max_nonfinite")
    else:
        assert tuning == (start + 11, "max_divergent_tuning")
        assert drawing == (start + 6, "max_divergent")


@pytest.mark.parametrize("tune", [0, 100])
def test_a_gradient_lost_at_the_state_is_absorbing_only_for_the_owner_of_all(tune):
    history = [None] * 3 + [Cause.GRADIENT_AT_STATE] * 300
    policy = WatchdogPolicy(max_nonfinite=None, max_nonfinite_tuning=None, max_divergent=None)
    assert first_stop(ChainCounter(policy, tune, owns_all=True), history) == (4, "absorbing")
    assert first_stop(ChainCounter(policy, tune, owns_all=False), history) is None


def test_a_run_that_reaches_into_the_draws_counts_there_with_its_whole_length():
    counter = ChainCounter(WatchdogPolicy(), tune=454)
    assert first_stop(counter, [Cause.ENERGY_ERROR] * 500) == (455, "max_divergent")


def test_the_poisson_regression_that_diverges_454_times_while_tuning_goes_on():
    counter = ChainCounter(WatchdogPolicy(), tune=1_000)
    assert first_stop(counter, [Cause.ENERGY_ERROR] * 454 + [None] * 1_546) is None
    assert counter.longest_divergent == 454


def test_one_good_transition_starts_the_count_again():
    history = ([Cause.LOGP_NAN] * 9 + [None]) * 50
    assert first_stop(ChainCounter(WatchdogPolicy(), tune=0), history) is None


def test_a_finite_divergence_breaks_the_nonfinite_run_and_not_the_divergent_one():
    history = ([Cause.LOGP_NAN] * 9 + [Cause.ENERGY_ERROR]) * 5
    assert first_stop(ChainCounter(WatchdogPolicy(), tune=0), history) == (50, "max_divergent")


@settings(max_examples=200, deadline=None)
@given(
    history=st.lists(st.sampled_from([None, None, None, *SAMPLED]), max_size=60),
    tune=st.integers(0, 60),
)
def test_counts_and_runs_agree_with_grouping_the_history(history, tune):
    counter = ChainCounter(None, tune)
    for cause in history:
        assert counter.record(cause) is None
    bad = [cause is not None for cause in history]
    nonfinite = [cause in NONFINITE for cause in history]
    assert counter.divergent == sum(bad)
    assert counter.nonfinite == sum(nonfinite)
    assert counter.longest_divergent == longest(bad)
    assert counter.longest_nonfinite == longest(nonfinite)
    assert counter.transitions_tune == len(history[:tune])
    assert counter.transitions_draw == len(history[tune:])
    assert counter.runs == list(runs(history))


def longest(flags):
    return max((len(list(group)) for flag, group in groupby(flags) if flag), default=0)


def runs(history):
    position = 0
    for bad, group in groupby(history, key=lambda cause: cause is not None):
        causes = list(group)
        if bad:
            yield [position, len(causes), causes[-1]]
        position += len(causes)


def test_memory_is_bounded_and_counts_stay_exact():
    counter = ChainCounter(None)
    for _ in range(MAX_RUNS + 500):
        counter.record(Cause.ENERGY_ERROR)
        counter.record(Cause.LOGP_NAN)
        counter.record(None)
    assert len(counter.runs) == MAX_RUNS
    assert counter.runs[-1] == [3 * (MAX_RUNS - 1), 2, Cause.LOGP_NAN]
    assert counter.divergent == 2 * (MAX_RUNS + 500)
    assert counter.longest_divergent == 2


def test_healthy_transitions_take_no_memory():
    counter = ChainCounter(WatchdogPolicy())
    for _ in range(1_000):
        counter.record(None)
    before = sum(sys.getsizeof(getattr(counter, name)) for name in counter.__slots__)
    for _ in range(20_000):
        counter.record(None)
    after = sum(sys.getsizeof(getattr(counter, name)) for name in counter.__slots__)
    assert after == before
