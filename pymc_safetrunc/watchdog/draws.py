"""What PyMC's traces hold when a run ends early, as DataTrees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pymc as pm
from pymc.backends.base import IBaseTrace, MultiTrace
from pymc.model import Model
from pymc.util import drop_warning_stat
from xarray import DataTree

from pymc_safetrunc import _upstream

__all__ = ["chain_trees", "common_tree", "kept_lengths"]

_SAMPLE_GROUPS = ("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats")


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
    tree = pm.to_inference_data(merged, save_warmup=True, model=model, **idata_kwargs)
    tree = drop_warning_stat(tree)
    numbers = [trace.chain for trace in traces]
    for name in _SAMPLE_GROUPS:
        if name in tree:
            tree[name] = DataTree(tree[name].to_dataset().assign_coords(chain=numbers))
    return tree
