"""PyMC's population samplers, whose loop has no callback: listened to where it records."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pymc_safetrunc.watchdog.counter import Cause
from pymc_safetrunc.watchdog.reporting import ChainStopped, Stop

__all__ = ["watched_population"]

# With PyMC's own three seconds for a population's workers, time to leave the two we promise.
_PATIENCE_SECONDS = 1.5

Count = Callable[[int, Sequence[dict[str, Any]]], Stop | None]


@contextlib.contextmanager
def watched_population(traces: Sequence[Any], count: Count) -> Iterator[None]:
    """Count what the traces of a population are given.

    Parameters
    ----------
    traces : sequence of trace
        One a chain.
    count : callable
        From a chain and the statistics of a transition to the stop it asks for, or None.

    Raises
    ------
    ChainStopped
        If a stop is asked for, or a worker died.
    """
    before = set(multiprocessing.active_children())
    for trace in traces:
        trace.record = _listening(trace, count, before)
    try:
        yield
    except (EOFError, ConnectionError) as error:
        _end_later(before)
        stop = Stop(Cause.WORKER_DIED, transitions=len(traces[0]))
        raise ChainStopped(None, stop) from error
    finally:
        for trace in traces:
            del trace.record


def _listening(trace, count: Count, before: set):
    record = trace.record

    def record_and_count(point, stats, *, in_warmup):
        flushed = record(point, stats, in_warmup=in_warmup)
        stop = count(trace.chain, stats)
        if stop is not None:
            _end_later(before)
            raise ChainStopped(trace.chain, stop)
        return flushed

    return record_and_count


def _end_later(before: set) -> None:
    """Kill, after a while, the child processes that were not there before."""

    def kill():
        for process in set(multiprocessing.active_children()) - before:
            process.kill()

    timer = threading.Timer(_PATIENCE_SECONDS, kill)
    timer.daemon = True
    timer.start()
