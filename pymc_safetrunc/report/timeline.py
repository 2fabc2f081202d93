"""The timeline of every chain, drawn from the numbers of the group ``watchdog``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from xarray import Dataset

from pymc_safetrunc.watchdog.counter import NONFINITE, Cause
from pymc_safetrunc.watchdog.group import divergent_draws

__all__ = [
    "LEGEND",
    "STYLES",
    "TITLE",
    "VERMILLION",
    "draw_timeline",
    "headline",
    "timeline_height",
]

# Vermillion and blue of Okabe and Ito's palette for colour-blind readers; marks of the two also
# differ in height. The bars are the text colour, thinned, to suit light and dark styles.
VERMILLION, BLUE = "#D55E00", "#0072B2"
STYLES: dict[str, dict[str, Any]] = {
    "tuning": {"alpha": 0.13},
    "draws": {"alpha": 0.32},
    "divergent": {"color": VERMILLION},
    "nonfinite": {"color": BLUE},
    "stalled": {"linestyle": ":", "linewidth": 1.8},
    "stop": {"marker": "X", "markersize": 9, "linestyle": "none"},
}
LABELS = {
    "tuning": "tuning",
    "draws": "draws",
    "divergent": "divergent",
    "nonfinite": "not finite",
    "stalled": "silent",
    "stop": "stopped",
}
# Height in rows of the bar, of divergent marks, and of marks that are not finite.
BAR, HEIGHTS = 0.62, {"divergent": 0.62, "nonfinite": 0.92}
# One transition of thousands is narrower than a pixel: the outline, in points, keeps it visible.
OUTLINE = 0.7
# Inches: height of a row, tall with few chains and low with many, and of what stands around them.
ROW, LOW_ROW, FRAME = 0.42, 0.2, 1.5
FEW_CHAINS = 8
# Room above the legend, which is above the axes.
TITLE: dict[str, Any] = {"loc": "left", "fontsize": "medium", "pad": 26}
LEGEND: dict[str, Any] = {
    "loc": "lower left",
    "bbox_to_anchor": (0, 1),
    "borderaxespad": 0.3,
    "borderpad": 0,
    "frameon": False,
    "fontsize": "small",
    "handlelength": 1.2,
    "handletextpad": 0.5,
    "columnspacing": 1.3,
}


def timeline_height(chains: int) -> float:
    """Height in inches that shows so many chains well."""
    return FRAME + ROW * min(chains, FEW_CHAINS) + LOW_ROW * max(0, chains - FEW_CHAINS)


def draw_timeline(
    ax: Axes, group: Dataset, styles: Mapping[str, Any] = STYLES
) -> dict[str, np.ndarray]:
    """Draw the timeline of each chain; return what was drawn of each, by kind."""
    tune = group["transitions_tune"].values
    total = tune + group["transitions_draw"].values
    rows = np.arange(group.sizes["chain"])
    bars = {
        "tuning": [[(0, n)] if n else [] for n in tune],
        "draws": [[(t, n - t)] if n > t else [] for t, n in zip(tune, total, strict=True)],
        **_runs(group),
    }
    drawn: dict[str, np.ndarray] = {}
    for kind, of_chains in bars.items():
        if styles[kind] is not False and any(of_chains):
            drawn[kind] = _draw_bars(ax, kind, of_chains, styles[kind])
    stopped = _stopped(group)
    _dress_timeline(ax, group, total, stopped)
    silent = group["verdict"].values.astype(str) == Cause.STALLED
    for kind, chains in (("stalled", silent), ("stop", stopped)):
        if styles[kind] is not False and chains.any():
            style = {"color": rcParams["text.color"], "zorder": 4, **styles[kind]}
            drawn[kind] = np.full(len(rows), None, dtype=object)
            for row in rows[chains]:
                # a stalled chain is silent while the others go on
                across = [total[row], ax.get_xlim()[1]] if kind == "stalled" else [total[row]]
                (drawn[kind][row],) = ax.plot(across, [row] * len(across), clip_on=False, **style)
    _legend(ax, drawn, styles)
    return drawn


def _runs(group: Dataset) -> dict[str, list[list[tuple[int, int]]]]:
    """Return start and length of the bad runs of each chain, by kind."""
    runs: dict[str, list[list[tuple[int, int]]]] = {"divergent": [], "nonfinite": []}
    for starts, lengths, causes in zip(
        group["run_start"].values,
        group["run_length"].values,
        group["run_cause"].values,
        strict=True,
    ):
        here = [
            (str(cause) in NONFINITE, (int(start), int(length)))
            for start, length, cause in zip(starts, lengths, causes, strict=True)
            if length > 0
        ]
        runs["divergent"].append([run for is_nonfinite, run in here if not is_nonfinite])
        runs["nonfinite"].append([run for is_nonfinite, run in here if is_nonfinite])
    return runs


def _draw_bars(
    ax: Axes, kind: str, of_chains: list[list[tuple[int, int]]], style: Mapping[str, Any]
) -> np.ndarray:
    height = HEIGHTS.get(kind, BAR)
    marks = {"zorder": 3, "linewidth": OUTLINE} if kind in HEIGHTS else {"linewidth": 0}
    style = {"color": rcParams["text.color"], **marks, **style}
    drawn = np.full(len(of_chains), None, dtype=object)
    for row, ranges in enumerate(of_chains):
        if ranges:
            drawn[row] = ax.broken_barh(ranges, (row - height / 2, height), **style)
    return drawn


def _stopped(group: Dataset) -> np.ndarray:
    """Say which chains the watchdog stopped: their verdict is a cause."""
    return np.isin(group["verdict"].values.astype(str), [str(cause) for cause in Cause])


def _dress_timeline(ax: Axes, group: Dataset, total: np.ndarray, stopped: np.ndarray) -> None:
    chains = group["chain"].values
    rows = np.arange(len(chains))
    longest = max(1, int(total.max(initial=0)))
    ax.set_xlim(0, longest * (1.04 if stopped.any() else 1))  # the mark of a stop has a width
    ax.set_ylim(len(chains) - 0.4, -0.6)
    ax.set_xlabel("transition")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    size = "medium" if len(chains) <= FEW_CHAINS else "small"
    ax.set_yticks(rows, [str(chain) for chain in chains], fontsize=size)
    ax.set_ylabel("chain")
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    right = ax.secondary_yaxis("right")
    right.set_yticks(rows, _notes(group, stopped), fontsize="small")
    right.tick_params(axis="y", length=0)
    right.spines["right"].set_visible(False)


def headline(group: Dataset) -> str:
    """Say in one line how it went."""
    stopped = _stopped(group)
    if stopped.any():
        row = int(np.flatnonzero(stopped)[0])
        cause = str(group["verdict"].values[row])
        return f"Stopped in chain {group['chain'].values[row]}: {Cause(cause).words}"
    if group.attrs.get("aborted"):
        return "Stopped"
    return (
        f"{divergent_draws(group).sum():,} of {int(group['transitions_draw'].sum()):,} draws "
        "diverged"
    )


def _notes(group: Dataset, stopped: np.ndarray) -> list[str]:
    """Return what the numbers say of each chain, in few words."""
    notes = []
    for verdict, ended, draws, divergent in zip(
        group["verdict"].values.astype(str),
        stopped,
        group["transitions_draw"].values,
        divergent_draws(group),
        strict=True,
    ):
        if ended or verdict == "not started":
            notes.append(verdict)
        elif draws == 0:
            notes.append("no draws yet")
        else:
            plural = "" if divergent == 1 else "s"
            notes.append(f"{divergent:,} divergent draw{plural}" if divergent else "none divergent")
    return notes


def _legend(ax: Axes, drawn: Mapping[str, Any], styles: Mapping[str, Any]) -> None:
    handles: list[Artist] = []
    for kind in drawn:
        style = {"color": rcParams["text.color"], "label": LABELS[kind], **styles[kind]}
        if kind in ("stop", "stalled"):
            handles.append(Line2D([], [], **{**style, "markersize": 7}))
        else:
            handles.append(Patch(**{**style, "linewidth": 0}))
    ax.legend(handles=handles, ncols=len(handles), **LEGEND)
