"""Where divergent draws lie, against arrangements made by hand and scipy."""

import numpy as np
import pytest
from scipy.stats import ks_2samp
from xarray import DataArray

from pymc_safetrunc.report import concentration as module
from pymc_safetrunc.report.concentration import concentration, ks_distance
from tests.report.runs import tree

SHAPE = (2, 400)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def diverging(rng):
    return rng.uniform(size=SHAPE) < 0.1


def labels(found):
    return [coordinate.label for coordinate in found.coordinates]


@pytest.mark.parametrize("discrete", [False, True])
def test_distance_is_scipys(discrete, rng):
    a, b = rng.normal(size=(30, 5)), rng.normal(0.5, size=(71, 5))
    if discrete:
        a, b = a.round(), b.round()
    expected = [ks_2samp(a[:, i], b[:, i]).statistic for i in range(5)]
    # sums of about a hundred terms of 1/30 and 1/71
    np.testing.assert_allclose(ks_distance(a, b), expected, atol=1e-14)


def test_the_two_coordinates_that_differ_most_by_name(diverging, rng):
    theta = rng.normal(size=(*SHAPE, 3, 4))
    theta[..., 1, 2] += 3 * diverging
    tau = rng.normal(size=SHAPE) - 1.5 * diverging
    dims = ("chain", "draw", "school", "term")
    coords = {"school": ["Choate", "Deerfield", "Exeter"]}
    draws = tree(diverging, coords, theta=(dims, theta), tau=tau, zeta=rng.normal(size=SHAPE))
    found = concentration(draws)
    assert labels(found) == ["theta[Deerfield, 2]", "tau"]
    assert found.considered == 14
    np.testing.assert_array_equal(found.coordinates[0].values, theta[..., 1, 2])
    first = theta[..., 1, 2]
    expected = ks_2samp(first[diverging], first[~diverging]).statistic
    # a sum of 800 rounded terms
    assert found.coordinates[0].distance == pytest.approx(expected, abs=1e-12)
    assert labels(concentration(draws, ["tau", "zeta"])) == ["tau", "zeta"]
    assert labels(concentration(draws, "thet", "like"))[0] == "theta[Deerfield, 2]"


def test_a_function_of_the_first_is_no_second(diverging, rng):
    tau = rng.normal(size=SHAPE) - 3 * diverging
    other = rng.normal(size=SHAPE) - diverging
    found = concentration(tree(diverging, tau=tau, width=np.exp(tau), other=other))
    assert labels(found) == ["tau", "other"]
    # unless there is nothing else
    assert labels(concentration(tree(diverging, tau=tau, width=np.exp(tau)))) == ["tau", "width"]


def test_the_unconstrained_scale_where_it_is_known(diverging, rng):
    z = rng.normal(size=SHAPE) - 3 * diverging
    x = rng.normal(size=SHAPE)
    both = tree(diverging, tau=np.exp(z), tau_log__=z, x=x)
    assert labels(concentration(both)) == ["tau_log__", "x"]
    # nutpie puts the transformed variables, and no others, into a group of their own
    apart = tree(diverging, tau=np.exp(z), x=x)
    apart["unconstrained_posterior"] = tree(diverging, tau_log__=z)["posterior"]
    assert labels(concentration(apart)) == ["tau_log__", "x"]
    wide, narrow = concentration(tree(diverging, tau=np.exp(2 * z), x=x)).coordinates
    assert wide.log
    assert not narrow.log


def test_what_cannot_be_compared_is_left_out(diverging, rng):
    broken = rng.normal(size=SHAPE) + 9 * diverging
    broken[0, 0] = np.nan
    found = concentration(
        tree(
            diverging,
            broken=broken,
            constant=np.ones(SHAPE),
            words=np.full(SHAPE, "a"),
            flag=rng.uniform(size=SHAPE) < 0.5,
        )
    )
    assert labels(found) == ["flag"]
    assert found.considered == 1
    assert concentration(tree(diverging, constant=np.ones(SHAPE))) is None


def test_nothing_to_compare(diverging, rng):
    x = rng.normal(size=SHAPE)
    assert concentration(tree(np.zeros(SHAPE, bool), x=x)) is None
    assert concentration(tree(np.ones(SHAPE, bool), x=x)) is None
    without = tree(diverging, x=x)
    del without["sample_stats"]
    assert concentration(without) is None
    without = tree(diverging, x=x)
    del without["posterior"]
    assert concentration(without) is None


def test_a_run_stopped_while_tuning(diverging, rng):
    x = rng.normal(size=SHAPE) + diverging
    found = concentration(tree(diverging, group="warmup_posterior", x=x))
    assert labels(found) == ["x"]


def test_several_samplers_in_one_step(diverging, rng):
    draws = tree(diverging, x=rng.normal(size=SHAPE))
    column = np.stack([diverging, np.zeros(SHAPE, bool)], axis=-1)
    draws["sample_stats"]["diverging"] = DataArray(column, dims=("chain", "draw", "sampler"))
    np.testing.assert_array_equal(concentration(draws).divergent, diverging)


def test_many_coordinates_are_compared_by_fewer_draws(diverging, rng, monkeypatch):
    monkeypatch.setattr(module, "MOST_ENTRIES", 1000)
    monkeypatch.setattr(module, "FEWEST_DRAWS", 20)
    theta = rng.normal(size=(*SHAPE, 500))
    theta[..., 77] += 4 * diverging
    found = concentration(tree(diverging, theta=(("chain", "draw", "k"), theta)))
    assert labels(found)[0] == "theta[77]"
    assert found.divergent.sum() == diverging.sum()
