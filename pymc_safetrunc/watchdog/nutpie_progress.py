"""What nutpie tells while it runs, and when that is reason to look closer.

It tells the indices of the divergent draws after tuning, no causes, and nothing about tuning.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from pymc_safetrunc.watchdog.counter import Cause
from pymc_safetrunc.watchdog.policy import WatchdogPolicy
from pymc_safetrunc.watchdog.reporting import ChainStopped, Stop

__all__ = ["Heard", "Progress", "Suspicion", "longest_run"]


class Progress:
    """What nutpie's thread told last, passed on to PyMC's bars and the caller."""

    def __init__(self, listeners: Sequence[Any]) -> None:
        self._listeners = [listener for listener in listeners if listener is not None]
        self.chains: list[Any] = []

    def __call__(self, chains) -> None:
        """Take what nutpie tells of every chain."""
        self.chains = [(c.started, c.finished_draws, list(c.divergent_draws)) for c in chains]
        for listener in self._listeners:
            listener(chains)


class Suspicion:
    """Decides from the progress when a copy of the trace is worth its cost."""

    def __init__(self, policy: WatchdogPolicy, chains: int, tune: int) -> None:
        self._tune = tune
        limits = [m for m in (policy.max_nonfinite, policy.max_divergent) if m is not None]
        self._shortest = min(limits, default=None)
        tuning = [
            m for m in (policy.max_nonfinite_tuning, policy.max_divergent_tuning) if m is not None
        ]
        # Nothing is told of tuning: look when the limit can have been reached, then ever rarer.
        self._next_look = [min(tuning, default=None)] * chains
        self._seen = [(-1, 0)] * chains

    def is_aroused(self, chains) -> bool:
        """Say whether any chain gives a new reason to look."""
        return any([self._chain(number, *told) for number, told in enumerate(chains)])

    def _chain(self, number: int, started: bool, finished: int, divergent: list[int]) -> bool:
        if not started:
            return False
        look = self._next_look[number]
        if look is not None and finished >= look:
            done_tuning = finished >= self._tune
            self._next_look[number] = None if done_tuning else min(4 * look, self._tune)
            return True
        if self._shortest is None:
            return False
        start, length = longest_run(divergent)
        wanted = 1 if start == self._tune else self._shortest
        seen_start, seen_length = self._seen[number]
        if length < wanted or (start == seen_start and length < 2 * seen_length):
            return False
        self._seen[number] = (start, length)
        return True


def longest_run(indices: list[int]) -> tuple[int, int]:
    """Return start and length of the longest run of consecutive numbers, the last if equal."""
    if not indices:
        return -1, 0
    numbers = np.asarray(indices)
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 2) != 1)
    lengths = np.diff(starts, append=len(numbers))
    best = len(lengths) - 1 - int(np.argmax(lengths[::-1]))
    return int(numbers[starts[best]]), int(lengths[best])


class Heard:
    """When each chain that runs last gave a draw."""

    def __init__(self, seconds: float | None, tune: int, draws: int) -> None:
        self._seconds = seconds
        self._tune = tune
        self._all = tune + draws
        self._last: dict[int, tuple[int, float]] = {}

    def stalled(self, chains) -> ChainStopped | None:
        """Return the stop of a chain that gave no draw in the time allowed."""
        if self._seconds is None:
            return None
        now = time.monotonic()
        for number, (started, finished, _) in enumerate(chains):
            if not started or finished == self._all:
                continue
            drawn, since = self._last.get(number, (-1, now))
            if finished != drawn:
                self._last[number] = (finished, now)
            elif now - since >= self._seconds:
                detail = f"Waited {self._seconds:g} seconds."
                phase = "tuning" if finished < self._tune else "sampling"
                stop = Stop(Cause.STALLED, transitions=finished, phase=phase, detail=detail)
                return ChainStopped(number, stop)
        return None
