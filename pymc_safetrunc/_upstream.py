"""Every private name of PyMC or nutpie that is used, each with the feature it carries."""

from __future__ import annotations

import multiprocessing
import sys

__all__ = ["running_chain"]

# PyMC's names for the worker processes of a chain: the parallel sampler's and the population's.
_WORKER_NAMES = ("worker_chain_", "ChainWalker")
# The loops of PyMC that run one chain in this process, and their variable that holds its number.
_CHAIN_LOOPS = {"_iter_sample": "chain", "step": "c"}


def running_chain() -> int | None:
    """Return the number of the chain that is being sampled, or None if it cannot be known.

    Feature: a bare ``watch()`` names the chain it stopped (PyMC tells a step nothing of it).
    """
    process = multiprocessing.current_process().name
    for prefix in _WORKER_NAMES:
        if process.startswith(prefix) and process[len(prefix) :].isdigit():
            return int(process[len(prefix) :])
    frame = sys._getframe()
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        name = _CHAIN_LOOPS.get(frame.f_code.co_name)
        if name in frame.f_locals and module in (
            "pymc.sampling.mcmc",
            "pymc.sampling.population",
        ):
            return int(frame.f_locals[name])
        frame = frame.f_back  # type: ignore[assignment]
    return None
