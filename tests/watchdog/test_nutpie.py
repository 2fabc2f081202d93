"""nutpie under the watchdog."""

import subprocess
import sys
import textwrap

import numpy as np
import pymc as pm
import pytest

from pymc_safetrunc import _upstream
from pymc_safetrunc.watchdog import SamplingAborted, WatchdogPolicy, sample
from pymc_safetrunc.watchdog.counter import Cause
from pymc_safetrunc.watchdog.nutpie_progress import Heard, longest_run
from tests import optional
from tests.watchdog.faults import HangsFarOut, KillsItsProcess, Raises

nutpie = optional.require("nutpie")

# With one core other tests sample here.
CORES = [pytest.param(1, marks=pytest.mark.soak), 2]


@pytest.fixture
def brief(settings):
    return settings | {"draws": 150, "tune": 150}


@pytest.fixture(scope="module")
def cliff():
    """The log-density is NaN beyond a cliff the posterior climbs towards."""
    with pm.Model() as model:
        s = pm.HalfNormal("s", initval=2.5)
        pm.Potential("cliff", pm.math.switch(s > 0.01, 0, np.nan) - 30 * pm.math.log(s))
    return model


def same(left, right):
    for group in ("posterior", "sample_stats"):
        assert set(left[group].data_vars) == set(right[group].data_vars)
    for name in left.posterior.data_vars:
        np.testing.assert_array_equal(left.posterior[name], right.posterior[name])


@pytest.mark.parametrize("cores", CORES)
def test_draws_are_those_of_pm_sample(cores, healthy, brief):
    with healthy:
        plain = pm.sample(**brief | {"cores": cores})
        watched = sample(**brief | {"cores": cores})
    assert plain.sample_stats.attrs["inference_library"] == "nutpie"
    same(plain, watched)
    assert list(plain.children) == [name for name in watched.children if name != "watchdog"]
    assert watched["watchdog"].attrs["sampler"] == "nutpie"
    assert watched["watchdog"].transitions_tune.values.tolist() == [150, 150]


def test_options_reach_nutpie(healthy, brief):
    options = {
        "nuts": {"target_accept": 0.95, "max_treedepth": 5},
        "discard_tuned_samples": False,
        "initvals": {"x": [0.5, 0.5]},
        "var_names": ["x"],
        "idata_kwargs": {"include_transformed": True},
    }
    with healthy:
        plain, watched = pm.sample(**brief, **options), sample(**brief, **options)
    same(plain, watched)
    assert list(plain.children) == [name for name in watched.children if name != "watchdog"]
    np.testing.assert_array_equal(plain.warmup_posterior.x, watched.warmup_posterior.x)
    assert options["nuts"] == {"target_accept": 0.95, "max_treedepth": 5}


def test_the_doomed_model_is_stopped_before_it_starts(doomed, brief):
    with doomed, pytest.raises(SamplingAborted) as caught:
        sample(watchdog=WatchdogPolicy(max_init_attempts=1), **brief)
    report = caught.value.report
    assert (report.sampler, report.phase) == ("nutpie", "initial point")
    assert report.cause == "gradient-at-state"
    assert set(report.point) == {"s_log__", "V_interval__"}
    assert "1 starting point tried" in str(caught.value)
    assert "infinite, from up" in str(caught.value)


def test_the_interpreter_exits_in_good_health(tmp_path):
    # plain nutpie, with two chains that cannot start, crashed at exit 6 times of 6
    script = tmp_path / "doomed.py"
    script.write_text(
        textwrap.dedent(
            """
            import numpy as np, pymc as pm
            from pymc_safetrunc.watchdog import SamplingAborted, sample
            with pm.Model():
                up = pm.Data("up", np.inf)
                s = pm.InverseGamma("s", 2, 3)
                pm.TruncatedNormal("V", 0, s, lower=0, upper=up)
                try:
                    sample(20, tune=20, chains=2, quiet=True)
                except SamplingAborted as error:
                    print(error)
            """
        )
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "up" in done.stdout
    assert "s_log__" in done.stdout


def test_a_chain_at_a_cliff_is_stopped_and_its_draws_are_kept(cliff, brief):
    long = brief | {"draws": 1_000_000, "cores": 2}
    with cliff, pytest.raises(SamplingAborted) as caught:
        sample(watchdog=WatchdogPolicy(max_nonfinite_tuning=None), **long)
    with cliff:
        undisturbed = pm.sample(**brief | {"draws": 150, "cores": 2})
    error = caught.value
    report = error.report
    assert (report.cause, report.limit) == (Cause.LOGP_NAN, "max_nonfinite")
    assert report.run_length == 10
    assert np.exp(report.point["s_log__"]) < 0.01
    assert set(error.chains) == {0, 1}
    for chain, tree in error.chains.items():
        assert tree.warmup_posterior.sizes["draw"] == 150
        drawn = tree.posterior.s.values[0]
        assert np.isfinite(drawn).all()
        assert report.kept[chain] == (150, len(drawn))
        common = min(len(drawn), 150)
        np.testing.assert_array_equal(
            drawn[:common], undisturbed.posterior.s.values[chain, :common]
        )
    assert error.idata.posterior.sizes["draw"] == min(draws for _, draws in report.kept.values())


def test_minus_infinity_is_legal_and_counts_as_a_divergence(brief):
    with pm.Model():
        s = pm.HalfNormal("s", initval=2.5)
        pm.Potential("cliff", pm.math.switch(s > 0.01, 0, -np.inf) - 30 * pm.math.log(s))
        policy = WatchdogPolicy(max_divergent=None, max_nonfinite_tuning=None)
        idata = sample(watchdog=policy, **brief)
        assert int(idata["watchdog"].divergent.sum()) > 0
        with pytest.raises(SamplingAborted) as caught:
            sample(watchdog=WatchdogPolicy(max_divergent=5), **brief | {"draws": 3_000})
    assert (caught.value.report.cause, caught.value.report.limit) == (
        Cause.LOGP_MINUS_INF,
        "max_divergent",
    )


def test_a_hang_is_ended_with_its_process(brief, no_child_left):
    with pm.Model():
        x = pm.Normal("x")
        pm.Potential("p", HangsFarOut()(x))
        with pytest.raises(SamplingAborted) as caught:
            sample(
                nuts_sampler="nutpie",
                watchdog=WatchdogPolicy(stall_seconds=1.0),
                **brief | {"draws": 5_000, "chains": 1, "mp_ctx": "spawn"},
            )
    report = caught.value.report
    assert report.cause == "stalled"
    assert sum(report.kept.get(0, (0, 0))) == report.draw


def test_the_death_of_its_process_is_reported(brief, no_child_left):
    with pm.Model():
        pm.Potential("p", KillsItsProcess(500)(pm.Normal("x")))
        with pytest.raises(SamplingAborted) as caught:
            sample(
                nuts_sampler="nutpie",
                watchdog=WatchdogPolicy(stall_seconds=60.0),
                **brief | {"draws": 5_000, "chains": 1, "mp_ctx": "spawn"},
            )
    assert caught.value.report.cause == "worker-died"
    assert str(caught.value).startswith("Sampling was stopped in a chain.\n")
    assert "Exit code -9" in str(caught.value)


@pytest.mark.filterwarnings("ignore:Numba will use object mode")
@pytest.mark.parametrize("cores", CORES)
def test_an_op_that_raises_is_named_and_the_draws_before_are_kept(cores, brief):
    def build(after):
        x = pm.Normal("x")
        pm.Potential("p", Raises(after)(x))

    several = brief | {"cores": cores, "nuts_sampler": "nutpie", "discard_tuned_samples": False}
    with pm.Model():
        build(after=10**9)
        undisturbed = pm.sample(**several)
    with pm.Model():
        build(after=3_000)
        with pytest.raises(SamplingAborted) as caught:
            sample(**several | {"draws": 3_000})
    error = caught.value
    assert (error.report.cause, error.report.limit) == ("exception", "max_divergent")
    assert isinstance(error.__cause__, ArithmeticError)
    assert "ArithmeticError: made for the test" in str(error)
    group = error.idata["watchdog"]
    before = {}
    for chain, tree in error.chains.items():
        raised = group.run_cause.sel(chain=chain).values.tolist().index("exception")
        before[chain] = int(group.run_start.sel(chain=chain)[raised])
        kept, expected = transitions(tree, 0), transitions(undisturbed, chain)
        common = min(before[chain], len(expected))
        np.testing.assert_array_equal(kept[:common], expected[:common])
    # the chains share the count of calls, and one of them may start late
    assert max(before.values()) > brief["tune"]


def transitions(tree, index):
    """Every x of a chain, tuning included."""
    return np.concatenate(
        [tree[group].x.values[index] for group in ("warmup_posterior", "posterior")]
    )


def test_a_failure_of_nutpie_itself_is_an_abort(monkeypatch, healthy, brief):
    def without_a_start(compiled, function):
        return with_starts(compiled, lambda seed: np.full(2, np.nan))

    with_starts = _upstream.nutpie_with_starts
    monkeypatch.setattr("pymc_safetrunc._upstream.nutpie_with_starts", without_a_start)
    with healthy, pytest.raises(SamplingAborted) as caught:
        sample(nuts_sampler="nutpie", **brief | {"chains": 1})
    assert caught.value.report.cause == "exception"
    # of its many lines the first
    assert caught.value.report.detail == (
        "nutpie says: RuntimeError: All initialization points failed. It keeps no draws then."
    )
    assert (caught.value.chains, caught.value.idata) == ({}, None)


@pytest.mark.parametrize("draws", [1_000_000, 150], ids=["while it runs", "when it is done"])
def test_a_fault_of_the_watchdog_itself_costs_no_draws(draws, monkeypatch, healthy, brief):
    def broken(tree, request, density):
        raise ValueError("made for the test")

    monkeypatch.setattr("pymc_safetrunc.watchdog.nutpie_wait.verdict", broken)
    with healthy, pytest.raises(SamplingAborted) as caught:
        sample(watchdog=WatchdogPolicy(max_nonfinite_tuning=10), **brief | {"draws": draws})
    error = caught.value
    assert (error.report.cause, error.report.chain) == ("exception", None)
    assert "ValueError: made for the test" in str(error)
    assert isinstance(error.__cause__, ValueError)
    assert max(tuned for tuned, _ in error.report.kept.values()) >= 10
    for chain, (tuned, _) in error.report.kept.items():
        assert error.chains[chain].warmup_posterior.sizes["draw"] == tuned
    assert draws > 150 or error.idata.posterior.sizes["draw"] == draws


def test_only_a_chain_that_runs_can_stall(monkeypatch):
    now = 0.0
    monkeypatch.setattr("pymc_safetrunc.watchdog.nutpie_progress.time.monotonic", lambda: now)
    heard = Heard(seconds=10.0, tune=50, draws=100)
    # one core: the first chain is done, the second runs, the third waits for the core
    waits = (False, 0, [])
    for now in range(0, 60, 5):
        assert heard.stalled([(True, 150, []), (True, 1 + now, []), waits]) is None
    now += 9.0
    assert heard.stalled([(True, 150, []), (True, 56, []), waits]) is None
    now += 1.0
    stopped = heard.stalled([(True, 150, []), (True, 56, []), waits])
    assert (stopped.chain, stopped.stop.transitions) == (1, 56)
    assert stopped.stop.phase == "sampling"


@pytest.mark.parametrize(
    ("indices", "expected"),
    [
        ([], (-1, 0)),
        ([7], (7, 1)),
        ([1, 2, 3, 9], (1, 3)),
        ([1, 2, 8, 9], (8, 2)),
        ([0, 1, 5, 6, 7, 9, 20], (5, 3)),
    ],
)
def test_longest_run_of_indices(indices, expected):
    assert longest_run(indices) == expected
