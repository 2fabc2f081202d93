"""Pictures of what the watchdog saw, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from arviz_plots import PlotCollection
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.cbook import normalize_kwargs
from matplotlib.collections import Collection
from matplotlib.lines import Line2D
from xarray import DataArray, Dataset, DataTree

from pymc_safetrunc.report.concentration import Concentration, Coordinate, concentration
from pymc_safetrunc.report.text import printable
from pymc_safetrunc.report.timeline import (
    LEGEND,
    STYLES,
    TITLE,
    VERMILLION,
    draw_timeline,
    headline,
    timeline_height,
)
from pymc_safetrunc.watchdog.group import read_group

__all__ = ["draw_divergences", "plot_watchdog"]

DEFAULTS: dict[str, dict[str, Any]] = {
    **STYLES,
    "scatter": {"color": "0.58", "s": 9, "alpha": 0.4, "linewidth": 0},
    "divergence": {"color": VERMILLION, "s": 22, "marker": "^", "alpha": 0.85, "linewidth": 0},
}
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
    not finite (taller marks), where it fell silent and where the watchdog stopped it. Beside it,
    the divergent draws among the others in the two coordinates that set them most apart.

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
        * stalled, stop -> passed to :meth:`matplotlib.axes.Axes.plot`
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
        If ``idata`` is no DataTree, ``ax`` neither an Axes nor two of them, or an entry of
        ``visuals`` spells one keyword in two ways (``lw`` and ``linewidth``).
    ValueError
        If ``idata`` has no group ``watchdog``, or one of another schema version; for a key of
        ``visuals`` that is not known; for both ``ax`` and ``figure_kwargs``.

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
    group = read_group(idata, "plot_watchdog")
    styles = _styles(visuals)
    if ax is not None and figure_kwargs is not None:
        raise ValueError("plot_watchdog: give ax= or figure_kwargs=, not both.")
    found = None
    if styles["divergence"] is not False:
        found = concentration(idata, var_names, filter_vars)
    axes = _axes(ax, group, found is not None, figure_kwargs)
    drawn = draw_timeline(axes[0], group, styles)
    axes[0].set_title(headline(group), **TITLE)
    plots: dict[str, Any] = {"timeline": axes[0]}
    if len(axes) > 1:
        plots["divergences"] = axes[1]
        if found is not None:
            drawn |= draw_divergences(axes[1], found, styles)
            axes[1].set_title("Where draws diverge", **TITLE)
        else:
            axes[1].text(0.5, 0.5, "nothing to compare", ha="center", va="center")
            axes[1].set_axis_off()
    return _collection(group, plots, drawn)


def draw_divergences(
    ax: Axes, found: Concentration, styles: Mapping[str, Any] = DEFAULTS
) -> dict[str, Any]:
    """Draw divergent draws among the others; return what was drawn, by kind."""
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
            style = {"label": label, **styles[kind]}
            drawn[kind] = ax.scatter(across.ravel()[rows], y.values.ravel()[rows], **style)
    if second:
        _dress_axis(ax, "x", second[0], found.divergent)
    else:
        ax.set_xlabel("draw")
    _dress_axis(ax, "y", y, found.divergent)
    for handle in ax.legend(**LEGEND, ncols=2).legend_handles:
        if handle is not None:
            handle.set_alpha(1)
    return drawn


def _dress_axis(ax: Axes, axis: str, coordinate: Coordinate, divergent: np.ndarray) -> None:
    """Label an axis; cut long tails, which would leave no room for what is to be seen."""
    label = printable(coordinate.label)
    if coordinate.log:
        getattr(ax, f"set_{axis}scale")("log")
    else:
        values = coordinate.values
        low, high = np.quantile(values, CENTRE)
        low = min(low, values[divergent].min())
        high = max(high, values[divergent].max())
        if (high - low) * LONG_TAILS < np.ptp(values):
            margin = (high - low) / 20
            getattr(ax, f"set_{axis}lim")(low - margin, high + margin)
            label += "  (tails cut)"
    getattr(ax, f"set_{axis}label")(label, parse_math=False)


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
            # other spellings of a default take its place
            of = Line2D if kind in ("stalled", "stop") else Collection
            style = {**DEFAULTS[kind], **normalize_kwargs(dict(given), of)}
            if "c" in given and of is Collection:  # which scatter takes in place of a color
                del style["color"]
            styles[kind] = style
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
