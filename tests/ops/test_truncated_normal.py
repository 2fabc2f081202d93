"""The Ops in PyTensor's graphs: lowering, fusion, derivatives of both orders, pickling."""

import multiprocessing
import pickle
import warnings

import cloudpickle
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from mpmath import mp, mpf
from pytensor.gradient import NullTypeGradError, verify_grad
from pytensor.tensor.elemwise import DimShuffle, Elemwise

import pymc_safetrunc as pst
from pymc_safetrunc.ops import truncated_normal as ops
from tests.accuracy import exact
from tests.backends import compiled

INF = np.inf
NAMES = ("x", "mu", "sigma", "lower", "upper")
LAWS = [
    (0.7, 0.3, 1.7, -0.5, 2.5),  # central
    (1.3, 1.0, 0.9, 0.0, INF),  # central, one bound
    (2.2, 0.1, 0.8, 1.9, 4.0),  # tail
    (-3.0, 0.5, 0.6, -INF, -2.9),  # far tail, one bound
    (0.42, 0.3, 1.1, 0.4, 0.45),  # narrow
    (0.35, 0.3, 1.1, 0.2, 1.4),  # series of the second order only
    (-40.0, 0.0, 1.0, -41.0, -39.5),  # far tail, two bounds
]


def scalar_ops(op):
    """Scalar ops inside a node of a compiled graph, fused loops and their reductions unpacked."""
    if isinstance(op, Elemwise):
        return scalar_ops(op.scalar_op)
    if hasattr(op, "fgraph"):
        return [inner for node in op.fgraph.apply_nodes for inner in scalar_ops(node.op)]
    return [op]


def nodes_with(function, op_type):
    """Nodes of the compiled graph that evaluate a scalar op of the type."""
    return [
        node
        for node in function.maker.fgraph.apply_nodes
        if any(isinstance(op, op_type) for op in scalar_ops(node.op))
    ]


@pytest.mark.parametrize("fastmath", [True, False])
def test_no_object_mode(fastmath):
    variables = [pt.dvector(name) for name in NAMES]
    logp = pst.math.truncated_normal_logpdf(*variables)
    d_mu = pt.grad(logp.sum(), variables[1])
    second = pt.grad(d_mu.sum(), variables)
    with warnings.catch_warnings(), pytensor.config.change_flags(numba__fastmath=fastmath):
        warnings.simplefilter("error")
        function = compiled(variables, [logp, *second], "NUMBA")
        function(*(np.array([v]) for v in LAWS[0]))


def test_fastmath_does_not_touch_the_kernels():
    """Distances of neighbours at 1e8 and compensations inside would be reassociated away."""
    rng = np.random.default_rng(8)
    lower = rng.choice([-1, 1], 500) * 10 ** rng.uniform(-2, 8, 500)
    upper = lower + 10 ** rng.uniform(-6, 3, 500)
    sigma, mu = 10 ** rng.uniform(-3, 3, 500), rng.normal(size=500)
    x = lower + rng.random(500) * (upper - lower)
    results = []
    for fastmath in (True, False):
        variables = [pt.dvector() for _ in NAMES]
        _, mu_v, sigma_v, *_ = variables
        normal = Elemwise(ops.normalizer)(*variables[1:])
        outputs = [
            *normal,
            *Elemwise(ops.curvature)(*variables[1:]),
            Elemwise(ops.log_density)(variables[0], mu_v, sigma_v, *normal[:2]),
            Elemwise(ops.distance)(*variables[:3]),
        ]
        with pytensor.config.change_flags(numba__fastmath=fastmath, numba__cache=False):
            results.append(compiled(variables, outputs, "NUMBA")(x, mu, sigma, lower, upper))
    for fast, strict in zip(*results, strict=True):
        np.testing.assert_array_equal(fast, strict)


@pytest.fixture(scope="module")
def likelihood():
    """Data against scalar parameters, and against a vector mu."""
    x, sigma, lower, upper = pt.dvector("x"), *pt.dscalars("sigma", "lower", "upper")

    def build(mu):
        logp = pst.math.truncated_normal_logpdf(x, mu, sigma, lower, upper)
        inputs = [x, mu, sigma, lower, upper]
        return compiled(inputs, [logp.sum(), *pt.grad(logp.sum(), [mu, sigma])], "NUMBA")

    return {"scalar": build(pt.dscalar("mu")), "vector": build(pt.dvector("mu"))}


def test_scalar_parameters_are_normalized_once(likelihood):
    (node,) = nodes_with(likelihood["scalar"], ops.Normalizer)
    assert all(getattr(v.type, "ndim", 0) == 0 for v in node.inputs)


@pytest.mark.parametrize("kind", ["scalar", "vector"])
def test_the_log_density_fuses(likelihood, kind):
    """Value, comparison with the bounds and gradient share one loop beside the normalizer's."""
    loops = [
        node
        for node in likelihood[kind].maker.fgraph.apply_nodes
        if any(getattr(v.type, "ndim", 0) for v in node.inputs)
        and not isinstance(node.op, DimShuffle)
    ]
    (density,) = nodes_with(likelihood[kind], ops.LogDensity)
    names = {type(op).__name__ for op in scalar_ops(density.op)}
    assert {"LogDensity", "Distance", "LT", "GT", "Switch"} <= names
    normalizer = [] if kind == "scalar" else nodes_with(likelihood[kind], ops.Normalizer)
    assert {density, *normalizer} == set(loops)


@pytest.fixture(scope="module", params=["NUMBA", "C"])
def derivatives(request):
    """Gradient and the full matrix of second derivatives in the five arguments."""
    variables = pt.dscalars(*NAMES)
    logp = pst.math.truncated_normal_logpdf(*variables)
    gradient = pt.grad(logp, variables)
    matrix = [pt.grad(g, variables, disconnected_inputs="ignore") for g in gradient]
    return compiled(variables, [*gradient, *(g for row in matrix for g in row)], request.param)


def central_differences(arguments):
    """Gradient and second derivatives of the exact log-density; infinite bounds stay put."""
    with mp.workdps(80):
        step = mpf(10) ** -20
        point = [mpf(v) for v in arguments]

        def at(*moves):
            moved = list(point)
            for i, sign in moves:
                moved[i] += sign * step
            return exact.log_density(*moved)

        here = at()
        gradient = [(at((i, 1)) - at((i, -1))) / (2 * step) for i in range(5)]
        matrix = np.zeros((5, 5))
        for i in range(5):
            for j in range(5):
                if i == j:
                    second = (at((i, 1)) - 2 * here + at((i, -1))) / step**2
                else:
                    signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
                    second = sum(p * q * at((i, p), (j, q)) for p, q in signs) / (4 * step**2)
                matrix[i, j] = float(second)
        return np.array([float(g) for g in gradient]), matrix


@pytest.mark.parametrize("law", LAWS)
def test_derivatives_to_second_order(derivatives, law):
    got = np.array([float(v) for v in derivatives(*law)])
    gradient, matrix = central_differences(law)
    # the budget of tests/accuracy, the scale here being the row's largest entry
    np.testing.assert_allclose(got[:5], gradient, rtol=1e-11, atol=1e-11 * abs(gradient).max())
    np.testing.assert_allclose(
        got[5:].reshape(5, 5), matrix, rtol=1e-8, atol=1e-10 * abs(matrix).max()
    )
    np.testing.assert_allclose(
        got[5:].reshape(5, 5), got[5:].reshape(5, 5).T, rtol=1e-9, atol=1e-12 * abs(matrix).max()
    )


@pytest.mark.parametrize("law", [LAWS[2]])
def test_verify_grad(law):
    verify_grad(
        pst.math.truncated_normal_logpdf,
        [np.full(2, v) for v in law],
        rng=np.random.default_rng(1),
        eps=1e-7,  # within the narrow interval
        rel_tol=1e-3,
    )


def test_verify_grad_of_the_mean():
    verify_grad(
        pst.math.truncated_normal_mean,
        [np.full(2, v) for v in LAWS[2][1:]],
        rng=np.random.default_rng(1),
    )


def test_third_order_is_refused_in_words():
    variables = pt.dscalars(*NAMES)
    logp = pst.math.truncated_normal_logpdf(*variables)
    mu = variables[1]
    second = pt.grad(pt.grad(logp, mu), mu)
    with pytest.raises((NotImplementedError, NullTypeGradError), match="to second order"):
        pt.grad(second, mu)


def evaluate_pickled(text):
    inputs, output = pickle.loads(text)
    return pytensor.function(inputs, output, mode="NUMBA")(*LAWS[2])


@pytest.mark.parametrize("module", [pickle, cloudpickle])
def test_graph_runs_in_a_spawned_process(module):
    variables = pt.dscalars(*NAMES)
    logp = pst.math.truncated_normal_logpdf(*variables)
    text = module.dumps((variables, logp))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        got = pool.apply(evaluate_pickled, (text,))
    assert got == evaluate_pickled(text)
