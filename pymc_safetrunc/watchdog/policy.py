"""What the watchdog tolerates before it ends a run."""

from __future__ import annotations

import math
import numbers
from collections.abc import Set
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

__all__ = ["WatchdogPolicy", "agreed"]

_OPTIONAL_COUNTS = (
    "max_divergent",
    "max_divergent_tuning",
    "max_nonfinite",
    "max_nonfinite_tuning",
)
_ON_ABORT = ("raise", "return")


@dataclass(frozen=True)
class WatchdogPolicy:
    """Limits on consecutive bad transitions of one chain.

    A transition is *non-finite* when its proposal had a NaN or +inf log-density, or a finite
    log-density with a gradient that is not finite. It is *divergent* for those reasons and for
    every other a sampler reports: a log-density of -inf, too large an energy error, linear
    algebra that failed. A gradient that is not finite at the *current* state of a step that owns
    all free variables can never be left again: that stops the chain at once, whatever the limits.

    Parameters
    ----------
    max_divergent : int or None
        Divergences in a row, of any cause, that end a chain after tuning. None: no limit.
    max_divergent_tuning : int or None
        The same while tuning. Divergences while the step size is still falling prove nothing, so
        the default is None. A run that reaches from tuning into the draws counts there with its
        whole length.
    max_nonfinite : int or None
        Non-finite proposals in a row that end a chain after tuning. None: no limit.
    max_nonfinite_tuning : int or None
        The same while tuning.
    stall_seconds : float or None
        End a chain that gives no draw for this many seconds. Off by default. With it, chains run
        in worker processes even with ``cores=1``: a hang inside compiled code hears no signal.
    max_init_attempts : int
        Starting points tried for each chain before sampling is given up.
    on_abort : {"raise", "return"}
        Raise :class:`~pymc_safetrunc.watchdog.SamplingAborted`, or return the draws all chains
        have in common with one warning. Without any draw the error is raised in both cases.

    Raises
    ------
    TypeError, ValueError
        If a value is not allowed; the message names the field, the value and what is allowed.

    Examples
    --------
    >>> from pymc_safetrunc.watchdog import WatchdogPolicy
    >>> WatchdogPolicy(max_nonfinite=3).max_nonfinite
    3
    >>> WatchdogPolicy(max_divergent=0)
    Traceback (most recent call last):
        ...
    ValueError: WatchdogPolicy(max_divergent=0): give a whole number of at least 1, or None for no \
limit.
    """

    max_divergent: int | None = 50
    max_divergent_tuning: int | None = None
    max_nonfinite: int | None = 10
    max_nonfinite_tuning: int | None = 200
    stall_seconds: float | None = None
    max_init_attempts: int = 100
    on_abort: Literal["raise", "return"] = "raise"

    def __post_init__(self):
        for name in _OPTIONAL_COUNTS:
            if getattr(self, name) is not None:
                self._check_count(name, "a whole number of at least 1, or None for no limit")
        self._check_count("max_init_attempts", "a whole number of at least 1")
        if self.stall_seconds is not None:
            self._check_seconds()
        allowed = '"raise" or "return"'
        if not isinstance(self.on_abort, str):
            raise TypeError(self._wrong("on_abort", allowed))
        if self.on_abort not in _ON_ABORT:
            raise ValueError(self._wrong("on_abort", allowed))

    def _wrong(self, name: str, allowed: str) -> str:
        return f"WatchdogPolicy({name}={getattr(self, name)!r}): give {allowed}."

    def _check_count(self, name: str, allowed: str) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise TypeError(self._wrong(name, allowed))
        if value < 1:
            raise ValueError(self._wrong(name, allowed))
        object.__setattr__(self, name, int(value))

    def _check_seconds(self) -> None:
        allowed = "a positive number of seconds, or None to switch it off"
        value = self.stall_seconds
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(self._wrong("stall_seconds", allowed))
        if not (math.isfinite(value) and value > 0):
            raise ValueError(self._wrong("stall_seconds", allowed))
        object.__setattr__(self, "stall_seconds", float(value))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a plain dict."""
        return asdict(self)


def agreed(policies: Set[WatchdogPolicy]) -> WatchdogPolicy:
    """Return the only policy among those that were given, or the default one.

    Raises
    ------
    ValueError
        If they differ; the message says in what.
    """
    if len(policies) > 1:
        values = {
            f.name: {str(getattr(p, f.name)) for p in policies} for f in fields(WatchdogPolicy)
        }
        differ = [f"{n} is {' and '.join(sorted(v))}" for n, v in values.items() if len(v) > 1]
        raise ValueError(
            f"sample: the policies of watched steps and of watchdog= differ: {', '.join(differ)}. "
            "Give one of them; a step needs no watch() in sample(step=..., watchdog=...)."
        )
    return next(iter(policies), WatchdogPolicy())
