"""The general form of truncation: what the rule resolves, what it refuses, where it puts draws."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from mpmath import mp
from pymc.logprob.utils import ParameterValueError
from pytensor.graph.traversal import ancestors
from scipy import integrate, special, stats

from pymc_safetrunc.distributions.families import quadrature
from pymc_safetrunc.distributions.families.by_quadrature import log_student_t
from pymc_safetrunc.distributions.truncated import Truncated, law_of
from pymc_safetrunc.kernels import quadrature as kernels
from pymc_safetrunc.ops.quadrature import log_slope, node, node_to_upper, place_of_share, regrid
from tests.accuracy.test_families import judge
from tests.backends import GRAPH_MODES, compiled

INF = np.inf
# Interpreted: what is evaluated once is not worth compiling.
PLAIN = pytensor.compile.mode.Mode(linker="py", optimizer=None)


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


def test_illegal_parameters_are_told_before_an_unresolved_density():
    law = Truncated.dist(pm.Gamma.dist(-2.0, 1.0), lower=1.0)
    for output in (pm.logp(law, 2.0), pm.icdf(law, 0.5)):
        with pytest.raises(ParameterValueError, match="alpha > 0, beta > 0"):
            output.eval(mode=PLAIN)


def test_an_unresolved_density_is_an_error(laplace_pair):
    """Compiled, with the first entry that is not resolved: of the first pair both peaks are one."""
    message = (
        r"Pair has a density .* does not resolve .* Allowed is one peak.* pm\.Mixture\. "
        r"Given: lower=-3\.5, upper=inf in entry \(1,\), the first of 2 such entries\."
    )
    lower = np.array([-INF, -3.5, -INF])
    with pytest.raises(ParameterValueError, match=message):
        laplace_pair(np.array([0.0, 1e9, 1e9]), lower, np.array([INF, INF, INF]))


def test_derivatives_are_finite_next_to_an_edge():
    """There the log-density's own derivative overflows, in a tail that has no part in the mass.

    A Wald law that is moved with its bounds and the value stays the same: the four add up to 0.
    """
    alpha, lower, upper, value = pt.dvectors("alpha", "lower", "upper", "value")
    law = Truncated.dist(pm.Wald.dist(mu=1.0, lam=1.0, alpha=alpha), lower, upper)
    logp = pm.logp(law, value)
    inputs = [alpha, lower, upper, value]
    gradient = pytensor.function(inputs, pt.grad(logp.sum(), inputs), mode=PLAIN)
    low, high = np.array([[0.0, 1.0], [0.5, INF], [-INF, 0.04], [15.0, INF]]).T
    found = gradient(np.zeros(4), low, high, np.array([0.5, 0.7, 0.03, 16.0]))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(sum(found), 0.0, atol=1e-9)


@pytest.mark.parametrize("draw", [False, True])
def test_mass_that_lies_below_the_smallest_number_is_an_error(draw):
    """A tenth of Gamma(0.003) lies below 1e-300, where there is no number to look at.

    The error has the parameters as the user writes them.
    """
    alpha, beta = pt.dscalars("alpha", "beta")
    law = Truncated.dist(pm.Gamma.dist(alpha, beta), lower=0.0, upper=1.5)
    unresolved = pm.icdf(law, 0.5) if draw else pm.logp(law, 0.5)
    message = r"Gamma has a density .* Given: alpha=0\.003, beta=4, lower=0, upper=1\.5\."
    with pytest.raises(ParameterValueError, match=message):
        unresolved.eval({alpha: 0.003, beta: 4.0}, mode=PLAIN)


def test_the_error_counts_what_has_no_names():
    law = pm.CustomDist.dist(50.0, 2.0, logp=lambda x, m, s: -abs(abs(x) - m) / s)
    unresolved = pm.logp(Truncated.dist(law, lower=-INF, upper=1e6), 1.0)
    with pytest.raises(ParameterValueError, match=r"Given: parameter 1=50, parameter 2=2, lower"):
        unresolved.eval(mode=PLAIN)


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


def test_a_skew_normal_with_a_steep_side():
    """Its two scales, sigma and sigma/alpha, by Owen's T; cells of one side have held both."""
    alpha = np.array([130.0, 145.0, -147.0, 200.0, -800.0, 1e5, -470.0])
    lower = np.array([-0.01, -0.0103, -INF, -0.5, -8.0, -INF, -8.0])
    upper = np.array([INF, INF, 1.36, 2.0, 1.0, 1.0, 0.0045])
    value = np.array([0.5, 0.0, -0.5, 1.0, 1e-3, 1e-5, -0.5])

    def below(x):
        x = np.clip(x, -40, 40)
        return special.ndtr(x) - 2 * special.owens_t(x, alpha)

    law = Truncated.dist(pm.SkewNormal.dist(mu=0, sigma=1, alpha=alpha), lower, upper)
    found = pm.logp(law, value).eval(mode=PLAIN)
    density = np.log(2) + stats.norm.logpdf(value) + special.log_ndtr(alpha * value)
    # the bar is 1e-9; what is left is rounding
    exact = density - np.log(below(upper) - below(lower))
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-13)


def log_gamma(x, a):
    """Log of x^a exp(-x)/Gamma(a)."""
    return a * mp.log(x) - x - mp.loggamma(a)


def log_beta(x, a, b):
    """Log of x^a (1 - x)^b/B(a, b)."""
    log_norm = mp.loggamma(a + b) - mp.loggamma(a) - mp.loggamma(b)
    return log_norm + a * mp.log(x) + b * mp.log1p(-x)


# Laws of a shape a, their log-density, and the standard deviation where a is large, around 1/3.
LARGE_SHAPES = {
    "Gamma": (lambda a: pm.Gamma.dist(a, 3 * a), lambda x, a: log_gamma(3 * a * x, a) - mp.log(x)),
    "InverseGamma": (
        lambda a: pm.InverseGamma.dist(a, a / 3),
        lambda x, a: log_gamma(a / 3 / x, a) - mp.log(x),
    ),
    "Beta": (
        lambda a: pm.Beta.dist(a, 2 * a),
        lambda x, a: log_beta(x, a, 2 * a) - mp.log(x) - mp.log1p(-x),
    ),
    "StudentT": (
        lambda a: pm.StudentT.dist(nu=a, mu=1 / 3, sigma=1 / (3 * pt.sqrt(a))),
        lambda x, a: mp.log(a) / 2 - (a + 1) / 2 * mp.log1p((3 * x - 1) ** 2),
    ),
}


@pytest.mark.parametrize("name", LARGE_SHAPES)
def test_large_shapes(name):
    """A shape of 1e8 keeps its digits, in the log-density and in the gradients."""
    shapes = np.array([1e-2, 1e4, 1e6, 1e8])
    law, log_density = LARGE_SHAPES[name]
    width = np.minimum(1 / np.sqrt(shapes), 0.3) / 3
    lower, upper, value = 1 / 3 - width, 1 / 3 + 2 * width, 1 / 3 + 0.4 * width
    a, x = pt.dvectors("a", "x")
    logp = pm.logp(Truncated.dist(law(a), lower, upper), x)
    found = pytensor.function([a, x], [logp, *pt.grad(logp.sum(), [a, x])], mode=PLAIN)
    rows = np.transpose(found(shapes, value))
    with mp.workdps(40):

        def exact(a, x, *ends):
            # relative to the density at x
            here = log_density(x, a)
            mass = mp.quad(lambda t: mp.exp(log_density(t, a) - here), mp.linspace(*ends, 3))
            return -mp.log(mass)

        for row, at, *numbers in zip(rows, shapes, value, lower, upper, strict=True):
            at, x, *ends = map(mp.mpf, (at, *numbers))
            h = mp.mpf("1e-9")
            by_shape = (exact(at * (1 + h), x, *ends) - exact(at * (1 - h), x, *ends)) / (2 * h)
            by_value = mp.diff(lambda t, at=at: log_density(t, at), x)
            # the promise is 1e-9 and 1e-6
            np.testing.assert_allclose(row[0], float(exact(at, x, *ends)), rtol=0, atol=1e-11)
            np.testing.assert_allclose(row[1] * float(at), float(by_shape), rtol=0, atol=1e-7)
            np.testing.assert_allclose(row[2], float(by_value), rtol=1e-7)


def test_the_norm_of_student_t():
    """It is what a component weighs in a mixture; between bounds it cancels."""
    nu = np.array([1e-2, 3.0, 1e4, 1e8])
    found = log_student_t(np.float64(0.5), nu, np.float64(1)).eval(mode=PLAIN)
    with mp.workdps(40):
        exact = [
            mp.loggamma((n + 1) / 2)
            - mp.loggamma(n / 2)
            - mp.log(n * mp.pi) / 2
            - (n + 1) / 2 * mp.log1p(1 / (4 * n))
            for n in map(mp.mpf, nu)
        ]
    np.testing.assert_allclose(found, np.array(exact, float), rtol=1e-14)


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


# Law of its parameters by PyMC and by scipy, the parameters, and bounds of which one is infinite:
# in the body, from the edge of the support, in a tail.
DIFFERENTIABLE = {
    "Gamma": (
        lambda a, b: pm.Gamma.dist(a, b),
        lambda a, b: stats.gamma(a, scale=1 / b),
        [2.2, 1.5],
        [(1.0, 4.0), (0.0, 1.5), (6.0, INF)],
    ),
    "Beta": (pm.Beta.dist, stats.beta, [0.7, 2.5], [(0.1, 0.6), (0.0, 0.9), (0.5, 0.95)]),
    "StudentT": (
        lambda nu, sigma: pm.StudentT.dist(nu=nu, mu=0.5, sigma=sigma),
        lambda nu, sigma: stats.t(nu, 0.5, sigma),
        [3.0, 1.5],
        [(-1.0, 4.0), (-INF, -2.0), (2.0, INF)],
    ),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_derivatives_of_quantiles(name, without_c):
    """Against differences of scipy's quantiles: in q, both parameters and both bounds."""
    family, exact, parameters, bounds = DIFFERENTIABLE[name]
    cases = [(q, *parameters, *ends) for ends in bounds for q in (1e-3, 0.4, 0.98)]
    inputs = q, *symbols, lower, upper = pt.dvectors(*"qabcd")
    x = pm.icdf(Truncated.dist(family(*symbols), lower, upper), q)
    found = pytensor.function(inputs, [x, *pt.grad(x.sum(), inputs)], mode=PLAIN)
    x, *slopes = found(*np.transpose(cases))

    def quantile(q, first, second, low, high):
        law = exact(first, second)
        # from the side on which it does not cancel
        if law.cdf(low) > 0.5:
            return law.isf(law.sf(low) - q * (law.sf(low) - law.sf(high)))
        return law.ppf(law.cdf(low) + q * (law.cdf(high) - law.cdf(low)))

    for i, case in enumerate(cases):
        # a probability to 1e-9 is less of a quantile next to an edge
        np.testing.assert_allclose(x[i], quantile(*case), rtol=1e-7)
        for j, slope in enumerate(slopes):
            step = 2e-5 * abs(case[j])
            if step == 0 or np.isinf(step):
                # beyond the edge of the support, or infinite: nothing moves with it
                continue
            near = [[*case[:j], case[j] + s * step, *case[j + 1 :]] for s in (1, -1)]
            by_difference = (quantile(*near[0]) - quantile(*near[1])) / (2 * step)
            # of the order of the step's square; rounding of scipy's quantiles over the step
            np.testing.assert_allclose(slope[i], by_difference, rtol=1e-5, atol=1e-8)


def test_draws_do_without_derivatives():
    """Those of a quantile take room for the whole rule, for each of a million draws."""
    node = Truncated.dist(pm.Gamma.dist(2.0, 1.0), lower=1.0).owner
    law, q = law_of(node.op.base_rv_op, node.inputs), pt.dvector("q")
    quantile, draw = (len(list(ancestors([place(q)]))) for place in (law.quantile, law.draw))
    assert draw < 0.9 * quantile


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


def test_derivatives_in_bounds_next_to_a_height_of_0():
    """Density over mass, from a triangle of area 1: next to either foot, and on a foot."""
    law = pm.Interpolated.dist(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0]))
    lower, upper = pt.dvectors("lower", "upper")
    logp = pm.logp(Truncated.dist(law, lower, upper), 0.7)
    found = pytensor.function([lower, upper], pt.grad(logp.sum(), [lower, upper]), mode=PLAIN)
    low, high = np.array([1.4e-10, 3e-5, 0.25]), 2 - np.array([4e-10, 3e-5, 0.25])
    at_lower, at_upper = found(low, high)
    mass = 1 - (low**2 + (2 - high) ** 2) / 2
    np.testing.assert_allclose(at_lower, low / mass, rtol=1e-14)
    np.testing.assert_allclose(at_upper, -(2 - high) / mass, rtol=1e-14)
    on_foot = found(np.zeros(1), np.full(1, 2.0))
    np.testing.assert_array_equal(on_foot, 0.0)


@pytest.mark.parametrize("mode", ["NUMBA", "JAX"])
def test_the_rows_say_the_same_in_either_form(mode):
    """The loop in Python is what the compiled forms are held to."""
    rng = np.random.default_rng(3)
    u = np.sort(rng.uniform(-9, 9, (5, 25)), axis=-1)
    seen = -(np.abs(u) ** rng.uniform(0.5, 2.5, (5, 1)))
    share = rng.uniform(1, 2, (5, 2, 16, kernels.NODES)) * kernels.WEIGHTS
    series = share @ kernels.LEGENDRE.T
    edges = np.sort(rng.uniform(-9, 9, (5, 2, 17)), axis=-1)
    q = rng.uniform(size=5)
    arguments = (u, seen, edges, series, q[:, None])
    variables = [pt.tensor(dtype="float64", shape=x.shape) for x in arguments]
    outputs = [regrid(*variables[:2], 16), place_of_share(*variables[2:])]
    cells, place = compiled(variables, outputs, mode)(*arguments)
    for i in range(5):
        np.testing.assert_allclose(cells[i], kernels.regrid(u[i], seen[i], 16), atol=1e-9)
        expected = kernels.place_of_share(edges[i], series[i], q[i])
        np.testing.assert_allclose(place[i], expected, atol=1e-9)


@pytest.mark.parametrize("mode", ["CVM", pytest.param("NUMBA", marks=pytest.mark.soak), "JAX"])
def test_the_places_of_nodes_say_the_same_in_either_form(mode):
    """Next to the cut, next to the end and between, of a long, a short and an endless side."""
    u, length, side = (
        x.ravel()
        for x in np.meshgrid([-650.0, -1.5, 0.0, 2.0, 650.0], [1e-9, 3.0, 1e5, INF], [-1.0, 1.0])
    )
    cut, beyond = np.float64(0.25), np.float64(7.0)
    end = cut + side * length
    variables = [pt.constant(x) for x in (u, cut, end, length, side, beyond)]
    t, *rest, sides, to_end = variables
    outputs = [node(t, *rest, sides), node_to_upper(t, to_end, rest[2], sides)]
    found = compiled([], [*outputs, log_slope(t, rest[2])], mode)()
    expected = [
        [
            kernels.node(*row)
            for row in zip(u, np.full_like(u, cut), end, length, side, strict=True)
        ],
        [kernels.node_to_upper(a, beyond, b, c) for a, b, c in zip(u, length, side, strict=True)],
        [kernels.log_slope(a, b) for a, b in zip(u, length, strict=True)],
    ]
    for got, exact in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, exact, rtol=1e-15)
