"""Where divergent draws lie: the two coordinates that set them most apart from the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import arviz as az
import numpy as np
from arviz_base.labels import BaseLabeller
from scipy.stats import spearmanr
from xarray import DataArray, Dataset, DataTree, merge

__all__ = ["Concentration", "Coordinate", "concentration", "ks_distance"]

# Two coordinates whose ranks agree more than this are one picture of the same thing, such as a
# variable and a deterministic made of it; beyond this many candidates the best is taken as it is.
SAME_RANKS = 0.95
CANDIDATES = 20
# Entries that are compared: with more, draws are left out evenly, down to FEWEST_DRAWS of each
# kind.
MOST_ENTRIES = 4_000_000
FEWEST_DRAWS = 250
# A positive coordinate that spans this factor is shown on a log scale.
WIDE = 50

_TRANSFORMED = re.compile(r"^(.+)_[a-z0-9]+__$")


@dataclass(frozen=True)
class Coordinate:
    """One scalar coordinate of the draws.

    Attributes
    ----------
    label : str
        As ArviZ writes it: ``theta[Choate]``.
    values : ndarray, shape (chains, draws)
    distance : float
        Kolmogorov-Smirnov distance between its divergent and its other draws, from 0 to 1.
    log : bool
        Whether a log scale shows it better.
    """

    label: str
    values: np.ndarray
    distance: float
    log: bool


@dataclass(frozen=True)
class Concentration:
    """The pair of coordinates in which the divergent draws differ most.

    Attributes
    ----------
    coordinates : tuple of Coordinate
        Two, the one that differs most first; one alone where the model has no other.
    divergent : ndarray of bool, shape (chains, draws)
    considered : int
        Coordinates that were compared.
    """

    coordinates: tuple[Coordinate, ...]
    divergent: np.ndarray
    considered: int


def concentration(
    idata: DataTree, var_names: str | Sequence[str] | None = None, filter_vars: str | None = None
) -> Concentration | None:
    """Find where the divergent draws concentrate.

    Coordinates are taken on the unconstrained scale where the result has it: variables such as
    ``tau_log__``, in the posterior or in the group ``unconstrained_posterior``. A run that was
    stopped before its first draw is judged by its tuning draws.

    Parameters
    ----------
    idata : DataTree
    var_names, filter_vars
        As in ArviZ: the variables to look at.

    Returns
    -------
    Concentration or None
        None without divergent draws, or without others to compare them with.
    """
    prefix = "" if "posterior" in idata.children else "warmup_"
    stats = idata.children.get(f"{prefix}sample_stats")
    if stats is None or f"{prefix}posterior" not in idata.children or "diverging" not in stats:
        return None
    diverging = stats["diverging"]
    # a compound of several Hamiltonian steps has a column for each
    diverging = diverging.any([dim for dim in diverging.dims if dim not in ("chain", "draw")])
    divergent = diverging.transpose("chain", "draw").values.astype(bool)
    if divergent.all() or not divergent.any():
        return None
    # nutpie keeps the transformed variables apart, and the others in the posterior alone
    groups = [f"{prefix}{name}posterior" for name in ("unconstrained_", "")]
    merged = merge(
        [idata[name].to_dataset() for name in groups if name in idata.children],
        compat="override",
        join="left",
    )
    draws = az.extract(
        DataTree.from_dict({"/posterior": merged}),
        var_names=var_names,
        filter_vars=filter_vars,
        combined=False,
        keep_dataset=True,
    )
    return _most_apart(_variables(draws), divergent)


def ks_distance(divergent: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Largest difference of the empirical distribution functions, column by column.

    Parameters
    ----------
    divergent, others : ndarray, shapes (m, k) and (n, k)

    Returns
    -------
    ndarray, shape (k,)

    Notes
    -----
    It depends on ranks alone, so that it is the same on every monotone scale.
    """
    m, n = len(divergent), len(others)
    pooled = np.concatenate([divergent, others])
    order = np.argsort(pooled, axis=0)
    difference = np.cumsum(np.where(order < m, 1 / m, -1 / n), axis=0)
    ordered = np.take_along_axis(pooled, order, axis=0)
    # within equal values the functions have not both jumped yet
    difference[:-1][ordered[:-1] == ordered[1:]] = 0
    return np.abs(difference).max(axis=0)


def _variables(draws: Dataset) -> list[DataArray]:
    """Return the numeric variables, each on the unconstrained scale where it is there too."""
    names = {str(name) for name in draws.data_vars}
    constrained = {m[1] for name in names if (m := _TRANSFORMED.match(name))}
    return [
        variable.transpose("chain", "draw", ...)
        for name, variable in draws.data_vars.items()
        if name not in constrained
        and variable.dtype.kind in "iufb"
        and {"chain", "draw"} <= set(variable.dims)
        and variable.size
    ]


def _most_apart(variables: list[DataArray], divergent: np.ndarray) -> Concentration | None:
    columns = [variable.values.reshape(divergent.size, -1) for variable in variables]
    width = sum(column.shape[1] for column in columns)
    rows = [
        _evenly(np.flatnonzero(kind), max(FEWEST_DRAWS, MOST_ENTRIES // (2 * max(width, 1))))
        for kind in (divergent, ~divergent)
    ]
    candidates, considered = [], 0
    for number, column in enumerate(columns):
        usable = np.isfinite(column).all(axis=0) & (column != column[:1]).any(axis=0)
        considered += int(usable.sum())
        indices = np.flatnonzero(usable)
        distance = ks_distance(*(column[kind][:, indices].astype(float) for kind in rows))
        best = np.argsort(-distance, kind="stable")[:CANDIDATES]
        candidates += [(distance[i], number, indices[i]) for i in best]
    candidates.sort(key=lambda candidate: -candidate[0])
    candidates = candidates[:CANDIDATES]
    if not candidates:
        return None
    values = [columns[number][:, index].astype(float) for _, number, index in candidates]
    chosen = [0, *_second(values)]
    return Concentration(
        tuple(
            Coordinate(
                _label(variables[candidates[i][1]], candidates[i][2]),
                values[i].reshape(divergent.shape),
                float(candidates[i][0]),
                bool(values[i].min() > 0 and values[i].max() > WIDE * values[i].min()),
            )
            for i in chosen
        ),
        divergent,
        considered,
    )


def _second(values: list[np.ndarray]) -> list[int]:
    """Return the first candidate that is not the very first over again, if there are others."""
    others = range(1, len(values))
    for i in others:
        if abs(spearmanr(values[0], values[i]).statistic) < SAME_RANKS:
            return [i]
    return list(others[:1])


def _evenly(indices: np.ndarray, most: int) -> np.ndarray:
    return indices[:: -(-len(indices) // most)]


def _label(variable: DataArray, index: int) -> str:
    dims = variable.dims[2:]
    position = np.unravel_index(index, variable.shape[2:]) if dims else ()
    isel = {str(dim): int(i) for dim, i in zip(dims, position, strict=True)}
    sel = {
        dim: variable.coords[dim].values[i] if dim in variable.coords else i
        for dim, i in isel.items()
    }
    return BaseLabeller().make_label_flat(str(variable.name), sel, isel)
