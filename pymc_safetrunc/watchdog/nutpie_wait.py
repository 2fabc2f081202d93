"""A nutpie run, waited for: looked at while it samples, and ended where there is a reason."""

from __future__ import annotations

from typing import Any

from xarray import DataTree

from pymc_safetrunc import _upstream
from pymc_safetrunc.watchdog.counter import Cause
from pymc_safetrunc.watchdog.errors import SamplingAborted
from pymc_safetrunc.watchdog.nutpie_guard import Guard
from pymc_safetrunc.watchdog.nutpie_progress import Heard, Progress, Suspicion
from pymc_safetrunc.watchdog.nutpie_starts import Density
from pymc_safetrunc.watchdog.nutpie_trace import real_lengths
from pymc_safetrunc.watchdog.nutpie_verdict import verdict
from pymc_safetrunc.watchdog.reporting import ChainStopped, Stop, build_report, in_short
from pymc_safetrunc.watchdog.request import Request

__all__ = ["wait"]

_POLL_SECONDS = 0.05


def wait(
    handle: Any, progress: Progress, request: Request, density: Density, guard: Guard
) -> tuple[DataTree, ChainStopped | None, bool]:
    """Return the trace, why it was stopped, and whether it was interrupted.

    Raises
    ------
    SamplingAborted
        If nutpie failed and keeps no draws.
    """
    tune = int(_upstream.nutpie_settings(handle)["num_tune"])
    suspicion = Suspicion(request.policy, request.chains, tune)
    heard = Heard(request.policy.stall_seconds, tune, request.draws)
    tree: DataTree | None = None
    try:
        while not _upstream.nutpie_finished(handle, _POLL_SECONDS):
            if guard.error is not None:
                tree = handle.inspect()
                guard.end()
                _upstream.nutpie_end(handle)
                return tree, guard.stopped(request.model, real_lengths(tree)), False
            stopped = heard.stalled(progress.chains)
            if stopped is not None:
                return _upstream.nutpie_leave_hanging(handle), stopped, False
            if suspicion.is_aroused(progress.chains):
                stopped = verdict(handle.inspect(), request, density)
                if stopped is not None:
                    return handle.abort(), stopped, False
        tree = handle.wait()
        return tree, verdict(tree, request, density), False
    except KeyboardInterrupt:
        guard.end()
        return handle.abort() if tree is None else tree, None, True
    except BaseException as error:
        guard.end()
        tree = _upstream.nutpie_end(handle) if tree is None else tree
        if not (isinstance(error, Exception) or _upstream.is_nutpie_failure(error)):
            raise
        stop = Stop(Cause.EXCEPTION, detail=in_short(error))
        if tree is not None:
            return tree, ChainStopped(None, stop, error), False
        stop.detail = f"nutpie says: {in_short(error)}. It keeps no draws then."
        raise SamplingAborted(
            build_report(stop, chain=None, model=request.model, sampler="nutpie")
        ) from error
