"""What was drawn when a run ends early, as DataTrees: one a chain, and one they all fit in."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Sequence
from typing import Any

import pymc as pm
from pymc.backends.base import IBaseTrace, MultiTrace
from pymc.model import Model
from pymc.util import drop_warning_stat
from xarray import Dataset, DataTree

from pymc_safetrunc import _upstream

__all__ = [
    "INTERRUPTED_GROUP",
    "chain_trees",
    "common_tree",
    "cut_chain",
    "cut_common",
    "few_draws_are_no_mistake",
    "from_zarr",
    "kept_lengths",
]

# Holds the whole chains after Ctrl-C, when they do not fit PyMC's rectangle of draws.
INTERRUPTED_GROUP = "interrupted"

_SAMPLE_GROUPS = ("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats")


@contextlib.contextmanager
def few_draws_are_no_mistake():
    """Silence ArviZ, which takes fewer draws than chains for swapped dimensions."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Found chain dimension to be longer than draw")
        yield


def kept_lengths(traces: Sequence[IBaseTrace], tune: int) -> dict[int, tuple[int, int]]:
    """Return for each chain with draws how many are tuning ones, and how many are not."""
    return {
        trace.chain: (min(len(trace), tune), max(0, len(trace) - tune))
        for trace in traces
        if len(trace)
    }


def chain_trees(
    traces: Sequence[IBaseTrace], tune: int, model: Model, seconds: float, **idata_kwargs: Any
) -> dict[int, DataTree]:
    """Return every draw of every chain, one tree a chain, tuning included."""
    return {
        trace.chain: _tree([trace], len(trace), tune, model, seconds, **idata_kwargs)
        for trace in traces
        if len(trace)
    }


def common_tree(
    traces: Sequence[IBaseTrace],
    tune: int,
    model: Model,
    seconds: float,
    *,
    save_warmup: bool,
    **idata_kwargs: Any,
) -> DataTree | None:
    """Return the chains cut to their common length: those with draws after tuning, if any.

    Where no chain has finished tuning, the tuning draws are all there is; None without any.
    """
    finished = [trace for trace in traces if len(trace) > tune]
    chosen = finished or [trace for trace in traces if len(trace)]
    if not chosen:
        return None
    length = min(len(trace) for trace in chosen)
    tree = _tree(chosen, length, tune, model, seconds, **idata_kwargs)
    if finished and not save_warmup:
        tree = tree.drop_nodes(["warmup_posterior", "warmup_sample_stats"], errors="ignore")
    return tree


def _tree(
    traces, length: int, tune: int, model: Model, seconds: float, **idata_kwargs: Any
) -> DataTree:
    merged = MultiTrace(traces)[:length]
    n_tune = min(length, tune)
    _upstream.set_lengths(merged, n_tune, length - n_tune, seconds)
    with few_draws_are_no_mistake():
        tree = pm.to_inference_data(merged, save_warmup=True, model=model, **idata_kwargs)
    tree = drop_warning_stat(tree)
    numbers = [trace.chain for trace in traces]
    for name in _SAMPLE_GROUPS:
        if name in tree:
            tree[name] = DataTree(tree[name].to_dataset().assign_coords(chain=numbers))
    return tree


def cut_chain(tree: DataTree, chain: int, lengths: tuple[int, int]) -> DataTree:
    """Return one chain of a padded tree, cut to its real numbers of tuning and other draws."""
    return _cut(tree, [chain], lengths)


def cut_common(tree: DataTree, lengths: Sequence[tuple[int, int]]) -> DataTree | None:
    """Return the chains of a padded tree that `common_tree` would, cut to their common length."""
    finished = [chain for chain, (_, draws) in enumerate(lengths) if draws]
    chosen = finished or [chain for chain, (tune, _) in enumerate(lengths) if tune]
    if not chosen:
        return None
    tune, draws = (min(lengths[chain][phase] for chain in chosen) for phase in (0, 1))
    return _cut(tree, chosen, (tune, draws))


def _cut(tree: DataTree, chains: list[int], lengths: tuple[int, int]) -> DataTree:
    groups = {}
    for name, group in tree.children.items():
        dataset = group.to_dataset()
        if "draw" in dataset.dims:
            length = lengths[0] if name.startswith("warmup_") else lengths[1]
            if length == 0:
                continue
            dataset = dataset.isel(chain=chains, draw=slice(0, length))
        groups[f"/{name}"] = dataset
    return DataTree.from_dict(groups)


def from_zarr(trace: Any) -> tuple[DataTree, list[tuple[int, int]]]:
    """Return what a ZarrTrace holds, padded, and the real lengths of its chains.

    PyMC's own conversion goes through xarray, which cannot read what the zarr that PyMC needs
    has written.
    """
    trace.split_warmup_groups()
    groups = {}
    for name, group in trace.root.groups():
        if name.startswith("_"):
            continue
        arrays = {
            key: (array.attrs["_ARRAY_DIMENSIONS"], array[...])
            for key, array in group.arrays()
            if array.dtype != object
        }
        dims = {dim for names, _ in arrays.values() for dim in names}
        groups[f"/{name}"] = Dataset(
            {key: value for key, value in arrays.items() if key not in dims},
            coords={key: value for key, value in arrays.items() if key in dims},
        )
    tune = trace.tuning_steps
    drawn = _upstream.zarr_lengths(trace)
    return DataTree.from_dict(groups), [(min(n, tune), max(0, n - tune)) for n in drawn]
