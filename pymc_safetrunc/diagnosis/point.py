"""The model that is looked at, and the point."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from pymc.model import Model, modelcontext

__all__ = ["resolve", "resolve_model", "shown"]

# Arrays with more entries than this are shown by their shape.
SHOWN_ENTRIES = 8


def resolve_model(model: Model | None, call: str) -> Model:
    """Model, the one in context when None; `call` is how the caller is to be called with one."""
    if model is None and Model.get_context(error_if_none=False) is None:
        raise TypeError(
            f"No model was given and none is in context: write {call}, or call it inside "
            "`with model:`."
        )
    if model is not None and not isinstance(model, Model):
        name = call.partition("(")[0]
        raise TypeError(f"{name} takes a pymc.Model; got {type(model).__name__}: write {call}.")
    return modelcontext(model)


def resolve(
    point: Mapping[str, Any] | None, model: Model | None, caller: str
) -> tuple[Model, dict[str, np.ndarray]]:
    """Model (the one in context when None) and complete point (the initial one when None)."""
    call = f"{caller}(model=model)"
    if isinstance(point, Model):
        raise TypeError(f"The point comes first: write {call}, or give point and model.")
    model = resolve_model(model, call)
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
    resolved = {
        value.name: np.asarray(point[value.name], dtype=value.type.dtype)
        for value in model.value_vars
    }
    _refuse_shapes(model, resolved)
    return model, resolved


def _refuse_shapes(model: Model, point: Mapping[str, np.ndarray]) -> None:
    """Raise for an array that its variable cannot have for a value."""
    shapes = {value.name: tuple(value.type.shape) for value in model.value_vars}
    if any(None in shape for shape in shapes.values()):
        # dimensions and data of the model decide; what they cannot tell is not refused
        with suppress(Exception):
            known = model.eval_rv_shapes()
            shapes = {name: known.get(name, shape) for name, shape in shapes.items()}
    for name, shape in shapes.items():
        given = point[name].shape
        if len(given) != len(shape) or any(
            n not in (None, m) for n, m in zip(shape, given, strict=True)
        ):
            allowed = str(tuple("any" if n is None else int(n) for n in shape)).replace("'", "")
            raise ValueError(f"{name} has shape {allowed}; point gives an array of shape {given}.")


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
