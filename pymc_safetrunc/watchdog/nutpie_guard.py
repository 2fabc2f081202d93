"""Errors of the model's own functions inside nutpie's workers, met before nutpie meets them.

nutpie answers such an error with a panic and throws away every draw. So a worker whose function
raised waits until the draws are copied, and fails only then. That is for JAX, whose functions
nutpie calls from Python; those of Numba hide their error from nutpie, which counts a divergence.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from pymc.model import Model

from pymc_safetrunc import _upstream
from pymc_safetrunc.watchdog.counter import Cause
from pymc_safetrunc.watchdog.reporting import ChainStopped, Stop, in_short

__all__ = ["Guard"]

# Should nobody come for the draws, nutpie gets its error after all.
_PATIENCE_SECONDS = 10.0


class Guard:
    """Stands between nutpie's workers and the functions they call.

    Attributes
    ----------
    error : Exception or None
        The first error a worker met.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        self._x = np.empty(0)
        self._transitions = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        # nutpie tells its functions no chain: each worker thread samples one at a time
        self._stored: dict[int, int] = {}

    def density(self, function):
        """Guard the log-density of one chain, and end the chain once another's has failed."""

        def density(x, **shared):
            if self._ended.is_set() and self.error is not None:
                raise self.error
            return self._call(function, x, **shared)

        return density

    def expansion(self, function):
        """Guard the function that makes a chain's variables from a position, once a draw."""
        worker = threading.get_ident()
        self._stored[worker] = 0

        def expand(x, **shared):
            values = self._call(function, x, **shared)
            self._stored[worker] += 1
            return values

        return expand

    def end(self) -> None:
        """Let workers that wait go on, to fail."""
        self._ended.set()

    def stopped(self, model: Model, lengths: Sequence[tuple[int, int]]) -> ChainStopped:
        """Return the stop of the chain whose function raised.

        Parameters
        ----------
        model : Model
        lengths : sequence of (int, int)
            Tuning and other draws of every chain: the chain is known by its number of draws.
        """
        chains = [chain for chain, pair in enumerate(lengths) if sum(pair) == self._transitions]
        chain = chains[0] if len(chains) == 1 else None
        tuning = all(not lengths[chain][1] for chain in chains)
        assert self.error is not None
        stop = Stop(
            Cause.EXCEPTION,
            transitions=self._transitions,
            phase="tuning" if tuning else "sampling",
            point=_upstream.as_point(model, self._x),
            step="NUTS[nutpie]",
            detail=in_short(self.error),
        )
        return ChainStopped(chain, stop, self.error)

    def _call(self, function, x, **shared) -> Any:
        try:
            return function(x, **shared)
        except Exception as error:
            with self._lock:
                if self.error is None:
                    # nutpie then ends the trajectory, where it can, and does not panic
                    error.is_recoverable = True  # type: ignore[attr-defined]
                    self._x = np.array(x)
                    self._transitions = self._stored.get(threading.get_ident(), 0)
                    self.error = error
            self._ended.wait(_PATIENCE_SECONDS)
            raise self.error from None
