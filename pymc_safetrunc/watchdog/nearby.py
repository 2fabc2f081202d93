"""Find again a bad proposal that a sampler met and did not store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytensor
from pymc.blocking import DictToArrayBijection
from pymc.model import Model

from pymc_safetrunc.watchdog.counter import Cause

__all__ = ["FARTHEST", "Seen", "bad_point_nearby", "unconstraining"]

# Directions and distances of the search. A leapfrog step of a tuned sampler is shorter than the
# posterior is wide, and on the unconstrained scale that is rarely beyond 100.
_DIRECTIONS = 64
_DISTANCES = 26
NEAREST, FARTHEST = 1e-3, 1e2


@dataclass
class Seen:
    """What is known of a bad transition."""

    cause: Cause
    point: dict[str, np.ndarray] = field(default_factory=dict)
    error: Exception | None = None


def unconstraining(
    model: Model, names: Mapping[Any, Any]
) -> Callable[[Mapping[Any, Any]], np.ndarray] | None:
    """Return the function from a draw to the raveled point of the value variables.

    None if the draws do not hold all free variables (``var_names=`` left some out).
    """
    if any(rv.name not in names for rv in model.free_RVs):
        return None
    outputs = []
    for rv in model.free_RVs:
        transform = model.rvs_to_transforms[rv]
        outputs.append(rv if transform is None else transform.forward(rv, *rv.owner.inputs))
    function = pytensor.function(
        model.free_RVs, outputs, mode="FAST_COMPILE", on_unused_input="ignore"
    )
    value_names = [model.rvs_to_values[rv].name for rv in model.free_RVs]

    def unconstrained(draw):
        values = function(*(np.asarray(draw[rv.name], dtype=rv.dtype) for rv in model.free_RVs))
        by_name = dict(zip(value_names, values, strict=True))
        return DictToArrayBijection.map({v.name: by_name[v.name] for v in model.value_vars}).data

    return unconstrained


def bad_point_nearby(
    density: Callable[[np.ndarray], tuple[float, np.ndarray]],
    state: np.ndarray,
    *,
    seed: int,
    scale: np.ndarray | float = 1.0,
    farthest: float = FARTHEST,
) -> tuple[np.ndarray, Cause] | None:
    """Return the nearest point found where the density or its gradient is not finite, and which.

    Parameters
    ----------
    density : callable
        From a raveled point to its log-density and gradient.
    state : ndarray
        Raveled point to search around.
    seed : int
        Of the directions.
    scale : ndarray or float
        What is a distance of 1 in each coordinate.
    farthest : float
        Distance to which the search goes.

    Returns
    -------
    tuple of ndarray and Cause, or None
    """
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((_DIRECTIONS, state.size))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for distance in np.geomspace(NEAREST, farthest, _DISTANCES):
        for direction in directions:
            x = state + distance * scale * direction
            logp, gradient = density(x)
            if logp == -np.inf:
                return x, Cause.LOGP_MINUS_INF
            if not np.isfinite(logp):
                return x, Cause.LOGP_NAN
            if not np.isfinite(gradient).all():
                return x, Cause.GRADIENT_ON_PATH
    return None
