"""nutpie's starting points, looked at before it uses them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import numpy as np

from pymc_safetrunc import _upstream
from pymc_safetrunc.watchdog.counter import Cause
from pymc_safetrunc.watchdog.initial_points import WARN_AFTER, fault_of, no_start
from pymc_safetrunc.watchdog.reporting import ChainStopped
from pymc_safetrunc.watchdog.request import Request

__all__ = ["Starts", "usable_start"]

_log = logging.getLogger(__name__)

# nutpie gives a chain up after 500 of its starting points; stay below
_NUTPIE_TRIES = 400

Density = Callable[[np.ndarray], tuple[float, np.ndarray]]


def usable_start(request: Request, compiled, density: Density) -> np.ndarray:
    """Find a usable starting point among nutpie's own, from a stream that serves nothing else.

    nutpie is not even started on a model without one.

    Raises
    ------
    ChainStopped
        If there is none within ``max_init_attempts``.
    """
    spare = np.random.default_rng(np.random.SeedSequence(int(request.seeds[0])).spawn(1)[0])
    allowed = request.policy.max_init_attempts
    first: tuple[Cause, np.ndarray] | None = None
    for tried, seed in enumerate(spare.integers(2**30, size=allowed), start=1):
        x = _upstream.nutpie_start(compiled, int(seed))
        fault = fault_of(*density(x))
        if fault is None:
            return x
        first = first or (fault, x)
        if tried == WARN_AFTER and not request.quiet:
            _log.warning(
                "%s starting points were not usable (%s); trying up to %s.",
                tried,
                fault.words,
                allowed,
            )
    assert first is not None
    fault, x = first
    raise ChainStopped(None, no_start(fault, _upstream.as_point(request.model, x), allowed))


class Starts:
    """nutpie's starting points, and a usable one for a chain that has none among so many.

    A chain whose tries all fail takes the draws of the others with it, and with two of them the
    interpreter crashed at its exit.
    """

    def __init__(self, compiled, density: Density, good: np.ndarray, attempts: int) -> None:
        self._compiled = compiled
        self._density = density
        self._good = good
        self._attempts = min(attempts, _NUTPIE_TRIES)
        self._failed: dict[int, int] = {}  # by thread: each chain has its own

    def __call__(self, seed: int) -> np.ndarray:
        """Return the starting point for a seed."""
        x = _upstream.nutpie_start(self._compiled, seed)
        chain = threading.get_ident()
        if self._is_usable(x):
            self._failed[chain] = 0
            return x
        self._failed[chain] = self._failed.get(chain, 0) + 1
        return x if self._failed[chain] < self._attempts else self._good

    def _is_usable(self, x: np.ndarray) -> bool:
        try:
            return fault_of(*self._density(x)) is None
        except Exception:
            return False  # nutpie meets the error itself, where its draws are guarded
