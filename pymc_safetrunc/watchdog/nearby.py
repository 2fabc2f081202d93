"""Find again a bad proposal that a sampler met and did not store."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytensor
from pymc.blocking import DictToArrayBijection
from pymc.model import Model
from xarray import Dataset

__all__ = ["bad_point_nearby", "unconstrained"]

# Directions and distances of the search. A leapfrog step of a tuned sampler is shorter than the
# posterior is wide, and on the unconstrained scale that is rarely beyond 100.
_DIRECTIONS = 64
_DISTANCES = np.geomspace(1e-3, 1e2, 26)


def unconstrained(model: Model, draw: Dataset) -> np.ndarray | None:
    """Return a draw as the raveled point of the value variables.

    None if the draw does not hold all free variables (``var_names=`` left some out).
    """
    if any(rv.name not in draw for rv in model.free_RVs):
        return None
    values = [np.asarray(draw[rv.name].values, dtype=rv.dtype) for rv in model.free_RVs]
    outputs = []
    for rv in model.free_RVs:
        transform = model.rvs_to_transforms[rv]
        outputs.append(rv if transform is None else transform.forward(rv, *rv.owner.inputs))
    function = pytensor.function(
        model.free_RVs, outputs, mode="FAST_COMPILE", on_unused_input="ignore"
    )
    by_name = {
        model.rvs_to_values[rv].name: value
        for rv, value in zip(model.free_RVs, function(*values), strict=True)
    }
    return DictToArrayBijection.map({v.name: by_name[v.name] for v in model.value_vars}).data


def bad_point_nearby(
    density: Callable[[np.ndarray], tuple[float, np.ndarray]], state: np.ndarray, *, seed: int
) -> np.ndarray | None:
    """Return a point near the state where the density or its gradient is not finite, nearest first.

    Parameters
    ----------
    density : callable
        From a raveled point to its log-density and gradient.
    state : ndarray
        Raveled point to search around.
    seed : int
        Of the directions.

    Returns
    -------
    ndarray or None
    """
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((_DIRECTIONS, state.size))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for distance in _DISTANCES:
        for direction in directions:
            x = state + distance * direction
            logp, gradient = density(x)
            if not (np.isfinite(logp) and np.isfinite(gradient).all()):
                return x
    return None
