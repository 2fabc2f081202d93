"""Spies on the log-density of gradient-free steps, which say nothing of a NaN themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymc.step_methods.arraystep import ArrayStep
from pymc.step_methods.compound import BlockedStep

__all__ = ["DensitySpy", "place_spies", "remove_spies"]


class DensitySpy:
    """A compiled log-density that remembers where it was NaN or +inf."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.bad: Any = None
        self.last_is_bad = False

    def __call__(self, *args):
        """Return what the density says."""
        value = self.function(*args)
        if value < float("inf"):
            self.last_is_bad = False
        else:
            self.last_is_bad = True
            self.bad = args[0]
        return value

    def __getattr__(self, name: str):
        if name == "function":  # asked for while unpickling, before it is there
            raise AttributeError(name)
        return getattr(self.function, name)


def place_spies(step: BlockedStep) -> tuple[DensitySpy, ...]:
    """Put a spy on every log-density a gradient-free step calls."""
    spies: list[DensitySpy] = []
    for name in ("delta_logp", "logp"):  # Metropolis and its kin; Slice
        function = vars(step).get(name)
        if callable(function):
            spies.append(DensitySpy(function))
            setattr(step, name, spies[-1])
    if isinstance(step, ArrayStep):  # the discrete Gibbs and Metropolis steps
        step.fs = [DensitySpy(function) for function in step.fs]
        spies.extend(step.fs)
    return tuple(spies)


def remove_spies(step: BlockedStep) -> None:
    """Give a step its own log-densities back."""
    for name, value in list(vars(step).items()):
        if isinstance(value, DensitySpy):
            setattr(step, name, value.function)
    if isinstance(step, ArrayStep):
        step.fs = [getattr(f, "function", f) for f in step.fs]
