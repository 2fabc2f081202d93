"""The interval transform against PyMC's, against autodiff, and at every scale."""

import math

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pymc.logprob.transforms import IntervalTransform

from pymc_safetrunc.distributions.interval import SafeInterval, interior_point
from tests.backends import GRAPH_MODES

INF = math.inf
BOUNDS = [(-1.0, 2.5), (0.5, INF), (-INF, -0.5), (-INF, INF), (1e20, 2e20), (0.0, 1e-300)]


@pytest.fixture(scope="module")
def functions():
    """Forward, backward, log_jac_det and their derivatives, the bounds given at run time."""
    value, lower, upper = pt.dvector("value"), pt.dscalar("lower"), pt.dscalar("upper")
    transform = SafeInterval(lambda *inputs: inputs)
    backward = transform.backward(value, lower, upper)
    log_jac = transform.log_jac_det(value, lower, upper)
    inputs = [value, lower, upper]
    gradients = [g for out in (backward, log_jac) for g in pt.grad(out.sum(), inputs)]
    return {
        "forward": pytensor.function(inputs, transform.forward(value, lower, upper)),
        "backward": pytensor.function(inputs, backward),
        "log_jac_det": pytensor.function(inputs, log_jac),
        "gradients": pytensor.function(inputs, gradients, on_unused_input="ignore"),
    }


VALUES = np.array([-30.0, -2.0, -1e-3, 0.0, 1e-3, 0.7, 25.0])


@pytest.mark.parametrize(("lower", "upper"), BOUNDS[:4])
def test_values_are_those_of_pymc(functions, lower, upper):
    # a Python float would become a float32 constant there, with a log of seven digits
    bounds = [np.float64(v) if math.isfinite(v) else None for v in (lower, upper)]
    peer = IntervalTransform(lambda *_: tuple(bounds))
    # PyMC's own rounding: its values are differences of numbers of the size of the bounds
    for name in ("backward", "log_jac_det"):
        expected = getattr(peer, name)(pt.constant(VALUES)).eval()
        got = functions[name](VALUES, lower, upper)
        np.testing.assert_allclose(got, expected, rtol=1e-14, atol=1e-14)
    inside = functions["backward"](VALUES[1:-1], lower, upper)
    expected = peer.forward(pt.constant(inside)).eval()
    np.testing.assert_allclose(functions["forward"](inside, lower, upper), expected, rtol=1e-13)


@pytest.mark.parametrize(("lower", "upper"), [*BOUNDS[:4], (0.0, 1e-300)])
def test_round_trip(functions, lower, upper):
    values = np.linspace(-8, 8, 9)
    inside = functions["backward"](values, lower, upper)
    back = functions["forward"](inside, lower, upper)
    # a point at relative distance exp(-8) from a bound has lost exp(8) of its digits
    np.testing.assert_allclose(back, values, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("lower", "upper"), [*BOUNDS, (-8e307, 8e307), (1.0, 1.0 + 2**-50)])
def test_log_jac_det_is_the_slope(functions, lower, upper):
    slope, *rest = functions["gradients"](VALUES, lower, upper)
    log_slope = functions["log_jac_det"](VALUES, lower, upper)
    # the log's own rounding is of its size; a slope of 1e-300 exp(-30) is subnormal, of whole units
    units = 4 * 5e-324 / abs(slope)
    error = abs(log_slope - np.log(abs(slope)))
    assert (error <= 1e-12 + 1e-14 * abs(log_slope) + units).all()
    for gradient in rest:
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("linker", ["NUMBA", "C"])
@pytest.mark.parametrize(("lower", "upper"), BOUNDS)
def test_gradients_are_finite_without_rewrites(linker, lower, upper):
    value = pt.dscalar()
    bounds = [pytensor.shared(np.asarray(v)) for v in (lower, upper)]
    transform = SafeInterval(lambda *inputs: inputs)
    total = transform.log_jac_det(value, *bounds) + transform.backward(value, *bounds)
    function = pytensor.function([value], pt.grad(total, [value, *bounds]), mode=linker)
    for v in VALUES:
        assert np.isfinite(function(v)).all()


@pytest.mark.parametrize("mode", GRAPH_MODES)
def test_single_precision_stays_between_bounds_in_double(mode):
    """The dtype is the value's; where rounding leaves the bounds, the next number inside."""
    rng = np.random.default_rng(5)
    size = 10.0 ** rng.uniform(-44, 38, 3000)
    lower = np.concatenate([size * rng.choice([-1, 1], 3000), [0.0, -1e-45, 0.7, 1.0, -1.0]])
    # two to four of the numbers of single precision lie between, also next to a power of 2
    spacing = np.spacing(abs(lower).astype("float32")).astype("float64")
    upper = lower + rng.uniform(2, 3, lower.size) * spacing
    upper[::7] = INF
    lower[1::7] = -INF
    value = np.tile(np.float32([-100, -20, -1, 0, 1, 20, 80]), (lower.size, 1)).T
    inputs = [pt.fmatrix("value"), pt.dvector("lower"), pt.dvector("upper")]
    transform = SafeInterval(lambda *inputs: inputs)
    backward = transform.backward(*inputs)
    outputs = [
        backward,
        transform.forward(*inputs),
        transform.log_jac_det(*inputs),
        pt.grad(backward.sum(), inputs[0]),
    ]
    with pytensor.config.change_flags(floatX="float32"):
        results = pytensor.function(inputs, outputs, mode=mode)(value, lower, upper)
    assert {result.dtype for result in results[:3]} == {np.dtype("float32")}
    inside = results[0].astype("float64")
    assert (inside >= lower).all()
    assert (inside <= upper).all()
    assert np.isfinite(results[3]).all()


def test_a_whole_number_is_a_value():
    transform = SafeInterval(lambda: (0.0, 4.0))
    for value in (1, np.array(1), 1.0):
        found = transform.forward(value)
        assert found.dtype == "float64"
        np.testing.assert_allclose(found.eval(), -math.log(3), rtol=1e-15)


# the width of an interval must be a float
floats = st.floats(-8e307, 8e307)


@settings(max_examples=400, deadline=None)
@given(st.floats(-1e6, 1e6), floats, st.one_of(floats, st.just(INF)))
@example(-800.0, -8e307, 8e307)
@example(3.0, -8e307, 8e307)
@example(0.1, 0.0, 5e-324)
@example(-0.1, 1e-323, 1.5e-323)
@example(-0.1, 1.0, 1.0 + 2**-52)
def test_never_outside_the_bounds(functions, value, low, high):
    if low == high:
        return
    lower, upper = min(low, high), max(low, high)
    (got,) = functions["backward"]([value], lower, upper)
    assert lower <= got <= upper
    if upper < INF and value != 0:  # 0 is counted to one side
        (mirrored,) = functions["backward"]([-value], -upper, -lower)
        assert mirrored == -got
        log_jac = functions["log_jac_det"](np.clip([value], -700, 700), lower, upper)
        assert np.isfinite(log_jac).all()


@pytest.fixture(scope="module")
def interior():
    point, lower, upper = pt.dscalars("point", "lower", "upper")
    return pytensor.function([point, lower, upper], interior_point(point, lower, upper, "float64"))


@settings(max_examples=400, deadline=None)
@given(floats, floats, st.one_of(floats, st.just(INF)))
@example(0.0, 0.0, 1e-323)
@example(0.0, 1.0, 1.0 + 2**-51)
@example(1e308, -8e307, 8e307)
@example(0.0, 0.0, INF)
@example(0.0, -1e-320, 1e-310)
def test_interior_point_is_strictly_inside(interior, point, low, high):
    lower, upper = min(low, high), max(low, high)
    if math.nextafter(lower, INF) >= upper:  # nothing lies between
        return
    got = interior(point, lower, upper)
    assert lower < got < upper
    if lower + 1e-9 * abs(lower) + 1e-300 < point < upper - 1e-9 * abs(upper) - 1e-300:
        assert got == point
