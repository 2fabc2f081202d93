"""The gradient beside a central difference."""

import sys

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from pymc_safetrunc.diagnosis import check_gradient
from pymc_safetrunc.diagnosis.difference import ERRORS_ALLOWED, central_difference
from tests.diagnosis.interpreted import interpreted


class WrongSlope(Op):
    """-x**2 with a gradient that is off by one part in a thousand."""

    def make_node(self, x):
        return Apply(self, [pt.as_tensor(x)], [pt.dscalar()])

    def perform(self, node, inputs, outputs):
        outputs[0][0] = np.asarray(-(inputs[0] ** 2))

    def pullback(self, inputs, outputs, cotangents):
        return [-2.002 * inputs[0] * cotangents[0]]


class WithoutSlope(Op):
    """An Op that nobody has differentiated."""

    def make_node(self, x):
        return Apply(self, [pt.as_tensor(x)], [pt.dscalar()])

    def perform(self, node, inputs, outputs):
        outputs[0][0] = np.asarray(-(inputs[0] ** 2))


def test_a_right_gradient_agrees_entry_by_entry():
    with pm.Model() as model:
        a = pm.Normal("a", shape=(2, 2))
        b = pm.HalfNormal("b")
        k = pm.Poisson("k", 3)
        pm.Normal("y", a.sum() * k, b, observed=[1.0, 2.0])
    table = check_gradient(model=model)
    assert list(table.variable) == ["a"] * 4 + ["b_log__"]
    assert list(table["index"]) == [(0, 0), (0, 1), (1, 0), (1, 1), ()]
    assert table.agrees.all()
    with model:
        assert check_gradient().equals(table)


def test_closed_form():
    with pm.Model() as model:
        pm.Normal("x", 1.0, 2.0)
    (row,) = check_gradient({"x": 3.0}, model).itertuples()
    assert row.gradient == -0.5
    # the estimate has to cover the true error of the difference
    assert abs(row.difference + 0.5) <= row.error
    # of a parabola the difference is exact but for roundings: eight of a log-density of at most 3,
    # over a width of at least 2 * 0.3 / 1.4**9 = 0.03
    assert row.error < 8 * np.finfo("float64").eps * 3 / 0.03


def test_near_the_edge_of_the_support():
    """The larger steps leave the support, where the log-density is -inf: no warning, no error."""
    with pm.Model() as model:
        pm.Exponential("x", 2.0, initval=0.02, default_transform=None)
    (row,) = check_gradient({"x": 0.02}, model).itertuples()
    assert row.gradient == -2
    assert row.agrees
    (row,) = check_gradient({"x": 0.0}, model).itertuples()
    assert np.isnan(row.difference)
    assert row.agrees is None  # on one side of the edge there is nothing to compare with


def test_a_wrong_gradient_is_found():
    with pm.Model() as model:
        x = pm.Normal("x", 0, 1e3, initval=1.5)
        pm.Potential("p", WrongSlope()(x))
    # an Op that is only Python: the default backend would warn that it calls the interpreter
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        assert list(check_gradient(model=model).agrees) == [False]


def test_a_gradient_that_is_not_finite_does_not_agree():
    with pm.Model() as model:
        s = pm.InverseGamma("s", 2, 3)
        up = pm.Data("up", np.inf)
        pm.TruncatedNormal("V", 0, s, lower=0, upper=up, observed=[0.5, 1.5])
    (row,) = check_gradient(model=model).itertuples()
    assert np.isnan(row.gradient)
    assert np.isfinite(row.difference)
    assert row.agrees is False


@pytest.mark.parametrize(
    ("function", "at", "slope"),
    [
        (np.exp, 1.0, np.e),
        (np.sin, 1e-3, np.cos(1e-3)),
        (lambda x: x**3, 1e6, 3e12),
        (np.log, 0.3, 1 / 0.3),
        (lambda x: 1e8 + np.sin(x), 0.5, np.cos(0.5)),  # digits lost to a large constant
    ],
)
def test_the_error_estimate_covers_the_error(function, at, slope):
    difference, error = central_difference(
        lambda x: float(function(x[0])), np.array([at]), np.array([1.0])
    )
    # as many error estimates as a gradient is allowed; the slope above is rounded itself
    assert abs(difference - slope) <= ERRORS_ALLOWED * error + np.finfo("float64").eps * abs(slope)


def test_a_scale_below_the_resolution_of_a_float_is_not_judged():
    spike = central_difference(
        lambda x: -(1e12 * abs(x[0] - 1e8)), np.array([1e8]), np.array([1.0])
    )
    assert np.isnan(spike).all()


CAUCHY = {"alpha": 0, "beta": 1e-4}
NARROW = {
    "at its width": (pm.Cauchy, CAUCHY, 1e-4, -1e4),
    "near its mode": (pm.Cauchy, CAUCHY, 1e-9, -0.2),
    "far out": (pm.Cauchy, CAUCHY, 3.0, -2 / 3),
    "Student": (pm.StudentT, {"nu": 3, "mu": 0, "sigma": 1e-3}, 1e-3, -1e3),
    "mixture": (pm.NormalMixture, {"w": [0.5, 0.5], "mu": 0, "sigma": [1e-3, 1e-2]}, 2e-3, None),
}


@pytest.mark.parametrize(("family", "given", "at", "slope"), NARROW.values(), ids=NARROW)
def test_a_scale_far_below_one(family, given, at, slope):
    with pm.Model() as model, interpreted():
        family("x", **given)
        (row,) = check_gradient({"x": at}, model).itertuples()
    assert row.agrees
    # seven digits at least: a narrow density is no reason to know little
    assert row.error < 1e-7 * abs(row.gradient)
    if slope is not None:  # in closed form, but for the square of 1e-4 / 3 or of 1e-5
        assert row.gradient == pytest.approx(slope, rel=2e-9)


def test_single_precision():
    with pytensor.config.change_flags(floatX="float32"), pm.Model() as model, interpreted():
        a, b = pm.Normal("a", shape=3), pm.HalfNormal("b")
        pm.Normal("y", a, b, observed=np.float32([1.0, 2.0, 30.0]))
        table = check_gradient(model=model)
    assert table.agrees.all()
    assert table.gradient.dtype == "float32"


def test_a_density_that_is_another_one_at_every_call():
    with pm.Model() as model, interpreted():
        batch = pm.Minibatch(np.arange(100.0), batch_size=5)
        pm.Normal("y", pm.Normal("mu"), 1, observed=batch, total_size=100)
        with pytest.raises(ValueError, match=r"another one at every call \(pm.Minibatch"):
            check_gradient(model=model)


@pytest.mark.parametrize("kind", ["empty", "discrete", "potential"])
def test_a_model_without_continuous_variables_has_no_rows(kind):
    with pm.Model() as model:
        if kind == "discrete":
            pm.Poisson("k", 3)
        if kind == "potential":
            pm.Potential("p", pt.constant(1.0))
    table = check_gradient(model=model)
    assert len(table) == 0
    names = ["variable", "index", "value", "gradient", "difference", "error", "agrees"]
    assert list(table.columns) == names


def test_a_log_density_without_a_gradient():
    with pm.Model() as model, interpreted():
        pm.Potential("p", WithoutSlope()(pm.Normal("x")))
        with pytest.raises(ValueError, match=r"no gradient: .*WithoutSlope"):
            check_gradient(model=model)


def test_without_pandas_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pm.Model() as model:
        pm.Normal("x")
    with pytest.raises(ImportError, match="pip install pandas"):
        check_gradient(model=model)
