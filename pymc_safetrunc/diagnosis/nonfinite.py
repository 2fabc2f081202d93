"""Where an array is not finite."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse

__all__ = ["Index", "element", "first_bad", "is_bad", "numbers"]

Index = tuple[int, ...]


def first_bad(value: Any) -> Index | None:
    """Index of the first NaN, or else of the first infinity; None when all is finite."""
    if issparse(value):
        entries = value.tocoo()
        bad = first_bad(entries.data)
        return None if bad is None else (int(entries.row[bad]), int(entries.col[bad]))
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


def element(value: Any, index: Index) -> Any:
    """Element of an array, dense or sparse."""
    return value.tocsr()[index] if issparse(value) else np.asarray(value)[index]


def numbers(value: Any) -> np.ndarray:
    """Return what an array holds: of a sparse one the entries that are stored."""
    return value.data if issparse(value) else np.asarray(value)
