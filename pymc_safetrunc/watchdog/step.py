"""A step method that counts what it does: the wrapper behind :func:`watch`.

The class of the built step is swapped for a subclass made for it, so the step stays what it was
for PyMC: the same object, the same isinstance checks, names, variables, statistics and sampling
state. All that is added lives in one attribute, ``_watchdog``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pymc.exceptions import SamplingError
from pymc.model import Model
from pymc.step_methods.compound import BlockedStep, CompoundStep, flatten_steps
from pymc.step_methods.hmc.base_hmc import BaseHMC

from pymc_safetrunc._upstream import running_chain, trajectory_listener
from pymc_safetrunc.watchdog.counter import Cause, ChainCounter
from pymc_safetrunc.watchdog.policy import WatchdogPolicy
from pymc_safetrunc.watchdog.spies import DensitySpy, place_spies, remove_spies
from pymc_safetrunc.watchdog.step_cause import judge_for, trajectory_cause
from pymc_safetrunc.watchdog.step_end import bad_transition, failed

__all__ = ["policies_of", "unwatch", "watch", "watched_for_driver"]


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


def policies_of(step) -> set[WatchdogPolicy]:
    """Return the policies of those of the caller's steps that are watched already."""
    if isinstance(step, Sequence) and not isinstance(step, str):
        return set().union(*map(policies_of, step))
    if not isinstance(step, BlockedStep | CompoundStep):
        return set()
    return {leaf._watchdog.policy for leaf in flatten_steps(step) if _is_watched(leaf)}


@contextlib.contextmanager
def watched_for_driver(step, policy: WatchdogPolicy) -> Iterator[None]:
    """Watch a step whose driver reads :class:`MarkedStats` and does the stopping.

    Afterwards the step is as it was, which may be watched.
    """
    watched = [leaf for leaf in flatten_steps(step) if _is_watched(leaf)]
    _watch_leaves(step, policy, raises=False)
    try:
        yield
    finally:
        unwatch(step)
        watch(watched, policy)


def _is_watched(leaf: BlockedStep) -> bool:
    return "_watchdog" in vars(leaf)


def unwatch(step) -> None:
    """Give a step back as it was before it was watched."""
    for leaf in flatten_steps(step):
        if _is_watched(leaf):
            remove_spies(leaf)
            leaf.__class__ = type(leaf).__bases__[0]
            del leaf._watchdog


def _watch_leaves(step, policy: WatchdogPolicy, *, raises: bool) -> None:
    for leaf in flatten_steps(step):
        unwatch(leaf)
        # PyMC keeps the model of every step among the arguments that rebuild it.
        model = leaf.__getnewargs_ex__()[1]["model"]
        spies = place_spies(leaf)
        leaf.__class__ = _watched_class(type(leaf))  # type: ignore[arg-type]
        leaf._watchdog = StepWatch(
            policy,
            owns_all={v.name for v in leaf.vars} == {v.name for v in model.value_vars},
            raises=raises,
            model=model,
            spies=spies,
        )


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
        namespace |= trajectory_listener(base, _keep_cause)
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


def _keep_cause(step, start, info) -> None:
    watch = step._watchdog
    watch.cause, watch.bad = trajectory_cause(start, info)


def _counting_step(base):
    inner = base.step
    judge = judge_for(base)

    def step(self, point):
        watch = self._watchdog
        try:
            result = inner(self, point)
        except Exception as error:
            if watch.raises and not isinstance(error, SamplingError):
                raise
            raise failed(self, point, error) from error
        cause = watch.cause if judge is None else judge(watch, result[1])
        if cause is None:
            watch.counter.record()
            return result
        return bad_transition(self, cause, point, result)

    return step
