"""What the watchdog costs: counting against a step that does nothing, and memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
import pymc as pm
from pymc.step_methods.compound import BlockedStep

from pymc_safetrunc.watchdog import watch
from pymc_safetrunc.watchdog.counter import MAX_RUNS, Cause, ChainCounter
from pymc_safetrunc.watchdog.policy import WatchdogPolicy

# The bounds. Real runs are too noisy to show one per cent of a transition.
MAX_NANOSECONDS = 500.0
MAX_GROWTH_BYTES = 1024
_TRANSITIONS = 100_000
_REPEATS = 7


class FakeTrajectory:
    """A trajectory without a divergence, as `_hamiltonian_step` returns it."""

    divergence_info = None


class FakeNUTS(pm.NUTS):
    """NUTS whose transition does nothing but what the watchdog listens to."""

    result = FakeTrajectory()
    stats = ({"diverging": False},)

    def _hamiltonian_step(self, start, p0, step_size):
        return self.result

    def step(self, point):
        self._hamiltonian_step(None, None, None)
        return point, self.stats


class FakeStep(BlockedStep):
    """A step method of the user's own that does nothing."""

    stats = ({"accept": 0.5},)

    def __init__(self, vars, **kwargs):
        self.vars = vars

    def step(self, point):
        return point, self.stats


def nanoseconds(step: Any, point: dict) -> float:
    """Return the best time of one transition."""

    def loop():
        advance = step.step
        for _ in range(_TRANSITIONS):
            advance(point)

    return min(_timed(loop) for _ in range(_REPEATS)) / _TRANSITIONS * 1e9


def _timed(function: Callable[[], None]) -> float:
    start = time.process_time()  # other work on the machine is no cost of ours
    function()
    return time.process_time() - start


def growth(causes: tuple[Cause | None, ...]) -> int:
    """Return the bytes a counter grows by in many transitions that are these, again and again."""
    counter = ChainCounter(WatchdogPolicy(), tune=0)

    def count(transitions: int):
        for _, cause in zip(range(transitions), cycle(causes), strict=False):
            counter.record(cause)

    count(2 * MAX_RUNS)  # the runs it keeps are bounded: begin where the list is full
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    count(_TRANSITIONS)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return after - before


def run() -> list[tuple[str, float, float, str]]:
    """Return rows of what was measured, figure, bound and a note."""
    rows = []
    with pm.Model() as model:
        x = pm.Normal("x")
    value = model.rvs_to_values[x]
    point = {"x": np.zeros(())}
    for name, make in (
        ("ns a NUTS transition", lambda: FakeNUTS([value], model=model)),
        ("ns a custom step", lambda: FakeStep([value], model=model)),
    ):
        bare = nanoseconds(make(), point)
        cost = nanoseconds(watch(make()), point) - bare
        rows.append((name, cost, MAX_NANOSECONDS, f"a bare one takes {bare:.0f} ns"))
    for what, causes in (
        ("good", (None,)),
        ("good and bad", (None, Cause.ENERGY_ERROR)),
    ):
        name = f"bytes grown in {_TRANSITIONS:,} {what} transitions"
        rows.append((name, float(growth(causes)), float(MAX_GROWTH_BYTES), ""))
    return rows
