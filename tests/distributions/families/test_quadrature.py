"""The general form of truncation: what the rule resolves, what it refuses, where it puts draws."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.logprob.utils import ParameterValueError
from scipy import integrate, stats

from pymc_safetrunc.distributions.families import quadrature
from pymc_safetrunc.distributions.truncated import Truncated
from pymc_safetrunc.kernels import quadrature as kernels
from pymc_safetrunc.ops.quadrature import place_of_share, regrid
from tests.accuracy.test_families import judge
from tests.backends import GRAPH_MODES, compiled

INF = np.inf


@pytest.fixture(scope="module", params=GRAPH_MODES)
def laplace_pair(request):
    """Log mass of two peaks 1 wide, `gap` apart, and its derivatives: nothing PyMC has."""
    gap, lower, upper = pt.dvectors("gap", "lower", "upper")

    def log_density(x, to_upper):
        places = pt.shape_padright(gap, 3)
        return pt.logaddexp(-abs(x), -abs(x - places)) - np.log(4.0)

    log_mass = quadrature.log_interval_mass(log_density, lower, upper, gap / 2, name="Pair")
    outputs = [log_mass, *pt.grad(log_mass.sum(), [lower, upper])]
    # not in C within the Ops either, as the fixture without_c says of single tests
    with pytensor.config.change_flags(cxx=""):
        return compiled([gap, lower, upper], outputs, request.param)


def exact_pair(gap, lower, upper):
    law = stats.laplace
    return sum(law.cdf(upper - at) - law.cdf(lower - at) for at in (0, gap)) / 2


@pytest.mark.soak
def test_a_density_of_ones_own(laplace_pair):
    """The peaks are one, at the cut, inside and outside the bounds; the bounds near each other."""
    gap, lower, upper = np.array([[0.0, -INF, INF], [0.0, -1, 2], [0.0, 0.5, 0.5 + 1e-9]]).T
    log_mass, at_lower, at_upper = laplace_pair(gap, lower, upper)
    exact = [exact_pair(*case) for case in zip(gap, lower, upper, strict=True)]
    exact[2] = np.exp(-0.5) * (upper - lower)[2] / 2
    np.testing.assert_allclose(log_mass, np.log(exact), rtol=1e-9, atol=1e-9)
    density = np.exp(-np.abs([lower, upper])) / 2 / exact
    np.testing.assert_allclose([-at_lower, at_upper], density, rtol=1e-9)


def test_an_unresolved_density_is_an_error(laplace_pair):
    with pytest.raises(ParameterValueError, match=r"Pair has a density .* does not resolve"):
        laplace_pair(np.array([1e9]), np.array([-INF]), np.array([INF]))


def test_mass_that_lies_below_the_smallest_number_is_an_error():
    """A tenth of Gamma(0.003) lies below 1e-300, where there is no number to look at."""
    law = Truncated.dist(pm.Gamma.dist(0.003, 1.0), lower=0.0, upper=1.0)
    with pytest.raises(ParameterValueError, match="Gamma has a density"):
        pm.logp(law, 0.5).eval()


def test_in_a_model_the_error_is_an_impossible_point():
    with pm.Model() as model:
        Truncated("x", pm.Gamma.dist(0.003, 1.0), upper=1.0)
    assert model.compile_logp()({"x_interval__": 0.0}) == -INF


def test_parameters_of_all_observations_are_integrated_once():
    """The search runs over the shape of the parameters, not of the data."""
    alpha = pt.dscalar("alpha")
    law = Truncated.dist(pm.Gamma.dist(alpha, 1.0), lower=1.0, size=1000)
    graph = compiled([alpha], pm.logp(law, np.linspace(1, 5, 1000)), "NUMBA").maker.fgraph
    searches = [n for n in graph.apply_nodes if "Regrid" in str(n.op)]
    assert len(searches) == quadrature.LOOKS
    assert all(np.prod(n.outputs[0].type.shape[:-2]) == 1 for n in searches)


# (law, lower, upper, exact probability below x)
QUANTILES = [
    (pm.Gamma.dist(1.0, 0.5), 300.0, INF, lambda x: -np.expm1((300 - x) * 0.5)),
    (pm.Beta.dist(0.3, 1.0), 0.0, 1e-9, lambda x: (x / 1e-9) ** 0.3),
    (pm.StudentT.dist(1.0, 3.0), 1e50, INF, lambda x: (x - 1e50) / x),
    (pm.StudentT.dist(4.0), -INF, INF, stats.t(4).cdf),
    (pm.InverseGamma.dist(1.0, 2.0), 0.0, 0.02, lambda x: np.exp(100 - 2 / x)),
]


def test_quantiles_against_closed_forms():
    q = np.concatenate([[1e-15, 1e-12, 1e-3], np.linspace(0.05, 0.95, 7), [1 - 1e-9]])
    laws = [Truncated.dist(law, low, high) for law, low, high, _ in QUANTILES]
    found = pytensor.function([], [pm.icdf(law, q) for law in laws])()
    for x, (law, low, high, exact) in zip(found, QUANTILES, strict=True):
        assert ((low <= x) & (x <= high)).all()
        # what the polynomial through a panel's nodes leaves of a mass at its lower end; a distance
        # from the bound that is below the spacing of numbers there
        np.testing.assert_allclose(exact(x), q, rtol=1e-2, atol=1e-13, err_msg=str(law.owner.op))
        np.testing.assert_allclose(exact(x), q, rtol=1e-9, atol=1e-9, err_msg=str(law.owner.op))


def test_a_quantile_outside_the_window_is_an_error():
    law = Truncated.dist(pm.Gamma.dist(2.0, 1.0), lower=1.0)
    with pytest.raises(ParameterValueError, match="q is at least"):
        pm.icdf(law, 1e-30).eval()


# JAX drops every check, of parameters and of shapes, and says so.
@pytest.mark.filterwarnings("ignore:Skipping (Check|Assert)")
@pytest.mark.parametrize("mode", ["JAX", pytest.param("CVM", marks=pytest.mark.soak)])
def test_the_truth_on_other_backends(mode):
    """JAX differentiates by itself: what is held must be so there too."""
    judge("Gamma", mode)


def test_interpolated_against_scipy():
    x_points = np.array([-1.0, 0.0, 2.0, 3.0, 5.0])
    density = np.array([0.0, 2.0, 0.0, 0.0, 1.0])
    scale = integrate.trapezoid(density, x_points)
    law = Truncated.dist(pm.Interpolated.dist(x_points, density), lower=-0.5, upper=4.0)
    # 1 - 1/8 on the first stretch, 2 on the second, nothing on the third, 1/4 on the fourth
    inside = 0.75 + 2.0 + 0.25
    assert scale == 4.0
    q = np.array([0.0, 0.25, 2.75 / 3, 0.99, 1.0])
    x = pm.icdf(law, q).eval()
    np.testing.assert_allclose(x[[0, 1, 4]], [-0.5, 0.0, 4.0], atol=1e-12)
    assert 2.0 - 1e-7 <= x[2] <= 3.0
    np.testing.assert_allclose(x[3], 3 + np.sqrt(4 * (0.99 * inside - 2.75)), rtol=1e-12)
    value = np.array([-0.5, 1.0, 3.5])
    expected = np.log(np.interp(value, x_points, density) / inside)
    np.testing.assert_allclose(pm.logp(law, value).eval(), expected, rtol=1e-13)


@pytest.mark.parametrize("mode", ["NUMBA", "JAX"])
def test_the_rows_say_the_same_in_either_form(mode):
    """The loop in Python is what the compiled forms are held to."""
    rng = np.random.default_rng(3)
    u = np.sort(rng.uniform(-9, 9, (5, 25)), axis=-1)
    seen = -(np.abs(u) ** rng.uniform(0.5, 2.5, (5, 1)))
    share = rng.uniform(1, 2, (5, 2, 16, kernels.NODES)) * kernels.WEIGHTS
    edges = np.sort(rng.uniform(-9, 9, (5, 2, 17)), axis=-1)
    q = rng.uniform(size=5)
    constants = [pt.constant(x) for x in (u, seen, edges, share, q[:, None])]
    outputs = [regrid(*constants[:2], 16), place_of_share(*constants[2:])]
    cells, place = compiled([], outputs, mode)()
    for i in range(5):
        np.testing.assert_allclose(cells[i], kernels.regrid(u[i], seen[i], 16), atol=1e-9)
        expected = kernels.place_of_share(edges[i], share[i], q[i])
        np.testing.assert_allclose(place[i], expected, atol=1e-9)
