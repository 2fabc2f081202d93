"""What becomes of a bad transition of a watched step: a mark for the driver, or the end."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
from pymc.blocking import DictToArrayBijection, RaveledVars
from pymc.exceptions import SamplingError

from pymc_safetrunc._upstream import running_chain
from pymc_safetrunc.watchdog.counter import Cause
from pymc_safetrunc.watchdog.errors import SamplingAborted
from pymc_safetrunc.watchdog.reporting import ChainStopped, Stop, build_report, in_short

if TYPE_CHECKING:
    from pymc_safetrunc.watchdog.step import StepWatch

__all__ = ["MarkedStats", "bad_transition", "failed"]


class MarkedStats(dict):
    """Statistics of a bad transition, with the cause for whoever drives the sampling.

    An attribute and not a key: traces refuse keys they were not told of.
    """

    cause: Cause
    stop: Stop | None = None


def bad_transition(step, cause: Cause, point, result):
    """Count a bad transition; return it marked, or raise where a limit is reached."""
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
            run_length=counter.run_length(limit),
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


def failed(step, point, error: Exception) -> Exception:
    """Say where a step raised; PyMC raises its SamplingError at a state it cannot leave."""
    if isinstance(error, SamplingError):
        cause, original, told = Cause.LOGP_AT_STATE, None, "PyMC says: "
    else:
        cause, original, told = Cause.EXCEPTION, _picklable(error), ""
    counter = step._watchdog.counter
    stop = Stop(
        cause=cause,
        transitions=counter.transitions,
        phase="tuning" if counter.transitions < counter.tune else "sampling",
        point=_full_point(step, point, None),
        step=_describe(step),
        detail=told + in_short(error),
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
