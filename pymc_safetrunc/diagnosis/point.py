"""The point at which a model is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pymc.model import Model, modelcontext

__all__ = ["resolve", "shown"]

# Arrays with more entries than this are shown by their shape.
SHOWN_ENTRIES = 8


def resolve(
    point: Mapping[str, Any] | None, model: Model | None
) -> tuple[Model, dict[str, np.ndarray]]:
    """Model (the one in context when None) and complete point (the initial one when None)."""
    if isinstance(point, Model):
        raise TypeError(
            "The point comes first: write diagnose(model=model), or give point and model."
        )
    if model is None and Model.get_context(error_if_none=False) is None:
        raise TypeError(
            "No model was given and none is in context: write diagnose(model=model), or call it "
            "inside `with model:`."
        )
    model = modelcontext(model)
    names = [value.name for value in model.value_vars]
    if point is None:
        return model, dict(model.initial_point())
    if not isinstance(point, Mapping):
        raise TypeError(
            f"point must be a dictionary from value variable to array, as model.initial_point() "
            f"returns it; got {type(point).__name__}."
        )
    missing = [name for name in names if name not in point]
    unknown = [name for name in point if name not in names and not _known(model, name)]
    if missing or unknown:
        lines = [f"point must give a value for each of {names} (see model.initial_point())."]
        if missing:
            lines.append(f"Missing: {missing}.")
        if unknown:
            lines.append(f"Not variables of this model: {unknown}.")
        raise ValueError(" ".join(lines))
    resolved = {}
    for value in model.value_vars:
        array = np.asarray(point[value.name], dtype=value.type.dtype)
        if array.ndim != value.type.ndim:
            raise ValueError(
                f"{value.name} has {value.type.ndim} dimensions; point gives an array of shape "
                f"{array.shape}."
            )
        resolved[value.name] = array
    return model, resolved


def _known(model: Model, name: str) -> bool:
    # samples carry the untransformed variables and deterministics too: they are not needed
    return name in model.named_vars


def shown(point: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the point as plain numbers and lists, long arrays as words."""
    result: dict[str, Any] = {}
    for name, value in point.items():
        array = np.asarray(value)
        if array.size > SHOWN_ENTRIES:
            result[name] = f"array of shape {array.shape}"
        else:
            result[name] = array.tolist()
    return result
