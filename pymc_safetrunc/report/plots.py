"""Pictures of what the watchdog saw, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from arviz_plots import PlotCollection
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from xarray import DataArray, Dataset, DataTree

from pymc_safetrunc.report.concentration import Concentration, Coordinate, concentration
from pymc_safetrunc.report.text import printable
from pymc_safetrunc.watchdog.counter import NONFINITE, Cause
from pymc_safetrunc.watchdog.group import GROUP, SCHEMA_VERSION

__all__ = [
    "draw_divergences",
    "draw_timeline",
    "plot_watchdog",
    "timeline_height",
    "watchdog_group",
]

# Vermillion and blue of Okabe and Ito's palette for colour-blind readers; marks of the two also
# differ in height. The bars are the text colour, thinned, to suit light and dark styles.
VERMILLION, BLUE = "#D55E00", "#0072B2"
DEFAULTS: dict[str, dict[str, Any]] = {
    "tuning": {"alpha": 0.13},
    "draws": {"alpha": 0.32},
    "divergent": {"color": VERMILLION},
    "nonfinite": {"color": BLUE},
    "stop": {"marker": "X", "markersize": 9, "linestyle": "none"},
    "scatter": {"color": "0.58", "s": 9, "alpha": 0.4, "linewidths": 0},
    "divergence": {"color": VERMILLION, "s": 22, "marker": "^", "alpha": 0.85, "linewidths": 0},
}
LABELS = {
    "tuning": "tuning",
    "draws": "draws",
    "divergent": "divergent",
    "nonfinite": "not finite",
    "stop": "stopped",
}
# Height in rows of the bar, of divergent marks, and of marks that are not finite.
BAR, HEIGHTS = 0.62, {"divergent": 0.62, "nonfinite": 0.92}
# One transition of thousands is narrower than a pixel: the outline, in points, keeps it visible.
OUTLINE = 0.7
# Inches: height of a row, tall with few chains and low with many, and of what stands around them.
ROW, LOW_ROW, FRAME = 0.42, 0.2, 1.5
FEW_CHAINS = 8
# Others that are drawn: more would be one grey blot, and a file of megabytes.
MOST_OTHERS = 8_000
# An axis is cut to the central draws, and to all that diverge, if that leaves less than one part
# in LONG_TAILS of its length.
CENTRE, LONG_TAILS = (0.01, 0.99), 3


def plot_watchdog(
    idata: DataTree,
    *,
    var_names: str | Sequence[str] | None = None,
    filter_vars: str | None = None,
    visuals: Mapping[str, Mapping[str, Any] | bool] | None = None,
    ax: Axes | Sequence[Axes] | None = None,
    figure_kwargs: Mapping[str, Any] | None = None,
) -> PlotCollection:
    """Plot the timeline of every chain, and where its divergences concentrate.

    The timeline shows each chain's tuning and draws, its divergent transitions, those that were
    not finite (taller marks), and where the watchdog stopped it. Beside it, the divergent draws
    among the others in the two coordinates that set them most apart.

    Parameters
    ----------
    idata : DataTree
        A result of :func:`~pymc_safetrunc.watchdog.sample`, or the ``idata`` of a
        :class:`~pymc_safetrunc.watchdog.SamplingAborted`.
    var_names : str or list of str, optional
        Variables to look for the divergences in; all of them by default. "~" excludes.
    filter_vars : {None, "like", "regex"}
        How ``var_names`` are read, as in ArviZ.
    visuals : mapping of {str : mapping or bool}, optional
        Keyword arguments of matplotlib for a part of the picture, or False to leave it out.
        Valid keys are:

        * tuning, draws, divergent, nonfinite -> passed to
          :meth:`matplotlib.axes.Axes.broken_barh`
        * stop -> passed to :meth:`matplotlib.axes.Axes.plot`
        * scatter, divergence -> passed to :meth:`matplotlib.axes.Axes.scatter`; False for
          "divergence" leaves out the whole second picture.

    ax : Axes or sequence of two Axes, optional
        Draw there: the timeline in one, the divergences in the second if it is given. A new
        figure by default, with one picture if no draw diverged.
    figure_kwargs : mapping, optional
        Passed to :func:`matplotlib.pyplot.figure`, such as ``{"figsize": (10, 4)}``.

    Returns
    -------
    PlotCollection
        Of ``arviz_plots``, always with backend matplotlib: ``.viz["figure"]``,
        ``.viz["plot"]["timeline"]`` and ``.viz["plot"]["divergences"]`` hold the figure and its
        axes, ``.viz["divergent"]["timeline"]`` and the like what was drawn; ``.savefig(path)``
        and ``.show()`` do what they say.

    Raises
    ------
    TypeError
        If ``idata`` is no DataTree.
    ValueError
        If it has no group ``watchdog``, or for a key of ``visuals`` that is not known.

    Examples
    --------
    >>> import pymc as pm
    >>> from pymc_safetrunc.report.plots import plot_watchdog
    >>> from pymc_safetrunc.watchdog import sample
    >>> with pm.Model():
    ...     x = pm.Normal("x")
    ...     idata = sample(20, tune=20, chains=2, quiet=True, compute_convergence_checks=False)
    >>> pc = plot_watchdog(idata, figure_kwargs={"figsize": (8, 3)})
    >>> pc.viz["plot"]["timeline"].item().get_xlabel()
    'transition'
    """
    group = watchdog_group(idata, "plot_watchdog")
    styles = _styles(visuals)
    if ax is not None and figure_kwargs is not None:
        raise ValueError("plot_watchdog: give ax= or figure_kwargs=, not both.")
    found = None
    if styles["divergence"] is not False:
        found = concentration(idata, var_names, filter_vars)
    axes = _axes(ax, group, found is not None, figure_kwargs)
    drawn = draw_timeline(axes[0], group, styles)
    plots: dict[str, Any] = {"timeline": axes[0]}
    if len(axes) > 1:
        plots["divergences"] = axes[1]
        if found is not None:
            drawn |= draw_divergences(axes[1], found, styles)
        else:
            axes[1].text(0.5, 0.5, "nothing to compare", ha="center", va="center")
            axes[1].set_axis_off()
    return _collection(group, plots, drawn)


def watchdog_group(idata: Any, caller: str) -> Dataset:
    """Return the group of a result.

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


def timeline_height(chains: int) -> float:
    """Height in inches that shows so many chains well."""
    return FRAME + ROW * min(chains, FEW_CHAINS) + LOW_ROW * max(0, chains - FEW_CHAINS)


def draw_timeline(
    ax: Axes, group: Dataset, styles: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Draw the timeline of each chain; return what was drawn, by kind."""
    styles = DEFAULTS if styles is None else styles
    tune = group["transitions_tune"].values
    total = tune + group["transitions_draw"].values
    chains = group["chain"].values
    rows = np.arange(len(chains))
    bars = {
        "tuning": [[(0, n)] if n else [] for n in tune],
        "draws": [[(t, n - t)] if n > t else [] for t, n in zip(tune, total, strict=True)],
        **_runs(group),
    }
    drawn: dict[str, Any] = {}
    for kind, of_chains in bars.items():
        if styles[kind] is not False and any(of_chains):
            drawn[kind] = _draw_bars(ax, kind, of_chains, styles[kind])
    stopped = _stopped(group)
    if styles["stop"] is not False and stopped.any():
        style = {"color": plt.rcParams["text.color"], "zorder": 4} | styles["stop"]
        drawn["stop"] = np.full(len(chains), None, dtype=object)
        for row in rows[stopped]:
            (drawn["stop"][row],) = ax.plot(total[row], row, clip_on=False, **style)
    _dress_timeline(ax, group, total, stopped)
    _legend(ax, drawn, styles)
    return drawn


def draw_divergences(
    ax: Axes, found: Concentration, styles: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Draw divergent draws among the others; return what was drawn, by kind."""
    styles = DEFAULTS if styles is None else styles
    divergent = found.divergent.ravel()
    # the one that sets them most apart goes up: necks of funnels then point down
    y, *second = found.coordinates
    across = second[0].values if second else np.indices(found.divergent.shape)[1]
    others = np.flatnonzero(~divergent)
    drawn = {}
    for kind, rows in (
        ("scatter", others[:: -(-len(others) // MOST_OTHERS)]),
        ("divergence", np.flatnonzero(divergent)),
    ):
        if styles[kind] is not False:
            label = f"divergent ({len(rows):,})" if kind == "divergence" else "other draws"
            drawn[kind] = ax.scatter(
                across.ravel()[rows], y.values.ravel()[rows], label=label, **styles[kind]
            )
    if second:
        _dress_coordinate(ax.xaxis, second[0], found.divergent)
    else:
        ax.set_xlabel("draw")
    _dress_coordinate(ax.yaxis, y, found.divergent)
    ax.set_title("Where draws diverge", loc="left", fontsize="medium", pad=26)
    for handle in ax.legend(**_LEGEND, ncols=2).legend_handles:
        if handle is not None:
            handle.set_alpha(1)
    return drawn


def _dress_coordinate(axis: Axis, coordinate: Coordinate, divergent: np.ndarray) -> None:
    """Label an axis; cut long tails, which would leave no room for what is to be seen."""
    label = printable(coordinate.label)
    if coordinate.log:
        getattr(axis.axes, f"set_{axis.axis_name}scale")("log")
    else:
        values = coordinate.values
        low, high = np.quantile(values, CENTRE)
        low = min(low, values[divergent].min())
        high = max(high, values[divergent].max())
        if (high - low) * LONG_TAILS < np.ptp(values):
            margin = (high - low) / 20
            getattr(axis.axes, f"set_{axis.axis_name}lim")(low - margin, high + margin)
            label += "  (tails cut)"
    axis.set_label_text(label, parse_math=False)


_LEGEND: dict[str, Any] = {
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


def _styles(visuals: Mapping[str, Mapping[str, Any] | bool] | None) -> dict[str, Any]:
    styles: dict[str, Any] = dict(DEFAULTS)
    for kind, given in (visuals or {}).items():
        if kind not in DEFAULTS:
            raise ValueError(
                f"plot_watchdog(visuals={{{kind!r}: ...}}): valid keys are {', '.join(DEFAULTS)}."
            )
        if given is False:
            styles[kind] = False
        elif given is not True:
            styles[kind] = {**DEFAULTS[kind], **given}
    return styles


def _axes(
    ax: Axes | Sequence[Axes] | None,
    group: Dataset,
    pair: bool,
    figure_kwargs: Mapping[str, Any] | None,
) -> list[Axes]:
    if ax is not None:
        axes = [ax] if isinstance(ax, Axes) else list(np.ravel(np.asarray(ax, dtype=object)))
        if len(axes) not in (1, 2) or not all(isinstance(one, Axes) for one in axes):
            raise TypeError(
                f"plot_watchdog(ax=...): give one matplotlib Axes, or two: the timeline's and "
                f"that of the divergences. {len(axes)} given."
            )
        return axes
    height = timeline_height(group.sizes["chain"])
    size = (12.0, max(height, 4.2)) if pair else (8.0, height)
    settings = {"figsize": size, "layout": "constrained", **(figure_kwargs or {})}
    figure = plt.figure(**settings)
    ratios = [1.75, 1] if pair else [1]
    axes = list(figure.subplots(1, len(ratios), width_ratios=ratios, squeeze=False)[0])
    if pair:
        axes[1].set_box_aspect(1)
        axes[1].set_anchor("N")
    return axes


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
    style = {"color": plt.rcParams["text.color"], "linewidth": OUTLINE, **style}
    if kind in HEIGHTS:
        style = {"zorder": 3, **style}
    else:
        style["linewidth"] = 0
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
    ax.set_xlim(0, longest * (1.02 if stopped.any() else 1))  # the mark of a stop has a width
    ax.set_ylim(len(chains) - 0.4, -0.6)
    ax.set_xlabel("transition")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    size = "medium" if len(chains) <= FEW_CHAINS else "small"
    ax.set_yticks(rows, [str(chain) for chain in chains], fontsize=size)
    ax.set_ylabel("chain")
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_title(_headline(group), loc="left", fontsize="medium", pad=26)
    right = ax.secondary_yaxis("right")
    notes = [_note(group.isel(chain=row), bool(stopped[row])) for row in rows]
    right.set_yticks(rows, notes, fontsize="small")
    right.tick_params(axis="y", length=0)
    right.spines["right"].set_visible(False)


def _headline(group: Dataset) -> str:
    stopped = _stopped(group)
    if stopped.any():
        row = int(np.flatnonzero(stopped)[0])
        cause = str(group["verdict"].values[row])
        return f"Stopped in chain {group['chain'].values[row]}: {Cause(cause).words}"
    if group.attrs.get("aborted"):
        return "Stopped"
    divergent = int(group["divergent"].sum())
    taken = int((group["transitions_tune"] + group["transitions_draw"]).sum())
    return f"{divergent:,} of {taken:,} transitions were divergent"


def _note(chain: Dataset, stopped: bool) -> str:
    if stopped:
        return f"{chain['verdict'].item()}"
    if chain["transitions_tune"] + chain["transitions_draw"] == 0:
        return "not started"
    divergent, longest = int(chain["divergent"]), int(chain["longest_divergent"])
    in_a_row = f", {longest:,} in a row" if longest > 1 else ""
    return f"{divergent:,} divergent{in_a_row}" if divergent else "none divergent"


def _legend(ax: Axes, drawn: Mapping[str, Any], styles: Mapping[str, Any]) -> None:
    handles = []
    for kind in drawn:
        style = {"color": plt.rcParams["text.color"], **styles[kind]}
        if kind == "stop":
            handles.append(Line2D([], [], label=LABELS[kind], **(style | {"markersize": 7})))
        else:
            handles.append(Patch(**style, label=LABELS[kind], linewidth=0))
    ax.legend(handles=handles, ncols=len(handles), **_LEGEND)


def _collection(
    group: Dataset, plots: Mapping[str, Axes], drawn: Mapping[str, Any]
) -> PlotCollection:
    """Hand over the picture as the plots of ArviZ do."""
    chains = {"chain": group["chain"].values}
    timeline = {k: v for k, v in drawn.items() if isinstance(v, np.ndarray)}
    viz = {
        "/": Dataset({"figure": _scalar(plots["timeline"].figure)}),
        "/plot": Dataset({name: _scalar(ax) for name, ax in plots.items()}),
        **{
            f"/{kind}": Dataset({"timeline": DataArray(artists, chains, ["chain"])})
            for kind, artists in timeline.items()
        },
        **{
            f"/{kind}": Dataset({"divergences": _scalar(artist)})
            for kind, artist in drawn.items()
            if kind not in timeline
        },
    }
    return PlotCollection(group, DataTree.from_dict(viz), backend="matplotlib")


def _scalar(thing: Any) -> DataArray:
    array = np.empty((), dtype=object)
    array[()] = thing
    return DataArray(array)
