"""`pst.TruncatedNormal` as PyMC users meet it."""

import math

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.logprob.utils import ParameterValueError
from pymc.testing import Domain, Rplusbig, assert_support_point_is_expected, check_logp
from scipy import stats

import pymc_safetrunc as pst
from tests.backends import GRAPH_MODES

INF = np.inf
# one pass of rewriting, interpreted: for what is evaluated once
ONCE = "FAST_COMPILE"

# Draws are PyMC's, which has no Numba form of them; the log-density must not raise this.
drawing = pytest.mark.filterwarnings("ignore:Numba will use object mode to run truncated_normal_rv")


def test_check_logp():
    def reference(value, mu, sigma, lower, upper):
        return stats.truncnorm.logpdf(
            value, (lower - mu) / sigma, (upper - mu) / sigma, loc=mu, scale=sigma
        )

    # lower and upper overlap in no point, so that every combination is legal
    check_logp(
        pst.TruncatedNormal,
        Domain([-INF, -2.1, -0.5, 0.0, 0.5, 2.1, INF]),
        {
            "mu": Domain([-INF, -2.1, 0.0, 1.0, INF]),
            "sigma": Rplusbig,
            "lower": Domain([-INF, -2.5, -2.2, -INF]),
            "upper": Domain([INF, 2.2, 2.5, INF]),
        },
        reference,
        n_samples=60,
        skip_paramdomain_outside_edge_test=True,
    )


@drawing
@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        ({"mu": 0, "sigma": 1, "lower": -1, "upper": 2}, None),
        ({"mu": 1.5, "sigma": 2.0, "lower": 0.25}, 4),
        ({"mu": np.arange(3.0), "sigma": 1.0, "upper": 0.5}, (2, 3)),
        ({"mu": 5.0, "sigma": [1.0, 2.0]}, None),
    ],
)
def test_support_point_is_the_mean(parameters, size):
    with pm.Model() as model:
        pst.TruncatedNormal("x", **parameters, size=size)
    mu, sigma, lower, upper = (
        np.asarray(parameters.get(k, default), dtype=float)
        for k, default in (("mu", 0), ("sigma", 1), ("lower", -INF), ("upper", INF))
    )
    mean = stats.truncnorm.mean((lower - mu) / sigma, (upper - mu) / sigma, loc=mu, scale=sigma)
    assert_support_point_is_expected(model, mean if size is None else np.full(size, mean))


@pytest.fixture(scope="module")
def support_point():
    parameters = [pytensor.shared(np.float64(v), name=n) for v, n in ((0, "m"), (1, "s"))]
    bounds = [pytensor.shared(np.float64(v)) for v in (0, 1)]
    rv = pst.TruncatedNormal.dist(*parameters, lower=bounds[0], upper=bounds[1])
    point = pm.distributions.distribution.support_point(rv)
    function = pytensor.function([], point)

    def evaluate(*values):
        for variable, value in zip([*parameters, *bounds], values, strict=True):
            variable.set_value(np.float64(value))
        return float(function())

    return evaluate


@pytest.mark.parametrize("sigma", [1e-300, 1e-20, 1.0, 1e20, 1e300])
@pytest.mark.parametrize(
    ("mu", "lower", "upper"),
    [
        (0, 0, INF),
        (0, 1e20, INF),
        (0, 1e20, 2e20),
        (1e20, -INF, -1e20),
        (0, 1.0, 1.0 + 2**-51),
        (5, 0, 1e-300),
        (0, -1e300, 1e300),
        (-1e300, 0, INF),
    ],
)
def test_support_point_is_strictly_inside(support_point, mu, sigma, lower, upper):
    assert lower < support_point(mu, sigma, lower, upper) < upper


SPELLINGS = {
    "none": lambda infinite: None,
    "constant": lambda infinite: infinite,
    "data": lambda infinite: pm.Data("bound", infinite),
    "shared": lambda infinite: pytensor.shared(np.float64(infinite)),
    "variable": lambda infinite: pm.Deterministic("bound", infinite * pt.exp(pm.Flat("free"))),
    "entry": lambda infinite: np.array([infinite, math.copysign(7.0, infinite)]),
    "data entry": lambda infinite: pm.Data("bound", [infinite, math.copysign(7.0, infinite)]),
}


def bounded_model(spell, side, infinite, distribution=pst.TruncatedNormal):
    """A free truncated variable and an observed one, one bound of each as spelled."""
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu"), pm.InverseGamma("sigma", 2, 3)
        finite = -1.0 if side == "upper" else 3.0
        other = {"lower": "upper", "upper": "lower"}[side]
        bounds = {side: spell(infinite), other: finite}
        distribution("x", mu, sigma, **bounds, shape=2)
        distribution("y", mu, sigma, **bounds, observed=[0.5, 1.5])
    return model


def log_density_and_gradient(model, mode):
    """Both at one point, in mu, sigma and x."""
    names = ("mu", "sigma", "x")
    variables = [model.rvs_to_values[model[name]] for name in names]
    function = model.logp_dlogp_function(grad_vars=variables, ravel_inputs=True, mode=mode)
    function.set_extra_values({"free": np.array(0.0)} if "free" in model.named_vars else {})
    return function(np.array([0.3, 0.2, 0.4, -0.7]))


@pytest.mark.parametrize("mode", GRAPH_MODES)
@pytest.mark.parametrize(
    ("side", "names"), [("upper", tuple(SPELLINGS)), ("lower", ("none", "data", "data entry"))]
)
def test_every_spelling_of_an_infinite_bound(side, names, mode):
    """An entry beside a finite bound differs from the others by that finite bound alone."""
    infinite = INF if side == "upper" else -INF
    got = {
        name: log_density_and_gradient(bounded_model(SPELLINGS[name], side, infinite), mode)
        for name in names
    }
    for name, (logp, gradient) in got.items():
        alike = "data entry" if "entry" in name else "none"
        # the graphs differ, so the roundings of a sum of a dozen terms do
        assert logp == pytest.approx(got[alike][0], rel=1e-14), name
        np.testing.assert_allclose(gradient, got[alike][1], rtol=1e-12, err_msg=name)
        assert np.isfinite(logp), name
        assert np.isfinite(gradient).all(), name
        # the first entry of x is the infinitely bounded one in every spelling
        assert gradient[2] == pytest.approx(got["none"][1][2], rel=1e-12), name


@pytest.mark.parametrize(
    "parameters",
    [
        (0.0, -1.0, 0.0, 2.0),
        (0.0, 0.0, 0.0, 2.0),
        (0.0, 1.0, 2.0, 1.0),
        (np.nan, 1.0, 0.0, 2.0),
        (0.0, np.nan, 0.0, 2.0),
        (0.0, 1.0, np.nan, 2.0),
        (0.0, 1.0, 0.0, np.nan),
    ],
)
def test_illegal_parameters(parameters):
    mu, sigma, lower, upper = (pytensor.shared(np.float64(v)) for v in parameters)
    rv = pst.TruncatedNormal.dist(mu, sigma, lower=lower, upper=upper)
    with pytest.raises(ParameterValueError, match="lower < upper"):
        pm.logp(rv, 1.0).eval()
    with pm.Model() as model:
        pst.TruncatedNormal("x", mu, sigma, lower=lower, upper=upper, observed=1.0)
    assert model.compile_logp()({}) == -INF


def test_unchecked_model():
    with pm.Model(check_bounds=False) as model:
        pst.TruncatedNormal("x", pm.Normal("mu"), 1.0, lower=0.0, observed=1.0)
    assert np.isfinite(model.compile_logp()({"mu": 0.2}))


@pytest.mark.parametrize(
    ("lower", "upper"),
    [(1.0, 1.0), (2, 1), ([0.0, 3.0], [1.0, 2.5]), (np.nan, 1.0), (0.0, [1.0, np.nan]), (INF, INF)],
)
def test_constant_empty_intervals_are_refused(lower, upper):
    low, high = np.broadcast_arrays(lower, upper)
    i = np.flatnonzero(~(low.ravel() < high.ravel()))[0]
    with pytest.raises(ValueError, match="interval is empty") as caught:
        pst.TruncatedNormal.dist(0, 1, lower=lower, upper=upper)
    assert f"lower={float(low.ravel()[i])}" in str(
        caught.value
    ) or f"lower={low.ravel()[i]}" in str(caught.value)
    assert f"upper={float(high.ravel()[i])}" in str(
        caught.value
    ) or f"upper={high.ravel()[i]}" in str(caught.value)


def test_values_outside_and_nan():
    rv = pst.TruncatedNormal.dist(0, 1, lower=0, upper=1)
    got = pm.logp(rv, np.array([-0.1, 1.1, np.nan, 0.5])).eval()
    assert list(got[:2]) == [-INF, -INF]
    assert np.isnan(got[2])
    assert np.isfinite(got[3])


@pytest.mark.parametrize("tau", [3, 2.0, 5, 0.3])
def test_tau_is_a_precision(tau):
    """Python numbers too: PyTensor would take the root of a small integer in float32."""
    by_tau = pst.TruncatedNormal.dist(1, tau=tau, lower=0)
    by_sigma = pst.TruncatedNormal.dist(1, sigma=np.float64(tau) ** -0.5, lower=0)
    values = [pm.logp(rv, 0.7).eval() for rv in (by_tau, by_sigma)]
    np.testing.assert_allclose(*values, rtol=1e-15)


def test_tau_and_sigma_exclude_each_other():
    with pytest.raises(ValueError, match="both tau and sigma"):
        pst.TruncatedNormal.dist(1, sigma=1.0, tau=4.0)


def described(distribution):
    with pm.Model(coords={"city": ["a", "b"]}) as model:
        mu = pm.Normal("mu")
        distribution(
            "x", mu, 2.0, lower=0.0, upper=pm.Data("top", INF), dims="city", initval=[0.5, 0.6]
        )
        distribution("y", mu, 2.0, upper=3.0, observed=[0.1, 0.2], dims="city")
    return model


@drawing
def test_prints_and_draws_as_pymc_does():
    ours, peer = described(pst.TruncatedNormal), described(pm.TruncatedNormal)
    assert ours.str_repr() == peer.str_repr()
    assert ours.str_repr(formatting="latex") == peer.str_repr(formatting="latex")
    assert ours["x"].eval().shape == (2,)
    assert ours.named_vars_to_dims == peer.named_vars_to_dims
    graphs = [pm.model_graph.ModelGraph(model) for model in (ours, peer)]
    assert graphs[0].make_compute_graph() == graphs[1].make_compute_graph()
    for model, peer_model in ((ours, peer),):
        assert model.initial_point().keys() == peer_model.initial_point().keys()
        np.testing.assert_allclose(
            model.initial_point()["x_interval__"], peer_model.initial_point()["x_interval__"]
        )


def test_is_a_truncated_normal():
    rv = pst.TruncatedNormal.dist(0, 1, lower=0)
    assert isinstance(rv.owner.op, pm.TruncatedNormal)
    assert issubclass(pst.TruncatedNormal, pm.TruncatedNormal)
    assert not isinstance(pm.TruncatedNormal.dist(0, 1, lower=0).owner.op, pst.TruncatedNormal)


def test_integer_and_float32_arguments():
    integers = pst.TruncatedNormal.dist(1, 2, lower=0, upper=np.array([5, 7]))
    single = pst.TruncatedNormal.dist(*np.float32([1, 2]), lower=np.float32(0), upper=[5.0, 7.0])
    value = np.array([2, 3])
    got, expected = pm.logp(integers, value).eval(), pm.logp(single, value.astype(float)).eval()
    np.testing.assert_array_equal(got, expected)
    with pm.Model() as model:
        pst.TruncatedNormal("x", pm.Normal("mu"), 2, lower=0, observed=np.array([1, 2, 3]))
    assert np.isfinite(model.compile_dlogp()({"mu": 0.5})).all()


@drawing
def test_prior_predictive():
    with pm.Model():
        pst.TruncatedNormal("x", 0, 1, lower=1, upper=pm.Data("top", 3.0))
        prior = pm.sample_prior_predictive(20, random_seed=1).prior
    assert ((prior["x"] >= 1) & (prior["x"] <= 3)).all()


def test_single_precision_support_point_is_inside():
    """At 1e4 the mean rounds to the bound in float32."""
    with pytensor.config.change_flags(floatX="float32"), pm.Model() as model:
        pst.TruncatedNormal("x", 0, 1, lower=1e4)
        start = model.initial_point()
    assert np.isfinite(start["x_interval__"])


def test_illegal_constants_say_so_and_nothing_else(caplog):
    """Constants are folded by the Python path, where a division by zero must not raise."""
    for mode in (None, "FAST_COMPILE"):
        with pytest.raises(ParameterValueError):
            pm.logp(pst.TruncatedNormal.dist(0.0, 0.0, lower=0.0), 1.0).eval(mode=mode)
    assert caplog.text == ""


def test_gradient_at_the_support_point_of_the_seed_model():
    """sigma ~ InverseGamma(2, 3), V ~ TruncatedNormal(0, sigma, 0, inf): the exact gradient."""
    with pm.Model() as model:
        sigma = pm.InverseGamma("sigma", 2, 3, default_transform=None)
        pst.TruncatedNormal(
            "v", 0, sigma, lower=0, upper=pm.Data("top", INF), default_transform=None
        )
    s, v = 1.7, 0.8
    got = model.compile_dlogp()({"sigma": s, "v": v})
    # half-normal: log p = -log s - v^2/(2 s^2) + const; inverse gamma: -3 log s - 3/s
    expected = [-4 / s + 3 / s**2 + v**2 / s**3, -v / s**2]
    np.testing.assert_allclose(got, expected, rtol=1e-13)


def test_a_misspelled_bound_is_not_passed_over():
    with pytest.raises(TypeError, match=r"'lowr'.*Did you mean 'lower'"):
        pst.TruncatedNormal.dist(0, 1, lowr=0)
    with pytest.raises(TypeError, match="unexpected argument 'sd'"):
        pst.TruncatedNormal.dist(0, sd=50)


@pytest.mark.parametrize("bound", [[0, None], (None, 0.0), np.array([[0, None]], dtype=object)])
def test_none_among_bounds_is_named(bound):
    with pytest.raises(ValueError, match=r"lower has None.*write -np\.inf"):
        pst.TruncatedNormal.dist(0, 1, lower=bound, upper=3)
    with pytest.raises(ValueError, match=r"upper has None.*write np\.inf"):
        pst.Truncated.dist(pm.Exponential.dist(1.0), upper=bound)


@pytest.mark.parametrize("wrong", ["0", ["0"], 1 + 2j, object()])
def test_what_is_no_number_is_named(wrong):
    base = pm.Exponential.dist(1.0)
    for name in ("mu", "sigma", "tau", "lower", "upper"):
        with pytest.raises(TypeError, match=rf"{name}=.* is not a real number. {name} takes a"):
            pst.TruncatedNormal.dist(**{name: wrong})
    for name in ("lower", "upper"):
        with pytest.raises(TypeError, match=f"{name}=.* is not a real number.*or None"):
            pst.Truncated.dist(base, **{name: wrong})
    with pytest.raises(TypeError, match="mu=None is not a real number"):
        pst.TruncatedNormal.dist(mu=None)


@pytest.mark.parametrize("wrong", ["sigma", "bounds", "one bound"])
def test_illegal_parameters_of_a_free_variable_are_minus_infinity(wrong):
    """At the initial point, too, which is finite."""
    with pm.Model() as model:
        sigma = -1.0 if wrong == "sigma" else 1.0
        lower = pm.Data("lower", {"sigma": 0.0, "bounds": 2.0, "one bound": np.nan}[wrong])
        upper = pm.Data("upper", INF if wrong == "one bound" else 1.0)
        pst.TruncatedNormal("x", 0, sigma, lower=lower, upper=upper)
        pst.Truncated("z", pm.Exponential.dist(sigma), lower=lower, upper=upper)
    start = model.initial_point(random_seed=1)
    assert np.isfinite(list(start.values())).all()
    # with the rewrite that makes -inf of a failed check
    logps = model.compile_logp(sum=False, mode=ONCE)(start)
    np.testing.assert_array_equal(logps, -INF)
