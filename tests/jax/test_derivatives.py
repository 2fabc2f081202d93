"""JAX's transformations of the compiled log-density: any order, batched, jitted, integers."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

import pymc_safetrunc as pst
from tests import optional

jax = optional.require("jax")

# x, mu, sigma, lower, upper: tail, reflected tail, central, narrow, no bound
POINTS = (
    (10.5, 0.0, 1.0, 10.0, np.inf),
    (-31.0, 1.0, 2.0, -np.inf, -30.0),
    (0.3, 0.2, 1.5, -2.0, 3.0),
    (5.0001, 1.0, 2.0, 5.0, 5.0002),
    (0.3, 0.2, 1.5, -np.inf, np.inf),
)
# The two routes evaluate one set of formulas in different orders.
ROUNDING = 1e-12


@pytest.fixture(scope="module")
def logp():
    from pymc.sampling.jax import get_jaxified_graph

    variables = [pt.dscalar() for _ in range(5)]
    forward = get_jaxified_graph(variables, [pst.math.truncated_normal_logpdf(*variables)])
    return lambda v: forward(*v)[0]


@pytest.fixture(scope="module")
def reference():
    """Gradient and Hessian in (x, mu, sigma) by PyTensor under its default backend."""
    variables = [pt.dscalar() for _ in range(5)]
    free = variables[:3]
    gradient = pt.grad(pst.math.truncated_normal_logpdf(*variables), free)
    hessian = [pt.grad(g, free, disconnected_inputs="ignore") for g in gradient]
    function = pytensor.function(variables, [pt.stack(gradient), pt.stack(hessian)])
    return lambda point: function(*point)


def of_free(logp):
    """The log-density of x, mu and sigma in one array, the bounds in another."""
    return lambda free, bounds: logp([*free, *bounds])


@pytest.mark.parametrize("mode", ["jacfwd", "jacrev"])
def test_gradient_of_a_batch(logp, reference, mode):
    derivative = jax.jit(jax.vmap(getattr(jax, mode)(of_free(logp))))
    points = np.array(POINTS)
    expected = [reference(point)[0] for point in POINTS]
    np.testing.assert_allclose(derivative(points[:, :3], points[:, 3:]), expected, rtol=ROUNDING)


def test_gradient_without_jit(logp, reference):
    got = jax.grad(logp)(list(POINTS[0]))
    np.testing.assert_allclose(got[:3], reference(POINTS[0])[0], rtol=ROUNDING)


@pytest.mark.parametrize("outer", ["jacfwd", "jacrev"])
@pytest.mark.parametrize("inner", ["jacfwd", "jacrev"])
def test_hessian(logp, reference, outer, inner):
    second = jax.jit(getattr(jax, outer)(getattr(jax, inner)(of_free(logp))))
    for point in POINTS:
        expected = reference(point)[1]
        # an entry that nearly cancels is as good as the largest of the matrix
        atol = ROUNDING * np.abs(expected).max()
        got = second(np.array(point[:3]), np.array(point[3:]))
        np.testing.assert_allclose(got, expected, rtol=ROUNDING, atol=atol)


def test_bounds_have_gradients_and_infinite_ones_zero(logp):
    gradients = jax.jit(jax.vmap(jax.grad(logp)))(np.array(POINTS))
    infinite = np.isinf(np.array(POINTS))
    assert (gradients[infinite] == 0).all()
    assert (gradients[:, 3:][~infinite[:, 3:]] != 0).all()


def test_broadcasting_sums_over_what_was_broadcast():
    from pymc.sampling.jax import get_jaxified_graph

    x, mu, sigma = pt.dvector(), pt.dcol(), pt.dscalar()
    logp = pst.math.truncated_normal_logpdf(x, mu, sigma, 0.0, [[np.inf], [9.0]]).sum()
    forward = get_jaxified_graph([x, mu, sigma], [logp])
    point = np.array([0.5, 1.0, 2.0]), np.array([[0.3], [-4.0]]), np.array(1.5)
    gradients = jax.jit(jax.grad(lambda v: forward(*v)[0]))(point)
    expected = pytensor.function([x, mu, sigma], pt.grad(logp, [x, mu, sigma]))(*point)
    for got, truth in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(got, truth, rtol=ROUNDING)


def test_integers_are_computed_with_in_double_precision():
    x, mu, sigma, lower, upper = (pt.lvector() for _ in range(5))
    logp = pst.math.truncated_normal_logpdf(x, mu, sigma, lower, upper)
    values = [np.array([v]) for v in (11, 0, 1, 10, 12)]
    on_jax = pytensor.function([x, mu, sigma, lower, upper], logp, mode="JAX")(*values)
    floats = [v.astype("float64") for v in values]
    expected = pst.math.truncated_normal_logpdf(*floats).eval()
    assert on_jax.dtype == "float64"
    np.testing.assert_allclose(on_jax, expected, rtol=ROUNDING)


def test_ops_take_integers_and_python_numbers():
    from pytensor.link.jax.dispatch import jax_funcify

    from pymc_safetrunc.ops import truncated_normal as ops

    anchor, _, mean_distance, *_ = jax_funcify(ops.normalizer)(0, 1, 0, np.int8(100))
    # E|Z| = sqrt(2/pi)
    np.testing.assert_allclose(anchor + mean_distance, np.sqrt(2 / np.pi), rtol=ROUNDING)


def test_third_derivative_is_nan_not_wrong(logp):
    second = jax.jit(jax.hessian(lambda mu: logp([0.5, mu, 1.0, 0.0, 9.0])))
    assert np.isfinite(second(0.1))
    assert np.isnan(jax.jit(jax.grad(second))(0.1))


@pytest.mark.parametrize(
    "parameters",
    [
        (0.0, -1.0, 0.0, 1.0),
        (0.0, 1.0, 0.0, np.nan),
        (np.nan, 1.0, 0.0, 1.0),
        (0.0, np.inf, 0.0, 1.0),
    ],
)
def test_illegal_parameters_give_nan_beside_legal_ones(logp, parameters):
    batch = np.array([(0.5, *parameters), (0.5, 0.0, 1.0, 0.0, 1.0)])
    values, gradients = jax.jit(jax.vmap(jax.value_and_grad(logp)))(batch)
    assert np.isnan(values[0])
    assert np.isfinite(values[1])
    assert np.isfinite(gradients[1]).all()
