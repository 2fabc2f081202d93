"""The pictures show the numbers of the group, and results with the group stay ArviZ's."""

import pickle
from itertools import pairwise

import arviz as az
import numpy as np
import pytest
import xarray as xr
from arviz_plots import PlotCollection
from matplotlib import pyplot as plt

from pymc_safetrunc.findings import WatchdogReport
from pymc_safetrunc.report.plots import plot_watchdog
from pymc_safetrunc.watchdog.group import divergent_draws
from tests import optional
from tests.report.runs import DIVERGENT, NOT_FINITE, counter, synthetic, tree, with_group


@pytest.fixture
def known():
    """Three chains of ten tuning transitions: one goes through, one is stopped, one stalls."""
    report = WatchdogReport("logp-nan", "made for the test", "sampling", chain=1)
    counters = [
        counter(40, 10, [(3, 5, DIVERGENT), (9, 12, DIVERGENT)]),
        counter(25, 10, [(20, 25, NOT_FINITE)]),
        counter(7, 10),
    ]
    return with_group(tree(np.zeros((1, 15), bool), x=np.arange(15.0)[None]), counters, report)


def spans(collection, kind, chain):
    """First and last transition of what was drawn in the row of a chain."""
    artist = collection.viz[kind]["timeline"].sel(chain=chain).item()
    if artist is None:
        return []
    boxes = [path.get_extents() for path in artist.get_paths()]
    for box in boxes:
        assert (box.y0 + box.y1) / 2 == pytest.approx(chain)
    return [(box.x0, box.x1) for box in boxes]


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_the_timeline_is_drawn_to_scale(known):
    collection = plot_watchdog(known)
    assert isinstance(collection, PlotCollection)
    assert [spans(collection, "tuning", c) for c in range(3)] == [[(0, 10)], [(0, 10)], [(0, 7)]]
    assert [spans(collection, "draws", c) for c in range(3)] == [[(10, 40)], [(10, 25)], []]
    assert [spans(collection, "divergent", c) for c in range(3)] == [[(3, 5), (9, 12)], [], []]
    assert [spans(collection, "nonfinite", c) for c in range(3)] == [[], [(20, 25)], []]
    stops = collection.viz["stop"]["timeline"]
    assert stops.values[[0, 2]].tolist() == [None, None]
    assert stops.sel(chain=1).item().get_xydata().tolist() == [[25, 1]]
    ax = collection.get_viz("plot", "timeline")
    assert "chain 1" in ax.get_title(loc="left")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        *("tuning", "draws", "divergent", "not finite", "stopped")
    ]
    assert labels(ax.yaxis) == ["0", "1", "2"]
    # divergences: 5 of which 3 while tuning (transitions 3, 4 and 9)
    assert divergent_draws(known["watchdog"].to_dataset()).tolist() == [2, 5, 0]
    (right,) = ax.child_axes
    assert labels(right.yaxis) == ["2 divergent draws", "logp-nan", "no draws yet"]
    # no draw diverged: one picture
    assert collection.viz["figure"].item().axes == [ax]


def test_a_stalled_chain_is_silent_to_the_end():
    report = WatchdogReport("stalled", "made for the test", "sampling", chain=0)
    counters = [counter(12, 5), counter(30, 5)]
    draws = with_group(tree(np.zeros((1, 7), bool), x=np.arange(7.0)[None]), counters, report)
    collection = plot_watchdog(draws)
    line = collection.viz["stalled"]["timeline"].values[0]
    assert line.get_xdata()[0] == 12
    assert line.get_xdata()[1] >= 30
    assert collection.viz["stalled"]["timeline"].values[1] is None


def test_divergent_draws_are_those_of_the_sampler(funnel):
    expected = funnel.sample_stats.diverging.sum("draw").values
    assert expected.sum() > 5
    np.testing.assert_array_equal(divergent_draws(funnel["watchdog"].to_dataset()), expected)
    shown = plot_watchdog(funnel).viz["divergence"]["divergences"].item().get_offsets()
    mask = funnel.sample_stats.diverging.values
    np.testing.assert_array_equal(shown[:, 1], funnel.posterior["scale_log__"].values[mask])


def test_the_neck_of_the_funnel_is_found(funnel):
    collection = plot_watchdog(funnel)
    ax = collection.get_viz("plot", "divergences")
    assert ax.get_ylabel() == "scale_log__"
    assert ax.get_xlabel().startswith("x[")
    assert (
        plot_watchdog(funnel, var_names=["x"]).get_viz("plot", "divergences").get_ylabel()[0] == "x"
    )


def test_one_coordinate_is_shown_along_its_draws(aborted):
    ax = plot_watchdog(aborted.idata).get_viz("plot", "divergences")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("draw", "load")
    assert ax.get_xlim()[1] < 1.2 * aborted.idata.posterior.sizes["draw"]


@pytest.mark.parametrize(("chains", "draws"), [(1, 100), (4, 2000), (32, 100)])
def test_labels_do_not_touch(chains, draws):
    collection = plot_watchdog(synthetic(chains, draws))
    figure = collection.viz["figure"].item()
    figure.draw_without_rendering()
    ax = collection.get_viz("plot", "timeline")
    for axis in (ax.yaxis, ax.child_axes[0].yaxis, ax.xaxis):
        boxes = [label.get_window_extent() for label in axis.get_ticklabels() if label.get_text()]
        assert boxes
        assert not any(a.overlaps(b) for a, b in pairwise(boxes))
        assert all(figure.bbox.containsx(box.x1) for box in boxes)
    # a single transition stays wider than half a pixel
    assert ax.collections[-1].get_linewidth()[0] * figure.dpi / 72 > 0.5


def test_axes_of_ones_own(known, funnel):
    _, (upper, lower) = plt.subplots(2)
    collection = plot_watchdog(funnel, ax=[upper, lower])
    assert collection.get_viz("plot", "timeline") is upper
    assert collection.get_viz("plot", "divergences") is lower
    _, alone = plt.subplots()
    assert set(plot_watchdog(funnel, ax=alone).viz["plot"].data_vars) == {"timeline"}
    # no draw diverged: the runs of the timeline are drawn, and no points beside them
    drawn = plot_watchdog(known, ax=plt.subplots(2)[1]).viz
    assert "divergent" in drawn
    assert "divergence" not in drawn


def test_visuals_and_figure_kwargs(funnel, tmp_path):
    collection = plot_watchdog(
        funnel,
        visuals={
            "divergent": {"color": "red", "linewidth": 2},
            "draws": False,
            "divergence": False,
        },
        figure_kwargs={"figsize": (7, 3)},
    )
    figure = collection.viz["figure"].item()
    assert figure.get_size_inches().tolist() == [7, 3]
    assert len(figure.axes) == 1
    assert "draws" not in collection.viz.children
    drawn = collection.viz["divergent"]["timeline"].values[0]
    assert drawn.get_facecolor()[0].tolist() == [1, 0, 0, 1]
    collection.savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"


def test_visuals_in_other_spellings(funnel):
    collection = plot_watchdog(
        funnel,
        visuals={
            "divergence": {"c": "red", "lw": 2},
            "scatter": {"label": "the rest"},
            "divergent": {"lw": 3, "label": "bad"},
        },
    )
    points = collection.viz["divergence"]["divergences"].item()
    assert points.get_facecolor()[0, :3].tolist() == [1, 0, 0]
    assert points.get_linewidth() == [2]
    legend = collection.get_viz("plot", "divergences").get_legend()
    assert "the rest" in [text.get_text() for text in legend.get_texts()]
    assert collection.viz["divergent"]["timeline"].values[0].get_linewidth() == [3]
    legend = collection.get_viz("plot", "timeline").get_legend()
    assert "bad" in [text.get_text() for text in legend.get_texts()]
    with pytest.raises(TypeError, match="linewidth"):
        plot_watchdog(funnel, visuals={"draws": {"lw": 1, "linewidth": 2}})


def test_names_are_no_formulas():
    draws = synthetic(2, 50)
    draws["posterior"] = xr.DataTree(
        draws["posterior"].to_dataset().rename(x="$\\frac{$", y="\x1b$b$")
    )
    figure = plot_watchdog(draws).viz["figure"].item()
    figure.draw_without_rendering()  # mathtext would raise
    assert figure.axes[1].get_ylabel() == "$\\frac{$"
    assert figure.axes[1].get_xlabel() == "\\x1b$b$"


def test_long_tails_are_cut_and_said(funnel):
    draws = synthetic(2, 1000)
    x = draws["posterior"]["y"].values
    x[0, 900] = 1e6
    ax = plot_watchdog(draws).get_viz("plot", "divergences")
    assert ax.get_xlabel() == "y  (tails cut)"
    assert ax.get_xlim()[1] < 10
    mask = draws.sample_stats.diverging.values
    for name, (low, high) in {"y": ax.get_xlim(), "x": ax.get_ylim()}.items():
        shown = draws["posterior"][name].values[mask]
        assert low < shown.min()
        assert shown.max() < high


WRONG = {
    "a Dataset": (lambda t: t["posterior"].to_dataset(), TypeError, "Dataset is no DataTree"),
    "no group": (lambda t: xr.DataTree(), ValueError, "no group 'watchdog'.*pymc_safetrunc.sample"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_told_what_to_write(case, known):
    make, error, words = WRONG[case]
    with pytest.raises(error, match=words):
        plot_watchdog(make(known))


def test_wrong_arguments_are_told_what_to_write(known, aborted):
    with pytest.raises(TypeError, match=r"SamplingAborted is no DataTree; plot its \.idata"):
        plot_watchdog(aborted)
    with pytest.raises(ValueError, match=r"'colour'.*valid keys are tuning, draws, divergent"):
        plot_watchdog(known, visuals={"colour": {}})
    with pytest.raises(TypeError, match="one matplotlib Axes, or two"):
        plot_watchdog(known, ax=plt.subplots(3)[1])
    with pytest.raises(ValueError, match="not both"):
        plot_watchdog(known, ax=plt.subplots()[1], figure_kwargs={"dpi": 50})
    known["watchdog"].attrs["schema_version"] = 2
    with pytest.raises(ValueError, match=r"schema version 2.*reads version 1"):
        plot_watchdog(known)


@pytest.mark.parametrize("way", ["pickle", "netcdf", "zarr"])
def test_the_group_survives_and_is_drawn_alike(way, known, tmp_path):
    if way == "pickle":
        back = pickle.loads(pickle.dumps(known))
    elif way == "netcdf":
        known.to_netcdf(tmp_path / "run.nc", engine="h5netcdf")
        with xr.open_datatree(tmp_path / "run.nc", engine="h5netcdf") as file:
            back = file.load()
    else:
        optional.require("zarr")
        known.to_zarr(tmp_path / "run.zarr", zarr_format=2, consolidated=False)
        back = xr.open_datatree(tmp_path / "run.zarr", engine="zarr", consolidated=False)
    xr.testing.assert_identical(
        back["watchdog"].to_dataset().load().drop_attrs(),
        known["watchdog"].to_dataset().drop_attrs(),
    )
    assert back["watchdog"].attrs == known["watchdog"].attrs
    one, other = plot_watchdog(known), plot_watchdog(back)
    assert list(one.viz.children) == list(other.viz.children)
    for kind in ("tuning", "draws", "divergent", "nonfinite"):
        for chain in range(3):
            assert spans(one, kind, chain) == spans(other, kind, chain)


PLOTS = {
    "plot_trace": {},
    "plot_dist": {},
    "plot_forest": {},
    "plot_rank": {},
    "plot_energy": {},
    "plot_pair": {"var_names": ["scale_log__"], "visuals": {"divergence": True}},
    "plot_trace_dist": {"var_names": ["scale"]},
}


@pytest.mark.parametrize("name", PLOTS)
def test_arvizs_plots_take_results_with_the_group(name, funnel):
    assert isinstance(
        getattr(az, name)(funnel, backend="matplotlib", **PLOTS[name]), PlotCollection
    )


def test_arvizs_numbers_take_results_with_the_group(funnel, capsys):
    plain = funnel.drop_nodes("watchdog")
    assert az.summary(funnel).equals(az.summary(plain))
    assert az.diagnose(funnel) is True
    assert "ended with a divergence" in capsys.readouterr().out
    assert "watchdog" in funnel._repr_html_()
