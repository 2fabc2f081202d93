"""Where an array is not finite."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Index", "first_bad", "is_bad"]

Index = tuple[int, ...]


def first_bad(value: Any) -> Index | None:
    """Index of the first NaN, or else of the first infinity; None when all is finite."""
    array = np.asarray(value)
    if array.dtype.kind not in "fc":
        return None
    for test in (np.isnan, np.isinf):
        mask = test(array)
        if mask.any():
            return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask)), array.shape))
    return None


def is_bad(value: Any) -> bool:
    """Whether an entry is a NaN or an infinity."""
    array = np.asarray(value)
    return array.dtype.kind in "fc" and not bool(np.isfinite(array).all())
