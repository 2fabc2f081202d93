"""`pst.Truncated` as PyMC users meet it; `tests/accuracy` has its numbers."""

import inspect
import pickle

import cloudpickle
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.distributions.moments import mean
from pymc.distributions.truncated import TruncatedRV
from pymc.logprob.basic import logccdf
from pymc.logprob.utils import ParameterValueError
from scipy import stats

from pymc_safetrunc.distributions.families import dispatch
from pymc_safetrunc.distributions.truncated import Truncated
from pymc_safetrunc.distributions.truncated_normal import TruncatedNormal

pytestmark = pytest.mark.usefixtures("without_c")

INF = np.inf
# Interpreted: what is evaluated once is not worth compiling. Without any rewrites where the graph
# holds no draws, whose inner graph is to be inlined.
ONCE = "FAST_COMPILE"
PLAIN = pytensor.compile.mode.Mode(linker="py", optimizer=None)
# A distribution of each closed form, and two bounds inside its body.
CLOSED = {
    "Exponential": (lambda s: pm.Exponential.dist(scale=s), 0.5, 2.0),
    "Laplace": (lambda s: pm.Laplace.dist(0.3, s), -0.5, 1.0),
    "AsymmetricLaplace": (lambda s: pm.AsymmetricLaplace.dist(mu=0.3, b=s, kappa=1.5), -0.5, 1.0),
    "Pareto": (lambda s: pm.Pareto.dist(s, 0.4), 0.5, 2.0),
    "Logistic": (lambda s: pm.Logistic.dist(0.3, s), -0.5, 1.0),
    "Gumbel": (lambda s: pm.Gumbel.dist(0.3, s), -0.5, 1.0),
    "Weibull": (lambda s: pm.Weibull.dist(1.7, s), 0.5, 2.0),
    "Uniform": (lambda s: pm.Uniform.dist(-1, 3 * s), -0.5, 1.0),
    "Triangular": (lambda s: pm.Triangular.dist(lower=-1, upper=4 * s, c=0.5), -0.5, 1.0),
    "Kumaraswamy": (lambda s: pm.Kumaraswamy.dist(2.0, s), 0.2, 0.8),
    "Cauchy": (lambda s: pm.Cauchy.dist(0.3, s), -0.5, 1.0),
    "HalfCauchy": (lambda s: pm.HalfCauchy.dist(s), 0.5, 2.0),
    "HalfNormal": (lambda s: pm.HalfNormal.dist(s), 0.5, 2.0),
    "LogNormal": (lambda s: pm.LogNormal.dist(0.3, s), 0.5, 2.0),
    "LogitNormal": (lambda s: pm.LogitNormal.dist(0.3, s), 0.2, 0.8),
    "Moyal": (lambda s: pm.Moyal.dist(0.3, s), -0.5, 1.0),
}


def test_signature_is_that_of_pymc():
    assert inspect.signature(Truncated.dist) == inspect.signature(pm.Truncated.dist)
    assert inspect.signature(Truncated) == inspect.signature(pm.Truncated)


def test_stands_for_that_of_pymc():
    rv = Truncated.dist(pm.Gumbel.dist(0, 1), lower=1, max_n_steps=7)
    assert isinstance(rv.owner.op, TruncatedRV)
    assert isinstance(rv.owner.op, pm.Truncated)
    assert rv.owner.op.max_n_steps == 7
    with pm.Model() as model:
        Truncated("x", pm.Gumbel.dist(0, 1), lower=1)
    with pm.Model() as theirs:
        pm.Truncated("x", pm.Gumbel.dist(0, 1), lower=1)
    assert model.str_repr() == theirs.str_repr()


@pytest.mark.parametrize(
    ("base", "bounds"),
    [
        (pm.Normal.dist(0.5, 2.0), (-1.0, 3.0)),
        (pm.TruncatedNormal.dist(0.5, 2.0, lower=-1.0, upper=9.0), (-4.0, 3.0)),
    ],
)
def test_a_normal_becomes_a_truncated_normal(base, bounds):
    rv = Truncated.dist(base, *bounds)
    assert isinstance(rv.owner.op, TruncatedNormal)
    expected = TruncatedNormal.dist(0.5, 2.0, lower=-1.0, upper=3.0)
    both = [pm.logp(law, 1.3) for law in (rv, expected)]
    found, wanted = pytensor.function([], both, mode=PLAIN)()
    assert found == wanted


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"lower": 1}, ()),
        ({"lower": 1, "size": 3}, (3,)),
        ({"lower": 1, "shape": (2, 3)}, (2, 3)),
        ({"lower": [1.0, 2.0], "upper": [[3.0], [4.0], [5.0]]}, (3, 2)),
    ],
)
def test_shape(arguments, shape):
    for base in (pm.Exponential.dist(2.0), pm.Weibull.dist(2.0, 3.0), pm.LogitNormal.dist(0, 1)):
        if base.owner.op._print_name[0] == "LogitNormal":
            arguments = {k: v for k, v in arguments.items() if k in ("size", "shape")}
            arguments["lower"] = 0.5 if shape != (3, 2) else np.full((3, 2), 0.5)
        rv = Truncated.dist(base, **arguments)
        assert rv.type.ndim == len(shape)
        assert tuple(rv.shape.eval(mode=ONCE)) == shape


def test_dims_observed_and_plates():
    data = np.array([1.5, 2.0, 4.0])
    with pm.Model(coords={"site": range(3)}) as model:
        rate = pm.HalfNormal("rate")
        x = Truncated("x", pm.Exponential.dist(rate), lower=1.0, dims="site")
        Truncated("y", pm.Exponential.dist(rate), lower=1.0, observed=data, dims="site")
    assert model.named_vars_to_dims["x"] == ("site",)
    assert x.type.ndim == 1
    logp = model.compile_logp(vars=[model["y"]], sum=False, mode=PLAIN)
    found = logp({"rate_log__": np.log(0.7), "x_interval__": np.zeros(3)})[0]
    np.testing.assert_allclose(found, stats.expon(1.0, 1 / 0.7).logpdf(data), rtol=1e-14)


def test_a_copy_in_another_size_keeps_its_bounds():
    rv = Truncated.dist(pm.Gumbel.dist([0.0, 1.0], 1.0), lower=5.0)
    wider = pm.distributions.shape_utils.change_dist_size(rv, (4,), expand=True)
    assert isinstance(wider.owner.op, Truncated)
    assert tuple(wider.shape.eval(mode=ONCE)) == (4, 2)


@pytest.fixture(scope="module", params=[0, 1])
def half(request):
    """Every other closed form: more terms than these cannot be added in Python."""
    return dict(list(CLOSED.items())[request.param :: 2])


@pytest.fixture(scope="module")
def whole_model(half):
    """Closed forms with a free scale, bounds that are data, and each kind of bound."""
    with pm.Model() as model:
        lower, upper = pm.Data("lower", -INF), pm.Data("upper", INF)
        s = pm.Uniform("s", 0.1, 10, initval=0.9)
        for name, (base, low, high) in half.items():
            bounds = np.array([[low, high], [-INF, high], [low, INF], [-INF, INF]])
            Truncated(
                name, base(s), pt.maximum(bounds[:, 0], lower), pt.minimum(bounds[:, 1], upper)
            )
    return model


def test_infinite_bounds_at_run_time_have_gradients(whole_model):
    point = whole_model.initial_point()
    gradient = whole_model.compile_dlogp(mode=PLAIN)(point)
    assert np.isfinite(gradient).all()
    assert np.isfinite(whole_model.compile_logp(mode=PLAIN)(point))


def test_start_and_transform_are_inside(whole_model, half):
    names = list(half)
    point = whole_model.initial_point()
    values = [whole_model.rvs_to_values[whole_model[name]] for name in names]
    transforms = [whole_model.rvs_to_transforms[whole_model[name]] for name in names]
    for value, transform, name in zip(values, transforms, names, strict=True):
        assert value.name == f"{name}_interval__"
        assert np.isfinite(point[value.name]).all()
        assert transform.name == "interval"
    starts = pytensor.function(
        [],
        [pm.distributions.distribution.support_point(whole_model[name]) for name in names],
        givens={whole_model["s"]: np.float64(0.9)},
        mode=PLAIN,
        on_unused_input="ignore",
    )()
    for start, (_, low, high) in zip(starts, half.values(), strict=True):
        assert low < start[0] < high
        assert start[1] < high
        assert low < start[2]


def test_far_interval_starts_inside():
    """PyMC's support point of [50, 60] is 5."""
    rv = Truncated.dist(pm.Gumbel.dist(0, 1), lower=50, upper=60)
    assert 50 < pm.distributions.distribution.support_point(rv).eval(mode=PLAIN) < 60


def test_pickling():
    with pm.Model() as model:
        Truncated("x", pm.LogitNormal.dist(0.0, 1.0), lower=0.2)
    copy = cloudpickle.loads(cloudpickle.dumps(model))
    point = {"x_interval__": 0.3}
    logps = [m.compile_logp(mode=PLAIN)(point) for m in (model, copy)]
    assert logps[0] == logps[1]
    rv = Truncated.dist(pm.Exponential.dist(1.0), lower=1.0)
    assert isinstance(pickle.loads(pickle.dumps(rv)).owner.op, Truncated)


def test_graph():
    pytest.importorskip("graphviz")
    with pm.Model() as model:
        Truncated("x", pm.Exponential.dist(1.0), lower=1.0)
    assert "Truncated" in pm.model_to_graphviz(model).source


@pytest.mark.parametrize(
    ("base", "lower", "upper", "words"),
    [
        (pm.Exponential.dist(1.0), 3.0, 2.0, r"lower=3\.0, upper=2\.0"),
        (pm.Exponential.dist(1.0), 2.0, 2.0, r"lower=2\.0, upper=2\.0"),
        (pm.Exponential.dist(1.0), np.nan, 2.0, "must be a number"),
        (pm.TruncatedNormal.dist(0, 1, lower=0, upper=1), 2.0, None, r"lower=2\.0, upper=1\.0"),
        (TruncatedNormal.dist(0, 1, lower=[0, 2]), None, 1.0, r"entry \(1,\): lower=2\.0, upper=1"),
        (pm.Exponential.dist(1.0), -3.0, -2.0, "Exponential lives between 0.0 and inf"),
        (pm.Exponential.dist(1.0), -3.0, 0.0, "Exponential lives between 0.0 and inf"),
        (pm.Kumaraswamy.dist(2.0, 1.0), 1.0, None, "Kumaraswamy lives between 0.0 and 1.0"),
        (pm.Pareto.dist(1.0, 2.0), None, 1.5, "Pareto lives between 2.0 and inf"),
        (pm.LogitNormal.dist(0.0, 2.0), 1.5, 2.5, "LogitNormal lives between 0.0 and 1.0"),
        (pm.Exponential.dist(1.0), None, None, "cannot both be None"),
        (1.0, 0.0, 1.0, r"created via the `.dist\(\)` API"),
    ],
)
def test_bad_bounds(base, lower, upper, words):
    with pytest.raises(ValueError, match=words):
        Truncated.dist(base, lower, upper)


def test_a_misspelled_bound_is_named():
    with pytest.raises(TypeError, match=r"Truncated got .*'uper'.*Did you mean 'upper'"):
        Truncated.dist(pm.Exponential.dist(1.0), uper=1.0)
    with pytest.raises(TypeError, match=r"Truncated got .*'max_steps'"):
        Truncated.dist(pm.Exponential.dist(1.0), 0.5, max_steps=5)


def test_refused():
    multivariate = pm.MvNormal.dist(np.zeros(2), np.eye(2))
    derived = pm.CustomDist.dist(0.0, dist=lambda m, size: pm.math.exp(pm.Laplace.dist(m, 1)))
    once = Truncated.dist(pm.Exponential.dist(1.0), lower=1.0)
    for base in (multivariate, derived, once):
        with pytest.raises(NotImplementedError):
            Truncated.dist(base, lower=2.0)


def test_bounds_beyond_the_support_act_as_its_edge():
    x, lower, upper = 0.7, pt.dscalar("lower"), pt.dscalar("upper")
    law = Truncated.dist(pm.Kumaraswamy.dist(2.0, 3.0), lower, upper)
    logp = pm.logp(law, x)
    of = pytensor.function([lower, upper], [logp, *pt.grad(logp, [lower, upper])], mode=PLAIN)
    inside, _, _ = of(0.0, 1.0)
    np.testing.assert_array_equal(of(-3.0, 7.0), [inside, 0.0, 0.0])


def test_illegal_at_run_time():
    lower, scale, x = pt.dscalars("lower", "scale", "x")
    law = Truncated.dist(pm.Exponential.dist(scale=scale), lower, 4.0)
    logp = pytensor.function([x, lower, scale], pm.logp(law, x), mode=PLAIN)
    assert logp(0.5, 1.0, 1.0) == -INF
    assert logp(4.5, 1.0, 1.0) == -INF
    assert np.isnan(logp(np.nan, 1.0, 1.0))
    for lower_, scale_ in [(4.0, 1.0), (5.0, 1.0), (np.nan, 1.0), (1.0, -1.0)]:
        with pytest.raises(ParameterValueError, match="scale > 0, truncation lower < upper"):
            logp(4.0, lower_, scale_)
    with pytest.raises(ParameterValueError, match="scale > 0, truncation lower < upper"):
        law.eval({lower: 5.0, scale: 1.0}, mode=PLAIN)
    with pm.Model() as model:
        bound = pm.Data("bound", 1.0)
        Truncated("x", pm.Exponential.dist(1.0), bound, 4.0, default_transform=None)
    # with the rewrite that makes -inf of a failed check
    evaluate = model.compile_logp(mode=ONCE)
    assert np.isfinite(evaluate({"x": 2.0}))
    assert evaluate({"x": 0.5}) == -INF
    model.set_data("bound", 5.0)
    assert evaluate({"x": 2.0}) == -INF


def test_distribution_functions():
    """CDF, survival function, quantile and mean in the body, where scipy has its digits."""
    cases = [
        (pm.Exponential.dist(scale=2.0), stats.expon(scale=2), 1.0, 5.0),
        (pm.HalfNormal.dist(2.0), stats.halfnorm(scale=2), 1.0, 5.0),
        (pm.Uniform.dist(-1.0, 6.0), stats.uniform(-1, 7), 1.0, 5.0),
    ]
    x, q = np.array([0.5, 1.0, 2.5, 5.0, 7.0]), np.array([0.0, 0.1, 0.7, 1.0])
    laws = [Truncated.dist(base, lower, upper) for base, _, lower, upper in cases]
    found = pytensor.function(
        [],
        [
            graph
            for law in laws
            for graph in (pm.logcdf(law, x), logccdf(law, x), pm.icdf(law, q), mean(law))
        ],
        mode=PLAIN,
    )()
    for i, (_, reference, lower, upper) in enumerate(cases):
        logcdf, log_survival, quantile, average = found[4 * i : 4 * i + 4]
        mass = reference.cdf(upper) - reference.cdf(lower)
        share = (reference.cdf(np.clip(x, lower, upper)) - reference.cdf(lower)) / mass
        np.testing.assert_allclose(np.exp(logcdf), share, rtol=1e-13)
        np.testing.assert_allclose(np.exp(log_survival), 1 - share, rtol=1e-13, atol=1e-15)
        expected = reference.ppf(reference.cdf(lower) + q * mass)
        np.testing.assert_allclose(quantile, expected, rtol=1e-13)
        assert quantile[0] == lower
        assert quantile[-1] == upper
        # scipy's integral has a relative error of about 1e-10
        exact = reference.expect(lb=lower, ub=upper, conditional=True)
        np.testing.assert_allclose(average, exact, rtol=1e-9)


def test_no_mean_is_said():
    with pytest.raises(NotImplementedError, match="no form here"):
        mean(Truncated.dist(pm.Cauchy.dist(0, 1), lower=1))


REGIONS = {
    # the interval, and where the reference has its digits
    "body": (0.2, 0.9),
    "left tail": (0.0, 1e-10),
    "far left tail": (0.0, 1e-50),
    "narrow": (0.5, 0.5 + 1e-6),
    "one-sided": (0.3, 1.0),
}
RIGHT = {"right tail": 1e-10, "far right tail": 1e-50}


@pytest.mark.parametrize(
    ("base", "reference"),
    [
        (pm.Exponential.dist(scale=2.0), stats.expon(scale=2)),
        (pm.Logistic.dist(0.3, 2.0), stats.logistic(0.3, 2)),
        (pm.Gumbel.dist(0.3, 2.0), stats.gumbel_r(0.3, 2)),
        (pm.Weibull.dist(0.7, 2.0), stats.weibull_min(0.7, scale=2)),
    ],
    ids=["Exponential", "Logistic", "Gumbel", "Weibull"],
)
def test_draws_follow_the_law(base, reference):
    """Kolmogorov-Smirnov by scipy's CDF on the left, by its survival function on the right."""
    lower = [reference.ppf(a) for a, _ in REGIONS.values()] + [
        reference.isf(p) for p in RIGHT.values()
    ]
    upper = [reference.ppf(b) for _, b in REGIONS.values()] + [INF for _ in RIGHT]
    law = Truncated.dist(base, np.array(lower), np.array(upper))
    draws = pm.draw(law, 2_000, random_seed=4, mode=ONCE)
    assert np.isfinite(draws).all()
    for x, a, b, region in zip(draws.T, lower, upper, [*REGIONS, *RIGHT], strict=True):
        assert ((a <= x) & (x <= b)).all(), region
        side = reference.sf if region in RIGHT else reference.cdf
        share = (side(x) - side(a)) / (side(b) - side(a))
        # seven regions of four families: 1 in 10,000 keeps a false alarm below 0.3%, once
        assert stats.kstest(share, "uniform").pvalue > 1e-4, region


def test_draws_of_an_angle_follow_the_law():
    """Cauchy: bounds of any size beside one another, by arctangents of 1/z."""
    lower = np.array([-INF, 1e50, -1e40, 3.0, -1e-9])
    upper = np.array([-1e30, INF, 1e40, 3.1, 1e-9])
    x = pm.draw(Truncated.dist(pm.Cauchy.dist(0.0, 1.0), lower, upper), 2_000, 4, mode=ONCE)
    assert ((lower <= x) & (x <= upper)).all()
    shares = [
        -1e30 / x[:, 0],
        1 - 1e50 / x[:, 1],
        np.arctan(x[:, 2]) / np.pi + 0.5,
        (np.arctan(x[:, 3]) - np.arctan(3.0)) / (np.arctan(3.1) - np.arctan(3.0)),
        x[:, 4] / 2e-9 + 0.5,
    ]
    for share in shares:
        assert stats.kstest(share, "uniform").pvalue > 1e-4


def test_draws_are_never_at_quantile_zero():
    """A uniform number may be exactly 0, where the quantile of an open side is infinite."""
    law = Truncated.dist(pm.Gumbel.dist(0, 1), upper=1.0)
    assert np.isfinite(pm.icdf(law, 2.0**-54).eval(mode=PLAIN))
    assert dispatch.family_name(law.owner.op.base_rv_op) == "Gumbel"


@pytest.mark.parametrize("law", [pm.Bernoulli.dist(0.0), pm.Categorical.dist([1.0, 0.0, 0.0])])
def test_no_mass_between_the_bounds_is_an_error(law):
    x = Truncated.dist(law, lower=1)
    with pytest.raises(ParameterValueError, match="mass"):
        pm.logp(x, 1).eval()
    with pytest.raises(ParameterValueError, match="mass"):
        pm.draw(x)


@pytest.mark.parametrize(
    "law",
    [
        pm.DiscreteUniform.dist(0, 10),
        pm.Poisson.dist(3),
        pm.Binomial.dist(10, 0.5),
        pm.Geometric.dist(0.5),
    ],
    ids=lambda law: law.owner.op._print_name[0],
)
def test_counts_are_in_double_precision(law):
    """PyTensor takes 0.5 for a float32, and whole numbers for no float at all."""
    assert pm.logp(Truncated.dist(law, lower=1, upper=8), 2).dtype == "float64"


def test_a_sized_normal_broadcasts_with_its_bounds():
    x = Truncated.dist(pm.Normal.dist(0, 1, shape=3), lower=np.zeros((4, 3)))
    assert pm.draw(x).shape == (4, 3)


@pytest.mark.parametrize("mode", [PLAIN, pytest.param("NUMBA", marks=pytest.mark.soak)])
def test_a_model_in_single_precision(mode):
    """Bounds in double precision: starts, gradients, and draws between them."""
    lower, upper = np.float64(0.7), np.float64(0.7 + 1e-7)
    with pytensor.config.change_flags(floatX="float32", mode=mode):
        with pm.Model() as model:
            for name, base in (
                ("exponential", pm.Exponential.dist(1.0)),
                ("lognormal", pm.LogNormal.dist(0.0, 1.0)),
                ("normal", pm.Normal.dist(0.0, 1.0)),
            ):
                Truncated(name, base, lower, upper)
            Truncated("wide", pm.Exponential.dist(1.0), lower)
        point = model.initial_point()
        assert np.isfinite(model.compile_dlogp()(point)).all()
        assert np.isfinite(model.compile_logp()(point))
        draws = pm.draw(model.free_RVs[:3], 200, random_seed=1)
    assert {value.dtype for value in point.values()} == {np.dtype("float32")}
    for x in draws:
        assert x.dtype == "float32"
        assert (x.astype("float64") >= lower).all()
        assert (x.astype("float64") <= upper).all()
