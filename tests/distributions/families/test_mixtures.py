"""Mixtures under truncation: their law, their points of probability, what they become in a model.

The mixtures that PyMC has a name for are judged in ``tests/accuracy/test_families.py``.
"""

import cloudpickle
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from mpmath import mp
from pymc.distributions.moments import mean
from pymc.logprob.utils import ParameterValueError
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.op import RandomVariable
from scipy import stats

from pymc_safetrunc.distributions.families import quadrature
from pymc_safetrunc.distributions.truncated import Truncated
from tests.accuracy.families import budget, evaluation

pytestmark = pytest.mark.usefixtures("without_c")

INF = np.inf
# Interpreted: compiling a mixture takes longer than all it is asked here.
PLAIN = pytensor.compile.mode.Mode(linker="py", optimizer="merge")
K = np.arange(0, 40)
BOUNDS = np.array([[-INF, INF], [0.5, 9.0], [4, 4], [5, 30], [1.2, 3.9]])


def three_ways():
    """A point, a family and one that is truncated itself, and their probabilities of K."""
    rv = pm.Mixture.dist(
        [0.2, 0.5, 0.3],
        [
            pm.DiracDelta.dist(4),
            pm.Geometric.dist(0.2),
            Truncated.dist(pm.Geometric.dist(0.4), lower=2, upper=6),
        ],
    )
    geometric = stats.geom(0.4)
    inner = geometric.pmf(K) * ((K >= 2) & (K <= 6)) / (geometric.cdf(6) - geometric.cdf(1))
    return rv, 0.2 * (K == 4) + 0.5 * stats.geom(0.2).pmf(K) + 0.3 * inner


def in_a_mixture():
    """A mixture as a component of another."""
    inner = pm.Mixture.dist([0.4, 0.6], pm.Geometric.dist([0.2, 0.5]))
    rv = pm.Mixture.dist([0.3, 0.7], [pm.DiracDelta.dist(0), inner])
    geometric = 0.4 * stats.geom(0.2).pmf(K) + 0.6 * stats.geom(0.5).pmf(K)
    return rv, 0.3 * (K == 0) + 0.7 * geometric


def test_counts_against_their_probabilities():
    lower, upper = pt.dvectors("lower", "upper")
    laws, probabilities = zip(three_ways(), in_a_mixture(), strict=True)
    outputs = []
    for law in laws:
        truncated = Truncated.dist(law, lower[:, None], upper[:, None])
        outputs += [pm.logp(truncated, K), pm.logcdf(truncated, K)]
    got = pytensor.function([lower, upper], outputs, mode=PLAIN)(*BOUNDS.T)
    for i, p in enumerate(probabilities):
        inside = np.where((BOUNDS[:, :1] <= K) & (BOUNDS[:, 1:] >= K), p, 0)
        # beyond K the geometric laws have 1e-4 left in the first row, which has no bounds
        left = np.where(np.isinf(BOUNDS[:, 1]), 1 - p.sum(), 0)
        expected = inside / (inside.sum(axis=1) + left)[:, None]
        # sums of probabilities of scipy's: their own rounding
        np.testing.assert_allclose(np.exp(got[2 * i]), expected, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(
            np.exp(got[2 * i + 1]), expected.cumsum(axis=1), rtol=1e-12, atol=1e-14
        )


HURDLE = {"psi": 0.6, "mu": 0.5, "sigma": 1.2}
# the point at 0 is alone, on a bound, inside, outside
# and with next to nothing of the family beside it
HURDLE_BOUNDS = np.array([[-1.0, 0.0], [0.0, 2.0], [-1.0, INF], [1e-3, 2.0], [-1.0, 1e-15]])


def test_a_point_in_a_continuous_law():
    lower, upper = pt.dvectors("lower", "upper")
    value = np.array([-0.5, 0.0, 1e-16, 0.5, 3.0])
    q = np.array([0.1, 0.35, 0.7, 0.95])
    law = Truncated.dist(pm.HurdleLogNormal.dist(**HURDLE), lower[:, None], upper[:, None])
    logp = pm.logp(law, value)
    # what is -inf is left out before the gradient, as a likelihood has none of it
    known = pt.switch(pt.isinf(logp), 0, logp).sum()
    outputs = [
        *(logp, pm.logcdf(law, value), pm.icdf(law, q)),
        *pt.grad(known, [lower, upper]),
    ]
    got = pytensor.function([lower, upper], outputs, mode=PLAIN)(*HURDLE_BOUNDS.T)
    logp, logcdf, quantile, *slopes = got
    family = stats.lognorm(s=1.2, scale=np.exp(0.5))
    low, high = HURDLE_BOUNDS.T[..., None]
    at_zero = 0.4 * ((low <= 0) & (high >= 0))
    mass = at_zero + 0.6 * (family.cdf(high) - family.cdf(low))
    density = np.where(value == 0, at_zero, 0.6 * family.pdf(value))
    density = np.where((value >= low) & (value <= high), density, 0)
    np.testing.assert_allclose(np.exp(logp), density / mass, rtol=1e-13)
    below = at_zero * (value >= 0) + 0.6 * (
        family.cdf(np.minimum(value, high)) - family.cdf(np.minimum(low, value))
    )
    np.testing.assert_allclose(np.exp(logcdf), below / mass, rtol=1e-12, atol=1e-15)
    reached = at_zero * (quantile >= 0) + 0.6 * (family.cdf(quantile) - family.cdf(low))
    continuous = quantile != 0
    expected = np.broadcast_to(q, reached.shape)
    np.testing.assert_allclose((reached / mass)[continuous], expected[continuous], rtol=1e-11)
    # at the point the law jumps over q
    below_zero = 0.6 * (family.cdf(0) - family.cdf(low)) / mass
    assert ((below_zero <= q) & (q <= below_zero + at_zero / mass))[~continuous].all()
    np.testing.assert_array_equal(continuous.sum(axis=1), [0, 2, 2, 4, 0])
    assert np.isfinite(slopes).all()
    # a bound's derivative is density over mass, however small
    expected = -0.6 * family.pdf(1e-15) / mass[4] * np.isfinite(logp[4]).sum()
    np.testing.assert_allclose(slopes[1][4], expected, rtol=1e-10)


def categorical(w, p):
    return pm.Mixture.dist(w, [pm.Categorical.dist(row) for row in p])


P = np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]])
X_POINTS, HEIGHTS = np.array([0.0, 1.0, 3.0]), np.array([0.0, 1.0, 0.0])


def test_components_whose_parameters_have_axes():
    """A law of probabilities or of points: in a list, as a batch, beside another family."""
    w = np.array([0.3, 0.7])
    k, x = np.array([1, 2]), np.array([0.5, 2.0])
    triangle = pm.Interpolated.dist(X_POINTS, HEIGHTS)
    rows = np.array([[0.3, 0.7], [0.9, 0.1]])
    batch = pm.Mixture.dist(rows, pm.Categorical.dist(np.stack([P, P[::-1]])))
    laws = [
        (categorical(w, P), k),
        (pm.Mixture.dist(w, pm.Categorical.dist(P)), k),
        (batch, k),
        (pm.Mixture.dist(w, [triangle, pm.Exponential.dist(1.0)]), x),
    ]
    found = [pm.logp(Truncated.dist(law, 0.25, 2.5), value) for law, value in laws]
    *counts, of_batch, real = pytensor.function([], found, mode=PLAIN)()
    p = w @ P
    for got in counts:
        np.testing.assert_allclose(np.exp(got), p[k] / p[1:3].sum(), rtol=1e-13)
    second = rows[1] @ P[::-1]
    expected = [p[1] / p[1:3].sum(), second[2] / second[1:3].sum()]
    np.testing.assert_allclose(np.exp(of_batch), expected, rtol=1e-13)
    # a triangle of area 3/2 from 0 over 1 to 3
    mass = 0.3 * (1 - (0.25**2 / 2 + 0.5**2 / 4) / 1.5) + 0.7 * (np.exp(-0.25) - np.exp(-2.5))
    density = 0.3 * np.array([0.5, 0.5]) / 1.5 + 0.7 * np.exp(-x)
    np.testing.assert_allclose(np.exp(real), density / mass, rtol=1e-13)
    draws = pm.draw(Truncated.dist(categorical(w, P), 0.25, 2.5), 50, random_seed=2)
    assert set(draws) == {1, 2}


def test_a_component_is_integrated_once():
    """Where the bounds are data, mass and density share one search."""
    lower = pytensor.shared(0.5)
    alpha = pt.dscalar()
    parts = [pm.Gamma.dist(alpha, 1.0), pm.Gamma.dist(2 * alpha, 1.0)]
    logp = pm.logp(Truncated.dist(pm.Mixture.dist([0.3, 0.7], parts), lower, 5), [1.0, 2.0])
    graph = pytensor.function([alpha], logp, mode=PLAIN).maker.fgraph
    searches = sum("Regrid" in str(node.op) for node in graph.apply_nodes)
    assert searches == len(parts) * quadrature.LOOKS


def test_far_tail_with_gradients():
    """Thirty sigma out, where one component has all the mass, and at a tie of two of them."""
    p, spread, lower = pt.dscalars("p", "spread", "lower")
    # mu = 0 and 3, so that the first is the larger from 30 on only where it is the wider
    mixture = pm.NormalMixture.dist(w=pt.stack([1 - p, p]), mu=[0.0, 3.0], sigma=[1.0, spread])
    logp = pm.logp(Truncated.dist(mixture, lower=lower), lower + 0.01)
    slopes = pt.grad(logp, [p, spread, lower])
    f = pytensor.function([p, spread, lower], [logp, *slopes], mode=PLAIN)

    def exact(p, spread, lower):
        def density(x):
            return (1 - p) * mp.npdf(x) + p * mp.npdf(x, 3, spread)

        def tail(x):
            return mp.erfc(x / mp.sqrt(2)) / 2

        mass = (1 - p) * tail(lower) + p * tail((lower - 3) / spread)
        return mp.log(density(lower + mp.mpf("0.01")) / mass)

    for point in [(0.25, 0.9, 30.0), (1e-9, 0.9, 30.0), (0.5, 0.5, 6.0), (0.75, 0.5, -40.0)]:
        got = f(*point)
        with mp.workdps(60):
            expected = [exact(*map(mp.mpf, point))]
            for i in range(3):
                step = [mp.mpf("1e-20") * (i == j) for j in range(3)]
                ends = [
                    exact(*(mp.mpf(x) + s * h for x, h in zip(point, step, strict=True)))
                    for s in (1, -1)
                ]
                expected.append((ends[0] - ends[1]) / mp.mpf("2e-20"))
        # value = lower + 0.01 is rounded, at a slope of 30
        np.testing.assert_allclose(got, np.array(expected, float), rtol=1e-9, atol=1e-12)


def test_a_mixture_of_a_family_with_itself_is_that_family():
    """All cases of the family's own truth, by mass and density in place of the anchored form."""

    def mixed(law, **bounds):
        return Truncated.dist(pm.Mixture.dist([0.25, 0.75], [law, law]), **bounds)

    table, got = evaluation.evaluated("Exponential", mixed, "NUMBA")
    for column, numbers in got.items():
        errors = budget.errors(table, column, numbers)
        assert errors.max() < budget.limit("Exponential", column), budget.worst(table, errors)


@pytest.mark.soak
def test_draws():
    """Right law in body, tail and beside the point, by one compiled function."""
    n = 4000
    counts, probabilities = three_ways()
    pair = pm.NormalMixture.dist(w=[0.2, 0.8], mu=[-3.0, 2.0], sigma=[1.0, 0.5])
    laws = [
        Truncated.dist(counts, 3, 8, size=n),
        Truncated.dist(pair, -4, 1.5, size=n),
        Truncated.dist(pair, 40, size=n),
        Truncated.dist(pm.HurdleLogNormal.dist(**HURDLE), upper=3.0, size=n),
    ]
    tally, body, tail, hurdle = pm.draw(laws, random_seed=20)
    inside = probabilities[3:9] / probabilities[3:9].sum()
    assert stats.chisquare(np.bincount(tally, minlength=9)[3:], inside * n).pvalue > 0.01
    parts = [stats.norm(-3, 1), stats.norm(2, 0.5)]

    def cdf(x):
        return 0.2 * parts[0].cdf(x) + 0.8 * parts[1].cdf(x)

    whole = cdf(1.5) - cdf(-4)
    assert stats.kstest(body, lambda x: (cdf(x) - cdf(-4)) / whole).pvalue > 0.01
    # only the wider component reaches there, and falls as exp(-43 x) at first
    assert (tail >= 40).all()
    exact = stats.norm(-3, 1)
    assert stats.kstest(tail, lambda x: 1 - np.exp(exact.logsf(x) - exact.logsf(40))).pvalue > 0.01
    family = stats.lognorm(s=1.2, scale=np.exp(0.5))
    at_zero = 0.4 / (0.4 + 0.6 * family.cdf(3))
    assert stats.binomtest(int((hurdle == 0).sum()), n, at_zero).pvalue > 0.01
    above = hurdle[hurdle > 0]
    assert stats.kstest(above, lambda x: family.cdf(x) / family.cdf(3)).pvalue > 0.01
    assert above.max() <= 3


def test_in_a_model():
    """Flat inputs, starts, transforms, sizes, pickles, and the mean."""
    with pm.Model() as model:
        psi = pm.Beta("psi", 2, 2)
        w = pm.Dirichlet("w", [1.0, 1.0])
        Truncated("zeros", pm.ZeroInflatedPoisson.dist(psi, 3.0), upper=5, observed=[0, 1, 5])
        Truncated("amount", pm.HurdleLogNormal.dist(psi, 0.0, 1.0), upper=2.0)
        Truncated("x", pm.NormalMixture.dist(w=w, mu=[-3.0, 2.0], sigma=1.0), 0, 1, shape=(2, 3))
    model = cloudpickle.loads(cloudpickle.dumps(model))
    for name in ("zeros", "amount", "x"):
        node = model[name].owner
        drawn = [v.owner for v in ancestors(node.inputs) if v.owner is not None]
        names = {n.op.name for n in drawn if isinstance(n.op, RandomVariable)}
        assert names <= {"beta", "dirichlet"}
    assert model.rvs_to_transforms[model["amount"]] is None
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        start = model.initial_point()
    assert 0 < start["amount"] <= 2.0
    assert start["x_interval__"].shape == (2, 3)
    assert np.isfinite(model.compile_logp(mode=PLAIN)(start))
    assert np.isfinite(model.compile_dlogp(mode=PLAIN)(start)).all()
    two = Truncated.dist(pm.Mixture.dist([0.5, 0.5], pm.Exponential.dist([1.0, 4.0])), upper=2.0)
    resized = pm.draw(two, draws=3, random_seed=1)
    assert resized.shape == (3,)
    assert len(set(resized)) == 3
    means = [stats.truncexpon(2 * rate, scale=1 / rate) for rate in (1.0, 4.0)]
    mass = -np.expm1(-2 * np.array([1.0, 4.0]))
    expected = (mass * [law.mean() for law in means]).sum() / mass.sum()
    np.testing.assert_allclose(mean(two).eval(mode=PLAIN), expected, rtol=1e-13)


def test_a_point_alone():
    law = Truncated.dist(pm.DiracDelta.dist(3), lower=2)
    logp, draw, q = pytensor.function([], [pm.logp(law, [3, 4]), law, pm.icdf(law, 0.3)])()
    assert (logp == [0, -INF]).all()
    assert draw == q == 3
    with pytest.raises(ValueError, match="outside the support"):
        Truncated.dist(pm.DiracDelta.dist(3), lower=4)


def test_bounds_without_mass():
    """Between two components with an end each, nothing; the mixture's support has no gap."""
    parts = [pm.Uniform.dist(0, 1), pm.Uniform.dist(3, 4)]
    law = Truncated.dist(pm.Mixture.dist([0.5, 0.5], parts), lower=1.5, upper=2.5)
    with pytest.raises(ParameterValueError, match="a component of the mixture has mass"):
        pm.logp(law, 2.0).eval()
    with pytest.raises(ParameterValueError, match="a component of the mixture has mass"):
        pm.draw(law)


def test_refusals():
    point, family = pm.DiracDelta.dist(0.0), pm.Exponential.dist(1.0)
    weights = pt.dvector("weights")
    with pytest.raises(NotImplementedError, match="how many components"):
        Truncated.dist(pm.Mixture.dist(weights, pm.Exponential.dist(pt.dvector())), upper=1)
    vectors = [pm.MvNormal.dist([0, 0], np.eye(2)) for _ in range(2)]
    with pytest.raises(NotImplementedError, match="multivariate"):
        Truncated.dist(pm.Mixture.dist([0.5, 0.5], vectors), upper=1)
    hurdle = Truncated.dist(pm.Mixture.dist([0.5, 0.5], [point, family]), upper=1)
    with pytest.raises(NotImplementedError, match="point of probability"):
        Truncated.dist(pm.Mixture.dist([0.5, 0.5], [hurdle, family]), upper=1)
    censored = pm.Censored.dist(family, lower=1, upper=None)
    with pytest.raises(NotImplementedError, match="component Censored"):
        Truncated.dist(pm.Mixture.dist([0.5, 0.5], [censored, family]), upper=1)
    rounded = pm.Truncated.dist(pm.Geometric.dist(0.4), lower=2)
    assert rounded.dtype == "float64"
    with pytest.raises(NotImplementedError, match="counts or of real numbers"):
        Truncated.dist(pm.Mixture.dist([0.5, 0.5], [rounded, family]), upper=1)
    three = Truncated.dist(pm.Mixture.dist([0.3, 0.3, 0.4], [point, family, family]), upper=1)
    with pytest.raises(NotImplementedError, match="one family beside one point"):
        pm.icdf(three, 0.5)
    with pytest.raises(ParameterValueError, match="weights"):
        pm.logp(Truncated.dist(pm.HurdleLogNormal.dist(1.5, 0, 1), upper=1), 0.5).eval()
