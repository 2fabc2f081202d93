"""The slope of a function from its values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["ERRORS_ALLOWED", "ROUNDINGS", "central_difference", "is_random"]

# Error of the extrapolated difference below which a disagreement is never reported, as a
# multiple of machine epsilon times |logp|: its evaluation cannot be better than a few roundings.
ROUNDINGS = 8.0
# A gradient may differ from the difference by this many of the difference's error estimates.
ERRORS_ALLOWED = 4.0
# The largest step: of a unit, or of the value where that is larger.
FIRST_STEP = 0.1
# A step bends the function by less than this. So it is short beside the function's own scale: of a
# normal's logarithm it is at most a standard deviation.
LARGEST_BEND = 1.0
# No float is left between a value and its neighbours in steps that are shorter still.
SHORTEST_STEP = 1e-20
# Roundings of a sum may differ from one evaluation to the next, random numbers differ by more.
SAME = 1e-9


def is_random(one: float, other: float) -> bool:
    """Whether two values at the same point are of a function that is another one at every call."""
    return not np.isclose(one, other, rtol=SAME, atol=SAME, equal_nan=True)


def central_difference(
    function: Callable[[np.ndarray], Any], start: np.ndarray, direction: np.ndarray
) -> tuple[float, float]:
    """Extrapolate central differences along a direction to step 0 (Ridders), and give the error.

    C. J. F. Ridders, Advances in Engineering Software 4 (1982) 75: steps shrink by 1.4, a
    Neville tableau removes one even power of the step at a time, and the entry that differs
    least from its neighbours is taken. Roundings count in the precision of values and point.
    """
    start = np.asarray(start)
    shrink, size = 1.4, 10
    tableau = np.full((size, size), np.nan)
    best, best_error = np.nan, np.inf
    # beyond the edge of the support the density is 0 and its logarithm -inf
    with np.errstate(all="ignore"):
        middle = np.asarray(function(start))
        eps = max(np.finfo(x.dtype).eps for x in (start, middle) if x.dtype.kind == "f")
        # what is no more than rounding is no bend
        largest = max(LARGEST_BEND, ROUNDINGS * eps * abs(float(middle)))
        step = _first_step(function, start, direction, float(middle), largest)
        for column in range(size):
            high, low, width = _beside(function, start, direction, step)
            tableau[0, column] = (high - low) / width
            noise = ROUNDINGS * eps * max(abs(high), abs(low)) / width
            factor = shrink**2
            for row in range(1, column + 1):
                left, upper = tableau[row - 1, column - 1], tableau[row - 1, column]
                tableau[row, column] = (upper * factor - left) / (factor - 1)
                factor *= shrink**2
                value = tableau[row, column]
                error = max(abs(value - upper), abs(value - left), noise)
                if error <= best_error:
                    best, best_error = value, error
            step /= shrink
    return float(best), float(best_error) if np.isfinite(best_error) else float("nan")


def _first_step(function, start, direction, middle: float, largest: float) -> float:
    """Step along which a function bends little: of a scale that nobody knows."""
    step = FIRST_STEP * max(1.0, float(np.abs(start[direction != 0]).min()))
    while step > SHORTEST_STEP:
        high, low, _ = _beside(function, start, direction, step)
        if abs(high + low - 2 * middle) <= largest:
            break
        step /= 10
    return step


def _beside(function, start: np.ndarray, direction: np.ndarray, step: float):
    """Values on both sides of a point, and how far apart the rounded points are: 0 is possible."""
    above, below = ((start + s * direction).astype(start.dtype) for s in (step, -step))
    width = np.vdot(above - below, direction) / np.vdot(direction, direction)
    return np.float64(function(above)), np.float64(function(below)), np.float64(width)
