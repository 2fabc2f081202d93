"""Timing two callables fairly on a noisy machine: in turn, many times, medians, their ratio."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pair:
    """Median processor seconds a call of ours and of the peer, median of the paired ratios."""

    ours: float
    peer: float
    ratio: float


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def processor_seconds(function: Callable[[], object]) -> float:
    """The same without the time in which other processes had the core."""
    start = time.process_time()
    function()
    return time.process_time() - start


def alternate(ours: Callable[[], object], peer: Callable[[], object], rounds: int = 61) -> Pair:
    """Call the two in turn after two warm-up calls each."""
    for function in (ours, peer) * 2:
        function()
    times = np.array([(processor_seconds(ours), processor_seconds(peer)) for _ in range(rounds)])
    ratio = float(np.median(times[:, 0] / times[:, 1]))
    return Pair(*(float(t) for t in np.median(times, axis=0)), ratio)
