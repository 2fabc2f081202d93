"""The ``watchdog`` group of a DataTree: what every chain did, in numbers that survive a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from xarray import Dataset, DataTree

from pymc_safetrunc.findings import WatchdogReport
from pymc_safetrunc.watchdog.counter import ChainCounter
from pymc_safetrunc.watchdog.policy import WatchdogPolicy

__all__ = [
    "GROUP",
    "SCHEMA_VERSION",
    "add_group",
    "divergent_draws",
    "library_versions",
    "read_group",
]

GROUP = "watchdog"
SCHEMA_VERSION = 1

_COUNTS = (
    "transitions_tune",
    "transitions_draw",
    "divergent",
    "nonfinite",
    "longest_divergent",
    "longest_nonfinite",
)
_LIBRARIES = ("pymc-safetrunc", "pymc", "pytensor", "nutpie", "numpyro", "blackjax")


def add_group(
    tree: DataTree,
    counters: Sequence[ChainCounter],
    policy: WatchdogPolicy,
    *,
    sampler: str,
    report: WatchdogReport | None = None,
) -> None:
    """Add the group to a DataTree, in place.

    Parameters
    ----------
    tree : DataTree
    counters : sequence of ChainCounter
        One for each chain, in the order of their numbers.
    policy : WatchdogPolicy
    sampler : str
        "pymc", "nutpie", "numpyro" or "blackjax".
    report : WatchdogReport, optional
        Given when the run was aborted.
    """
    runs = max((len(counter.runs) for counter in counters), default=0)
    start = np.full((len(counters), runs), -1, dtype=np.int64)
    length = np.zeros((len(counters), runs), dtype=np.int64)
    cause = np.full((len(counters), runs), "", dtype=object)
    for chain, counter in enumerate(counters):
        for number, (run_start, run_length, run_cause) in enumerate(counter.runs):
            start[chain, number] = run_start
            length[chain, number] = run_length
            cause[chain, number] = str(run_cause)
    verdicts = [_verdict(chain, counter, report) for chain, counter in enumerate(counters)]
    dataset = Dataset(
        {
            "verdict": ("chain", np.array(verdicts, dtype=str)),
            **{
                name: ("chain", np.array([getattr(c, name) for c in counters], dtype=np.int64))
                for name in _COUNTS
            },
            "run_start": (("chain", "run"), start),
            "run_length": (("chain", "run"), length),
            "run_cause": (("chain", "run"), cause.astype(str)),
        },
        coords={"chain": np.arange(len(counters)), "run": np.arange(runs)},
        attrs={
            "schema_version": SCHEMA_VERSION,
            "policy": json.dumps(policy.to_dict()),
            "report": json.dumps(None if report is None else report.to_dict(), allow_nan=False),
            "aborted": int(report is not None),
            "sampler": sampler,
            "versions": json.dumps(library_versions()),
        },
    )
    tree[GROUP] = DataTree(dataset)


def read_group(idata: Any, caller: str) -> Dataset:
    """Return the group of a result, for a function that a user calls.

    Raises
    ------
    TypeError, ValueError
        If there is none; the message says what to write instead.
    """
    if not isinstance(idata, DataTree):
        instead = (
            "plot its .idata"
            if hasattr(idata, "idata")
            else "give the DataTree that pymc_safetrunc.sample returned"
        )
        raise TypeError(f"{caller}: {type(idata).__name__} is no DataTree; {instead}.")
    if GROUP not in idata.children:
        there = ", ".join(map(str, idata.children)) or "none"
        raise ValueError(
            f"{caller}: this DataTree has no group {GROUP!r} (its groups: {there}). "
            "pymc_safetrunc.sample adds it; it takes every argument of pm.sample."
        )
    group = idata[GROUP].to_dataset()
    given = int(group.attrs.get("schema_version", 0))
    if given != SCHEMA_VERSION:
        raise ValueError(
            f"{caller}: the group {GROUP!r} has schema version {given}, this version of "
            f"pymc-safetrunc reads version {SCHEMA_VERSION}: install the one that wrote it."
        )
    return group


def divergent_draws(group: Dataset) -> np.ndarray:
    """Count the divergent transitions of each chain after tuning; those before prove nothing."""
    tune = group["transitions_tune"].values[:, None]
    start = group["run_start"].values
    ends = np.minimum(start + group["run_length"].values, tune)
    # runs are kept from the first on: where some are missing, they are late ones
    while_tuning = np.where(group["run_length"].values > 0, np.maximum(ends - start, 0), 0)
    return group["divergent"].values - while_tuning.sum(axis=1)


def _verdict(chain: int, counter: ChainCounter, report: WatchdogReport | None) -> str:
    if report is not None and report.chain == chain:
        return report.cause
    if report is not None and counter.transitions == 0:
        return "not started"
    if report is not None:
        return "ended with the others"
    # those while tuning prove nothing
    return "finished with bad transitions" if counter.bad_after_tuning else "good"


def library_versions() -> dict[str, str]:
    """Return the versions of what samples here, those that are installed."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
