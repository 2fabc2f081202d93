"""A trace of nutpie's, read for what happened: real lengths, causes, counts."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from xarray import DataTree

from pymc_safetrunc.watchdog.counter import Cause, ChainCounter, counted

__all__ = ["TREES", "causes_of", "count", "real_lengths"]

TREES = {
    "warmup": ("warmup_posterior", "warmup_sample_stats"),
    "draw": ("posterior", "sample_stats"),
}
# What nutpie writes for a divergence, under Numba and under JAX; the codes are set by its wrapper
# of the log-density, which looks at the gradient first.
_MESSAGES = (
    (re.compile(r"error code: 3|NaN energy error"), Cause.GRADIENT_ON_PATH),
    (re.compile(r"error code: 4|Bad logp value: (NaN|inf)"), Cause.LOGP_NAN),
    (re.compile(r"Bad logp value: -inf"), Cause.LOGP_MINUS_INF),
    (re.compile(r"error code: "), Cause.EXCEPTION),
)


def real_lengths(tree: DataTree) -> list[tuple[int, int]]:
    """Return the real lengths of each chain's tuning and draws; the rest is nutpie's padding."""
    # every real transition has a step size
    per_phase = [
        np.isfinite(tree[stats].step_size.values).sum(axis=1)
        if stats in tree.children
        else np.zeros(tree["posterior"].sizes["chain"], dtype=int)
        for _, stats in TREES.values()
    ]
    return [(int(tune), int(draws)) for tune, draws in zip(*per_phase, strict=True)]


def causes_of(tree: DataTree, chain: int, lengths: tuple[int, int]) -> list[Cause | None]:
    """Return for each transition of a chain, tuning first, why it was bad, or None."""
    causes: list[Cause | None] = []
    for (_, stats), length in zip(TREES.values(), lengths, strict=True):
        if length == 0:
            continue
        diverging = tree[stats].diverging.values[chain, :length]
        messages = tree[stats].divergence_message.values[chain, :length]
        causes += [
            _cause(str(message)) if bad else None
            for bad, message in zip(diverging, messages, strict=True)
        ]
    return causes


def _cause(message: str) -> Cause:
    for pattern, cause in _MESSAGES:
        if pattern.search(message):
            return cause
    return Cause.ENERGY_ERROR


def count(tree: DataTree, lengths: Sequence[tuple[int, int]]) -> list[ChainCounter]:
    """Count what every chain did."""
    return [counted(causes_of(tree, chain, pair), pair[0]) for chain, pair in enumerate(lengths)]
