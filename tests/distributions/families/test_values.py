"""Values that formulas treat apart: constant data, values far beyond a bound, edges."""

import math

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from mpmath import mp, mpf
from pymc.pytensorf import rewrite_pregrad
from scipy import stats

import pymc_safetrunc as pst

INF = math.inf
COUNTS = np.array([5.0, 6, 7, 9, 9, 12, 5, 20, 8, 6, 7, 7] * 8)
SHARES = np.array([-1.2, -0.3, 0.1, 0.9])
SIZES = np.array([5.2, 6.0, 9.5, 700.0])

# distribution of its free parameters, their values, bounds, data: what is constant is written as
# constants, so that nothing of it is evaluated for each observation
CONSTANT = {
    "Poisson": (pm.Poisson.dist, [6.5], (5, 30), COUNTS),
    "Poisson far below": (pm.Poisson.dist, [6e3], (5, 30), COUNTS),
    "Poisson far above": (pm.Poisson.dist, [1e-3], (5, INF), COUNTS),
    "Poisson of large counts": (pm.Poisson.dist, [1e6], (9e5, INF), 1e6 + 300 * COUNTS),
    "Poisson without 0": (pm.Poisson.dist, [2.0], (1, INF), COUNTS),
    "Binomial": (lambda p: pm.Binomial.dist(40, p), [0.3], (5, 30), COUNTS),
    "Binomial near 1": (lambda p: pm.Binomial.dist(40, p), [1 - 1e-9], (5, 30), COUNTS),
    "NegativeBinomial": (
        lambda p, n: pm.NegativeBinomial.dist(p=p, n=n), [0.3, 2.5], (5, 30), COUNTS
    ),
    "Gamma": (pm.Gamma.dist, [2.5, 0.4], (5, 1e4), SIZES),
    "Gamma of a large shape": (pm.Gamma.dist, [1e6, 1e6], (0.1, 9), 1 + SHARES / 1e3),
    "InverseGamma of a large shape": (pm.InverseGamma.dist, [1e6, 1e6], (0.1, 9), 1 + SHARES / 1e3),
    "Beta of large shapes": (pm.Beta.dist, [3e5, 7e5], (0.01, 0.99), 0.3 + SHARES / 1e3),
    "Beta next to 1": (pm.Beta.dist, [2.0, 0.3], (0.01, 1), 1 - 10.0 ** -np.arange(1, 13)),
    "DiscreteWeibull": (pm.DiscreteWeibull.dist, [0.9, 1.3], (5, 30), COUNTS),
    "Pareto above its edge": (pm.Pareto.dist, [2.5, 0.7], (5, 1e4), SIZES),
    "Pareto from its edge": (pm.Pareto.dist, [2.5, 5.1], (5, INF), SIZES),
    "Pareto that begins within the data": (pm.Pareto.dist, [2.5, 5.9], (5, INF), SIZES),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[pytest.mark.soak] if " far " in n or " near " in n else [])
        for n in CONSTANT
    ],
)
def test_constant_data_are_the_same_law(name, without_c):
    """As data that come in through a variable: log-density of each, and gradient."""
    family, values, (lower, upper), data = CONSTANT[name]
    parameters = [pt.dscalar() for _ in values]
    data = data.astype(family(*values).dtype)
    variable = pt.vector(dtype=data.dtype)
    outputs = []
    for x in (variable, pt.constant(data)):
        logp = pm.logp(pst.Truncated.dist(family(*parameters), lower, upper), x)
        total = pt.switch(pt.isfinite(logp), logp, 0).sum()
        outputs += [logp, pt.stack(pt.grad(total, parameters))]
    function = pytensor.function([variable, *parameters], outputs, mode="FAST_COMPILE")
    logp, gradient, logp_of_constants, gradient_of_constants = function(data, *values)
    np.testing.assert_array_equal(np.isinf(logp), np.isinf(logp_of_constants))
    np.testing.assert_allclose(logp_of_constants, logp, rtol=1e-12, atol=1e-12)
    scale = np.abs(gradient) + len(data) / np.array(values)
    assert np.all(np.abs(gradient_of_constants - gradient) < 1e-9 * scale)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (1, 1, 1)])
def test_shapes_of_constant_data(shape, without_c):
    data = COUNTS.astype(int).reshape(-1, 4)
    law = pst.Truncated.dist(pm.NegativeBinomial.dist(p=0.3, n=np.full(shape, 2.5)), 5, 30)
    variable = pt.lmatrix()
    expected = pm.logp(law, variable).eval({variable: data}, mode="FAST_COMPILE")
    got = pm.logp(law, data).eval(mode="FAST_COMPILE")
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-13)


def test_pareto_of_several_edges_and_below_one(without_c):
    """Edges far apart, and a datum below its edge, leave the others as they are."""
    m, data = pt.dvector(), np.array([1e-12, 2e6, 3.0])
    logp = pm.logp(pst.Truncated.dist(pm.Pareto.dist(2.0, m), upper=1e8), data)
    got = logp.eval({m: [1e-13, 1e6, 1.0]}, mode="FAST_COMPILE")
    shares = [stats.pareto(2.0, scale=e).cdf(1e8) for e in (1e-13, 1e6, 1.0)]
    expected = stats.pareto.logpdf(data, 2.0, scale=[1e-13, 1e6, 1.0]) - np.log(shares)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    one, data = pt.dscalar(), np.array([1e-20, 2.0, 3.0])
    logp = pm.logp(pst.Truncated.dist(pm.Pareto.dist(2.0, one), upper=10.0), data)
    gradient = pt.grad(logp[1:].sum(), one)
    got, slope = pytensor.function([one], [logp, gradient], mode="FAST_COMPILE")(1.0)
    expected = stats.pareto.logpdf(data, 2.0) - np.log(0.99)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    # d/dm of 2 log m - log(1 - (m/10)^2), twice
    np.testing.assert_allclose(slope, 2 * (2 + 2 * 0.01 / 0.99), rtol=1e-12)


@pytest.mark.parametrize(
    "dist", [pm.NegativeBinomial.dist(p=0.3, n=2), pm.Poisson.dist(2), pm.Pareto.dist(2, 1)]
)
def test_no_data(dist, without_c):
    empty = np.array([], dtype=dist.dtype)
    assert pm.logp(pst.Truncated.dist(dist, 5, 30), empty).eval(mode="FAST_COMPILE").shape == (0,)


FAR = [
    (pm.Gumbel.dist(0.0, 1.0), stats.gumbel_r(), (5, 3000)),
    (pm.Moyal.dist(0.0, 1.0), stats.moyal(), (5, 600)),
    (pm.Exponential.dist(1.0), stats.expon(), (5, 3000)),
    (pm.Laplace.dist(0.0, 1.0), stats.laplace(), (5, 600)),
    (pm.Logistic.dist(0.0, 1.0), stats.logistic(), (5, 3000)),
    (pm.Cauchy.dist(0.0, 1.0), stats.cauchy(), (5, 1e9)),
    (pm.Weibull.dist(1.5, 1.0), stats.weibull_min(1.5), (2, 300)),
    (pm.LogNormal.dist(0.0, 1.0), stats.lognorm(1.0), (2, 1e30)),
    (pm.HalfNormal.dist(1.0), stats.halfnorm(), (2, 300)),
    (pm.Pareto.dist(2.0, 1.0), stats.pareto(2.0), (5, 1e30)),
]


@pytest.mark.parametrize("case", FAR, ids=lambda case: case[0].owner.op._print_name[0])
def test_a_value_far_beyond_the_bound(case, without_c):
    dist, exact, (lower, value) = case
    got = pm.logp(pst.Truncated.dist(dist, lower=lower), float(value))
    expected = exact.logpdf(value) - exact.logsf(lower)
    np.testing.assert_allclose(got.eval(mode="FAST_COMPILE"), expected, rtol=1e-12)


@pytest.mark.parametrize("lower", [40.0, 2e3, 1e6])
def test_moyal_where_its_root_underflows(lower, without_c):
    """The tail's mass is below the smallest number: its density falls as exp(-x/2)."""
    law = pst.Truncated.dist(pm.Moyal.dist(0.0, 1.0), lower=lower)
    with mp.workdps(40):
        root = mp.exp(-mpf(lower) / 2)
        step = mp.log(mp.npdf(mp.exp(-mpf(lower + 3) / 2)) / mp.erf(root / mp.sqrt(2)) * root)
        expected = float(step - mpf(3) / 2)
    np.testing.assert_allclose(
        pm.logp(law, lower + 3.0).eval(mode="FAST_COMPILE"), expected, rtol=1e-12
    )


EDGES = [
    (pm.LogNormal.dist(0.0, 1.0), 0.0, {"upper": 3.0}),
    (pm.InverseGamma.dist(2.0, 1.0), 0.0, {"upper": 3.0}),
    (pm.Wald.dist(1.0, 1.0), 0.0, {"upper": 3.0}),
    (pm.LogitNormal.dist(0.0, 1.0), 0.0, {"upper": 0.5}),
    (pm.LogitNormal.dist(0.0, 1.0), 1.0, {"lower": 0.5}),
]


@pytest.mark.parametrize(("dist", "edge", "bounds"), EDGES)
def test_an_edge_where_the_density_is_0(dist, edge, bounds, without_c):
    assert pm.logp(pst.Truncated.dist(dist, **bounds), edge).eval(mode="FAST_COMPILE") == -INF


@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_a_beta_with_constant_shapes_and_a_pole_at_1(beta, without_c):
    """Constant folding may not take the distance from 1 out of a node's place."""
    law = pst.Truncated.dist(pm.Beta.dist(2.0, beta), lower=0.1)
    exact = stats.beta(2.0, beta)
    np.testing.assert_allclose(
        pm.logp(law, 0.3).eval(mode="FAST_COMPILE"),
        exact.logpdf(0.3) - exact.logsf(0.1),
        rtol=1e-9,
    )


# Parameters and edges of closed supports, and the law where the density is finite there.
EDGES = {
    "Gamma": [
        ({"alpha": 1.0, "beta": 2.5}, 0.0, stats.expon(scale=0.4)),
        ({"alpha": 0.5, "beta": 2.5}, 0.0, INF),
        ({"alpha": 1.5, "beta": 2.5}, 0.0, -INF),
    ],
    "Beta": [
        ({"alpha": 1.0, "beta": 2.5}, 0.0, stats.beta(1, 2.5)),
        ({"alpha": 2.5, "beta": 1.0}, 1.0, stats.beta(2.5, 1)),
        ({"alpha": 1.0, "beta": 1.0}, 0.0, stats.uniform()),
        ({"alpha": 0.5, "beta": 2.5}, 0.0, INF),
        ({"alpha": 0.5, "beta": 2.5}, 1.0, -INF),
    ],
    "Kumaraswamy": [
        ({"a": 2.5, "b": 1.0}, 1.0, stats.beta(2.5, 1)),
        ({"a": 1.0, "b": 1.0}, 0.0, stats.uniform()),
        ({"a": 1.0, "b": 1.0}, 1.0, stats.uniform()),
        ({"a": 2.0, "b": 0.5}, 1.0, INF),
        ({"a": 2.0, "b": 1.5}, 1.0, -INF),
    ],
}


@pytest.mark.parametrize("name", EDGES)
def test_on_an_edge_of_the_support(name, without_c):
    """The density's limit; where it is finite so are the gradients, and the value's is from inside.

    A shape's derivative is infinite in truth where its power of the distance is 0.
    """
    rows, edges, laws = zip(*EDGES[name], strict=True)
    edges, finite = np.array(edges), np.array([hasattr(law, "pdf") for law in laws])
    variables = {k: pt.dvector(k) for k in rows[0]}
    value, inner = pt.dvector("value"), np.where(edges == 0, 0.5, 0.25)
    law = getattr(pm, name).dist(**variables)
    law = pst.Truncated.dist(law, np.minimum(inner, edges), np.maximum(inner, edges))
    logp = pm.logp(law, value)
    inputs = [value, *variables.values()]
    gradients = pt.grad(rewrite_pregrad(logp[np.flatnonzero(finite)].sum()), inputs)
    function = pytensor.function(inputs, [logp, *gradients], mode="FAST_COMPILE")
    logp, *gradients = function(edges, *(np.array([r[k] for r in rows]) for k in rows[0]))
    np.testing.assert_array_equal(logp[~finite], np.array(laws)[~finite].astype(float))
    assert np.isfinite(gradients).all()
    # the step's own error is of its order
    step = 1e-6
    for i in np.flatnonzero(finite):
        mass = abs(laws[i].cdf(edges[i]) - laws[i].cdf(inner[i]))
        inwards = np.sign(inner[i] - edges[i]) * step
        here, next_to_it = laws[i].logpdf([edges[i], edges[i] + inwards])
        np.testing.assert_allclose(logp[i], here - np.log(mass), rtol=0, atol=1e-9)
        np.testing.assert_allclose(gradients[0][i], (next_to_it - here) / inwards, rtol=1e-5)
