"""A step method that counts what it does: the wrapper behind :func:`watch`.

The class of the built step is swapped for a subclass made for it, so the step stays what it was
for PyMC: the same object, the same isinstance checks, names, variables, statistics and sampling
state. All that is added lives in one attribute, ``_watchdog``.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pymc.blocking import DictToArrayBijection, RaveledVars
from pymc.exceptions import SamplingError
from pymc.model import Model
from pymc.step_methods import Slice
from pymc.step_methods.arraystep import ArrayStep
from pymc.step_methods.compound import BlockedStep, CompoundStep, flatten_steps
from pymc.step_methods.hmc.base_hmc import BaseHMC

from pymc_safetrunc._upstream import running_chain
from pymc_safetrunc.watchdog.counter import Cause, ChainCounter
from pymc_safetrunc.watchdog.errors import SamplingAborted
from pymc_safetrunc.watchdog.policy import WatchdogPolicy
from pymc_safetrunc.watchdog.reporting import ChainStopped, Stop, build_report

__all__ = ["MarkedStats", "unwatch", "watch", "watch_for_driver"]

_INF = float("inf")


class MarkedStats(dict):
    """Statistics of a bad transition, with the cause for whoever drives the sampling.

    An attribute and not a key: traces refuse keys they were not told of.
    """

    cause: Cause
    stop: Stop | None = None


class DensitySpy:
    """A compiled log-density that remembers where it was NaN or +inf."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.bad: Any = None
        self.last_is_bad = False

    def __call__(self, *args):
        value = self.function(*args)
        if value < _INF:
            self.last_is_bad = False
        else:
            self.last_is_bad = True
            self.bad = args[0]
        return value

    def __getattr__(self, name: str):
        if name == "function":  # asked for while unpickling, before it is there
            raise AttributeError(name)
        return getattr(self.function, name)


class StepWatch:
    """What the wrapper knows about the chain its step is sampling."""

    __slots__ = (
        "bad",
        "cause",
        "counter",
        "model",
        "owns_all",
        "policy",
        "raises",
        "spies",
        "started_in",
    )

    def __init__(
        self,
        policy: WatchdogPolicy,
        *,
        tune: int = 0,
        owns_all: bool,
        raises: bool,
        model: Model,
        spies: tuple[DensitySpy, ...] = (),
    ) -> None:
        self.policy = policy
        self.owns_all = owns_all
        self.raises = raises
        self.model = model
        self.spies = spies
        self.counter = ChainCounter(policy, tune, owns_all)
        self.cause: Cause | None = None
        self.bad: Any = None
        # A directory in which a worker that begins its chain leaves a file of the chain's number
        self.started_in: str | None = None

    def for_chain(self, tune: int) -> StepWatch:
        """Return a new one: copies of a step, one a chain, must not share their counts."""
        new = StepWatch(
            self.policy,
            tune=tune,
            owns_all=self.owns_all,
            raises=self.raises,
            model=self.model,
            spies=self.spies,
        )
        new.started_in = self.started_in
        return new

    def __getstate__(self):
        return {name: getattr(self, name) for name in self.__slots__}

    def __setstate__(self, state):
        for name, value in state.items():
            setattr(self, name, value)


def watch(step, policy: WatchdogPolicy | None = None):
    """Let a built step method stop a doomed chain.

    The step is changed in place and returned, still an instance of its class. It stops and
    diagnoses; only :func:`pymc_safetrunc.sample` keeps the draws taken before.

    Parameters
    ----------
    step : step method, CompoundStep or sequence of step methods
        Already built, as in ``pm.NUTS()``.
    policy : WatchdogPolicy, optional
        The limits; ``stall_seconds`` and ``max_init_attempts`` need :func:`pymc_safetrunc.sample`.

    Returns
    -------
    step
        The same object, for ``pm.sample(step=...)``.

    Raises
    ------
    TypeError
        If ``step`` is no built step method, or ``policy`` no policy.
    SamplingAborted
        While sampling, when a limit is reached. With several cores PyMC raises its
        ``ParallelSamplingError``, which has this as its ``__cause__``.

    Examples
    --------
    >>> import pymc as pm
    >>> from pymc_safetrunc.watchdog import watch
    >>> with pm.Model():
    ...     x = pm.Normal("x")
    ...     step = watch(pm.Metropolis())
    >>> isinstance(step, pm.Metropolis)
    True
    """
    if policy is None:
        policy = WatchdogPolicy()
    elif not isinstance(policy, WatchdogPolicy):
        raise TypeError(f"watch(policy={policy!r}): give a WatchdogPolicy, or None.")
    if isinstance(step, Sequence) and not isinstance(step, str):
        return [watch(each, policy) for each in step]
    if not isinstance(step, BlockedStep | CompoundStep):
        hint = " Build it first: pm.NUTS(), with brackets." if isinstance(step, type) else ""
        raise TypeError(f"watch({step!r}): give a built step method or a CompoundStep.{hint}")
    _watch_leaves(step, policy, raises=True)
    return step


def watch_for_driver(step, policy: WatchdogPolicy) -> None:
    """Watch a step whose driver reads :class:`MarkedStats` and does the stopping."""
    _watch_leaves(step, policy, raises=False)


def unwatch(step) -> None:
    """Give a step back as it was before it was watched."""
    for leaf in flatten_steps(step):
        if "_watchdog" in vars(leaf):
            _remove_spies(leaf)
            leaf.__class__ = type(leaf).__bases__[0]
            del leaf._watchdog


def _watch_leaves(step, policy: WatchdogPolicy, *, raises: bool) -> None:
    for leaf in flatten_steps(step):
        unwatch(leaf)
        # PyMC keeps the model of every step among the arguments that rebuild it.
        model = leaf.__getnewargs_ex__()[1]["model"]
        spies = _place_spies(leaf)
        leaf.__class__ = _watched_class(type(leaf))  # type: ignore[arg-type]
        leaf._watchdog = StepWatch(
            policy,
            owns_all={v.name for v in leaf.vars} == {v.name for v in model.value_vars},
            raises=raises,
            model=model,
            spies=spies,
        )


def _place_spies(step: BlockedStep) -> tuple[DensitySpy, ...]:
    """Put a spy on every log-density a gradient-free step calls."""
    spies: list[DensitySpy] = []
    for name in ("delta_logp", "logp"):  # Metropolis and its kin; Slice
        function = vars(step).get(name)
        if callable(function):
            spies.append(DensitySpy(function))
            setattr(step, name, spies[-1])
    if isinstance(step, ArrayStep):  # the discrete Gibbs and Metropolis steps
        step.fs = [DensitySpy(function) for function in step.fs]
        spies.extend(step.fs)
    return tuple(spies)


def _remove_spies(step: BlockedStep) -> None:
    for name, value in list(vars(step).items()):
        if isinstance(value, DensitySpy):
            setattr(step, name, value.function)
    if isinstance(step, ArrayStep):
        step.fs = [getattr(f, "function", f) for f in step.fs]


@cache
def _watched_class(base: type) -> type:
    """Return the one-level subclass of a step class that counts."""
    namespace: dict[str, Any] = {
        "__module__": base.__module__,
        "__qualname__": base.__qualname__,
        "__doc__": base.__doc__,
        "__reduce_ex__": _reduce,
        "step": _counting_step(base),
        "setup_chain": _resetting_setup(base),
    }
    if issubclass(base, BaseHMC):
        namespace["_hamiltonian_step"] = _classifying_trajectory(base)
    return type(base)(base.__name__, (base,), namespace)


def _reduce(self, protocol):
    # The subclass is made at run time and cannot be found by name: pickle the class below it
    # and make the subclass again on the other side.
    args, kwargs = self.__getnewargs_ex__()
    return _rebuild, (type(self).__bases__[0], args, kwargs), self.__getstate__()


def _rebuild(base: type, args: tuple, kwargs: dict):
    step = base.__new__(base, *args, **kwargs)
    step.__class__ = _watched_class(base)
    return step


def _resetting_setup(base):
    def setup_chain(self, rng, tune, draws):
        base.setup_chain(self, rng, tune, draws)
        self._watchdog = self._watchdog.for_chain(tune)
        if self._watchdog.started_in is not None:
            Path(self._watchdog.started_in, str(running_chain())).touch()

    return setup_chain


def _classifying_trajectory(base):
    inner = base._hamiltonian_step

    def _hamiltonian_step(self, start, p0, step_size):
        result = inner(self, start, p0, step_size)
        if result.divergence_info:
            watch = self._watchdog
            watch.cause, watch.bad = _trajectory_cause(start, result.divergence_info)
        return result

    return _hamiltonian_step


def _trajectory_cause(start, info) -> tuple[Cause, RaveledVars]:
    """Tell why a Hamiltonian trajectory diverged, and at which position."""
    if not np.isfinite(start.q_grad).all():
        return Cause.GRADIENT_AT_STATE, start.q
    proposal = info.state_div
    if info.exec_info is not None or proposal is None:
        return Cause.LINEAR_ALGEBRA, start.q if info.state is None else info.state.q
    logp = proposal.model_logp
    if logp == -_INF:
        return Cause.LOGP_MINUS_INF, proposal.q
    if not np.isfinite(proposal.q.data).all():
        # Only a gradient that was not finite one leapfrog step before leads to such a position.
        return Cause.GRADIENT_ON_PATH, info.state.q
    if not logp < _INF:
        return Cause.LOGP_NAN, proposal.q
    if not np.isfinite(proposal.q_grad).all():
        return Cause.GRADIENT_ON_PATH, proposal.q
    return Cause.ENERGY_ERROR, proposal.q


def _counting_step(base):
    inner = base.step
    # A Hamiltonian step tells its cause itself; others are judged by what their transition left.
    judge = None if issubclass(base, BaseHMC) else _left_behind
    if issubclass(base, Slice):
        judge = _accepted

    def step(self, point):
        watch = self._watchdog
        try:
            result = inner(self, point)
        except Exception as error:
            if watch.raises and not isinstance(error, SamplingError):
                raise
            raise _failed(self, point, error) from error
        cause = watch.cause if judge is None else judge(watch, result[1])
        if cause is None:
            watch.counter.record()
            return result
        return _bad_transition(self, cause, point, result)

    return step


def _left_behind(watch: StepWatch, stats) -> Cause | None:
    """Judge a gradient-free step by the densities it met, or one of the user's by its stats."""
    if watch.spies:
        return _cause_from_spies(watch, Cause.ACCEPTANCE_NAN)
    for row in stats:
        if row.get("diverging"):
            return Cause.ENERGY_ERROR
        # an acceptance that overflows to infinity is none that is not a number
        if (accept := row.get("accept")) is not None and accept != accept:
            return Cause.ACCEPTANCE_NAN
    return None


def _accepted(watch: StepWatch, stats) -> Cause | None:
    """Judge Slice, which accepts a NaN.

    One that it met while it looked for the ends of its interval does no harm.
    """
    for spy in watch.spies:
        if not spy.last_is_bad:
            spy.bad = None
    return _cause_from_spies(watch, Cause.ACCEPTED_NAN)


def _cause_from_spies(watch: StepWatch, cause: Cause) -> Cause | None:
    found = None
    for spy in watch.spies:
        if spy.bad is not None:
            found, watch.bad, spy.bad = cause, spy.bad, None
    return found


def _bad_transition(step, cause: Cause, point, result):
    watch = step._watchdog
    bad, watch.cause, watch.bad = watch.bad, None, None
    limit = watch.counter.record(cause)
    new_point, stats = result
    stop = None
    if limit is not None:
        counter = watch.counter
        stop = Stop(
            cause=cause,
            limit=limit,
            run_length=(counter.nonfinite_run if "nonfinite" in limit else counter.divergent_run),
            transitions=counter.transitions,
            phase="tuning" if counter.tuning else "sampling",
            point=_full_point(step, point, bad),
            step=_describe(step),
        )
        if watch.raises:
            raise _aborted(stop, watch)
        if not stats:  # nowhere to leave the mark
            raise ChainStopped(running_chain(), stop)
    if not watch.raises and stats:
        marked = MarkedStats(stats[0])
        marked.cause, marked.stop = cause, stop
        stats = [marked, *stats[1:]]
    return new_point, stats


def _failed(step, point, error: Exception) -> Exception:
    """Say where a step raised; PyMC raises its SamplingError at a state it cannot leave."""
    if isinstance(error, SamplingError):
        cause, original = Cause.LOGP_AT_STATE, None
        detail = f"PyMC says: {str(error).splitlines()[0]}"
    else:
        cause, original = Cause.EXCEPTION, _picklable(error)
        detail = f"{type(error).__name__}: {error}"
    counter = step._watchdog.counter
    stop = Stop(
        cause=cause,
        transitions=counter.transitions,
        phase="tuning" if counter.transitions < counter.tune else "sampling",
        point=_full_point(step, point, None),
        step=_describe(step),
        detail=detail,
    )
    if step._watchdog.raises:
        return _aborted(stop, step._watchdog)
    return ChainStopped(running_chain(), stop, original)


def _picklable(error: Exception) -> Exception:
    """Return the error, or its words where it cannot leave a worker process."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _aborted(stop: Stop, watch: StepWatch) -> SamplingAborted:
    report = build_report(stop, chain=running_chain(), model=watch.model, keeps_draws=False)
    return SamplingAborted(report)


def _full_point(step, point, bad) -> dict[str, np.ndarray]:
    """Return a copy of the whole point, with the step's own variables as they were proposed."""
    full = dict(point)
    if isinstance(bad, RaveledVars):
        full.update(DictToArrayBijection.rmap(bad))
    elif isinstance(bad, dict):
        full.update(bad)
    elif bad is not None:
        own = DictToArrayBijection.map({v.name: point[v.name] for v in step.vars})
        full.update(DictToArrayBijection.rmap(RaveledVars(bad, own.point_map_info)))
    return {name: np.array(value) for name, value in full.items()}


def _describe(step) -> str:
    return f"{type(step).__name__}: {', '.join(v.name for v in step.vars)}"
