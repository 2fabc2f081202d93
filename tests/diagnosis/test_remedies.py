"""Every remedy is pasted and run, and mends its model.

Each case builds its model with the names that a remedy defines, or with PyMC's and PyTensor's
where there is none yet: first sick, then mended by nothing but the remedy's own code.
"""

import importlib
import inspect
import pkgutil
import re

import numpy as np
import pymc as pm
import pymc.dims as pmd
import pytensor
import pytensor.tensor as pt
import pytest

import pymc_safetrunc as pst
from pymc_safetrunc.diagnosis import diagnose, rules
from pymc_safetrunc.diagnosis.rules import remedies
from pymc_safetrunc.diagnosis.rules.support import Bound

CASES = {}


def case(rule):
    def register(build):
        CASES[build.__name__] = (rule, build)
        return build

    return register


@case("runtime-infinite-bound")
def infinite_bound(names):
    TruncatedNormal = names.get("TruncatedNormal", pm.TruncatedNormal)
    s = pm.InverseGamma("s", 2, 3)
    up = pm.Data("up", np.inf)
    TruncatedNormal("V", 0, s, lower=0, upper=up, observed=[0.5, 1.5])


@case("runtime-infinite-bound")
def infinite_bound_for_some(names):
    TruncatedNormal = names.get("TruncatedNormal", pm.TruncatedNormal)
    s = pm.InverseGamma("s", 2, 3)
    up = pm.Data("up", [np.inf, 2.0])
    TruncatedNormal("V", 0, s, lower=0, upper=up, observed=[0.5, 1.5])


@case("runtime-infinite-bound")
def infinite_bound_of_another_family(names):
    Truncated = names.get("Truncated", pm.Truncated)
    b = pm.HalfNormal("b")
    low = pm.Data("low", -np.inf)
    Truncated("c", pm.Cauchy.dist(0, b), lower=low, upper=3.0, observed=[0.5, 1.5])


@case("runtime-infinite-bound")
def infinite_bound_with_named_dimensions(names):
    TruncatedNormal = names.get("TruncatedNormal", pmd.TruncatedNormal)
    pm.modelcontext(None).add_coord("row", range(2))
    s, up = pmd.HalfNormal("s"), pmd.as_xtensor(pm.Data("up", np.inf), dims=())
    y = pmd.as_xtensor(np.array([0.5, 1.5]), dims="row")
    TruncatedNormal("V", 0, s, lower=0, upper=up, observed=y)


@case("log-of-zero")
def logarithm_of_zero(names):
    log = names.get("safe_log", pt.log)
    x = pm.Normal("x", initval=0.0)
    pm.Potential("p", log(pt.abs(x)))


@case("log-of-zero")
def logarithm_of_what_is_left(names):
    log1p = names.get("safe_log1p", pt.log1p)
    w = pm.Uniform("w", 0, 1, shape=2)
    pm.Potential("rest", log1p(-w.sum()))


@case("log-of-zero")
def decimal_logarithm_of_zero(names):
    log10 = names.get("safe_log10", pt.log10)
    x = pm.Normal("x", initval=0.0)
    pm.Potential("p", log10(pt.abs(x)))


@case("log-of-zero")
def logarithm_of_one_minus_one(names):
    log1mexp = names.get("safe_log1mexp", pt.log1mexp)
    x = pm.Normal("x", initval=0.0)
    pm.Potential("p", log1mexp(-pt.abs(x)))


@case("log-of-underflow")
def logarithm_of_an_underflow(names):
    m = pm.Normal("m")
    y = np.array([0.3, 60.0])
    terms = (-0.5 * (y - m) ** 2 + np.log(0.5), -((y + m) ** 2) + np.log(0.5))
    if "log_sum_exp" in names:
        pm.Potential("mix", names["log_sum_exp"](*terms))
    else:
        pm.Potential("mix", pt.log(0.5 * pt.exp(-0.5 * (y - m) ** 2) + pt.exp(terms[1])))


@case("log-of-underflow")
def decimal_logarithm_of_an_underflow(names):
    x = pm.Cauchy("x", 0, 1, initval=-800.0)
    if "log_sum_exp" in names:
        pm.Potential("p", names["log_sum_exp"](x, 2 * x))
    else:
        pm.Potential("p", pt.log10(pt.exp(x) + pt.exp(2 * x)))


@case("log-of-negative")
def logarithm_of_one_minus_more(names):
    log1mexp = names.get("log1mexp_where_positive", pt.log1mexp)
    x = pm.Normal("x", initval=1.0)
    pm.Potential("p", log1mexp(x))


@case("log-of-negative")
def logarithm_of_a_negative(names):
    log = names.get("log_where_positive", pt.log)
    x = pm.Normal("x", initval=1.0)
    pm.Potential("p", log(x + np.array([0.5, -3.0])))


@case("exp-overflow")
def overflow(names):
    exp = names.get("safe_exp", pt.exp)
    b = pm.Normal("b", initval=1.0)
    pm.Poisson("y", mu=exp(b * np.array([1.0, 1000.0])), observed=[2, 900])


@case("exp-overflow")
def overflow_of_cosh(names):
    cosh = names.get("safe_cosh", pt.cosh)
    k = pm.Normal("k", initval=900.0)
    pm.Potential("h", -cosh(k))


@case("power-overflow")
def overflowing_power(names):
    power = names.get("safe_power", pt.pow)
    k = pm.Normal("k", initval=400.0)
    pm.Potential("growth", -power(10.0, k))


@case("power-overflow")
def overflowing_square(names):
    power = names.get("held_power", pt.pow)
    k = pm.Normal("k", initval=-1.0)
    pm.Potential("growth", -power(k + pm.Data("shift", -1e160), 2))


@case("power-overflow")
def overflowing_cube(names):
    power = names.get("held_power", pt.pow)
    k = pm.Cauchy("k", 0, 1, initval=-1e120)
    pm.Potential("growth", power(k, 3))


@case("overflow")
def overflowing_product(names):
    held = names.get("held", lambda x: x)
    a = pm.Flat("a", initval=1e160)
    b = pm.Flat("b", initval=1e160)
    c = pm.Flat("c", initval=2.0)
    pm.Potential("volume", -held(a) * held(b) * held(c))


@case("overflow")
def overflowing_sum(names):
    held = names.get("held", lambda x: x)
    a, b = pm.Flat("a", initval=1e308), pm.Flat("b", initval=1e308)
    pm.Potential("total", -(held(a) + held(b)))


@case("power-of-negative")
def power_of_a_negative(names):
    power = names.get("safe_power", pt.pow)
    x = pm.Normal("x", initval=-1.0)
    pm.Potential("p", -power(x, 1.3))


@case("power-of-zero")
def power_of_zero(names):
    power = names.get("safe_power", pt.pow)
    x = pm.Normal("x", initval=0.0)
    pm.Potential("p", -power(x, 0.3))


@case("sqrt-of-negative")
def root_of_a_negative(names):
    sqrt = names.get("safe_sqrt", pt.sqrt)
    x = pm.Normal("x", initval=2.0)
    pm.Potential("root", sqrt(1 - x))


@case("sqrt-of-zero")
def root_of_zero(names):
    sqrt = names.get("safe_sqrt", pt.sqrt)
    x = pm.Normal("x", shape=2, initval=np.zeros(2))
    pm.Potential("distance", -sqrt((x**2).sum()))


@case("kink")
def root_of_a_square(names):
    root = names.get("root_of_square", lambda x: pt.sqrt(x**2))
    w = pm.Normal("w", initval=0.0)
    pm.Potential("p", -root(w))


@case("zero-over-zero")
def nothing_over_nothing(names):
    divide = names.get("safe_divide", pt.true_div)
    x = pm.Normal("x", shape=2, initval=np.zeros(2))
    pm.Potential("share", divide(x, x.sum()))


@case("division-by-zero")
def division_by_zero(names):
    divide = names.get("safe_divide", pt.true_div)
    x = pm.Normal("x", initval=0.0)
    pm.Potential("inverse", divide(-1.0, pt.abs(x)))


@case("underflowed-scale")
def underflowed_scale(names):
    bounded = names.get("bounded_scale", lambda scale: scale)
    x = pm.Normal("x", initval=30.0)
    scale = bounded(pt.exp(-(x**2)) + pt.exp(-2 * x**2))
    pm.Potential("fit", -pt.abs(np.array([0.5, 1.5]) / scale))


@case("invalid-parameter")
def underflowed_scale_of_a_safe_distribution(names):
    bounded = names.get("bounded_scale", lambda scale: scale)
    eta = pm.Normal("eta", initval=-800.0)
    pst.TruncatedNormal("y", 0, bounded(pt.exp(eta)), lower=0, upper=2, observed=[0.5, 1.5])


@case("zero-times-inf")
def infinite_weight(names):
    product = names.get("safe_product", pt.mul)
    x = pm.Normal("x", initval=0.0)
    w = pm.Data("w", np.inf)
    pm.Potential("mask", -product(pt.abs(x), w))


@case("inf-minus-inf")
def infinite_degrees_of_freedom(names):
    held = names.get("held", lambda x: x)
    s = pm.HalfNormal("s")
    pm.StudentT("y", nu=held(pm.Data("nu", np.inf)), mu=0, sigma=s, observed=[0.1, 0.2])


@case("outside-domain")
def impossible_cosine(names):
    arccos = names.get("safe_arccos", pt.arccos)
    x = pm.Normal("x", initval=1.2)
    pm.Potential("angle", arccos(x))


@case("masked-branch")
def masked_branch(names):
    def where(condition, function, x, otherwise):
        return pt.switch(condition, function(x), otherwise)

    x = pm.Normal("x", shape=3, initval=np.array([1.0, 0.0, 2.0]))
    chosen = names.get("where", where)(x > 0, lambda x: pt.special.softmax(pt.log(x)), x, 0.0)
    pm.Potential("mask", chosen.sum())


@case("nonfinite-data")
def missing_covariate(names):
    x, y = np.array([1.0, np.nan, 2.0]), np.array([0.1, 0.2, 0.3])
    if "finite_rows" in names:
        x, y = names["finite_rows"](x, y)
    b = pm.Normal("b")
    pm.Normal("y", b * x, 1, observed=y)


@case("nonfinite-data")
def infinite_scalar(names):
    held = names.get("held", lambda x: x)
    b = pm.Normal("b")
    limit = pm.Data("limit", np.inf)
    pm.Potential("p", -((b - held(limit)) ** 2))


@case("outside-support")
def observation_beyond_a_bound(names):
    y, x = np.array([0.5, 1.5, 2.5]), np.array([1.0, 2.0, 3.0])
    keep = names["inside"](y) if "inside" in names else slice(None)
    pm.TruncatedNormal("y", pm.Normal("b") * x[keep], 1, lower=0, upper=2, observed=y[keep])


@case("outside-support")
def count_beyond_the_largest(names):
    n = np.array([3, 7, 5])
    keep = names["inside"](n) if "inside" in names else slice(None)
    pm.Binomial("n", n=5, p=pm.Beta("p", 1, 1), observed=n[keep])


@case("outside-support")
def observation_at_an_open_end(names):
    y = np.array([0.0, 1.0])
    keep = names["inside"](y) if "inside" in names else slice(None)
    pm.LogNormal("y", 0, pm.HalfNormal("s"), observed=y[keep])


@case("outside-support")
def observation_beyond_its_own_bound(names):
    y, top = np.array([0.5, 2.5, 2.5]), np.array([1.0, 2.0, 3.0])
    keep = names["inside"](y, upper=top) if "inside" in names else slice(None)
    up = pm.Data("up", top[keep])
    pm.TruncatedNormal("y", 0, pm.HalfNormal("s"), lower=0, upper=up, observed=y[keep])


@case("equal-cdfs")
def bounds_one_float_apart(names):
    TruncatedNormal = names.get("TruncatedNormal", pm.TruncatedNormal)
    s = pm.HalfNormal("s", initval=3.0)
    TruncatedNormal("y", 0, s, lower=1, upper=1 + 2.3e-16, observed=[1.0])


@case("singular-matrix")
def matrix_of_zeros(names):
    jitter = names.get("with_jitter", lambda matrix: matrix)
    a = pm.Normal("a", initval=0.0)
    pm.Potential("d", pt.log(pt.linalg.det(jitter(a * np.array([[1.0, 2.0], [2.0, 1.0]])))))


@case("not-positive-definite")
def repeated_inputs(names):
    jitter = names.get("with_jitter", lambda matrix: matrix)
    ell = pm.HalfNormal("ell")
    x = np.array([0.0, 0.0, 1.0])[:, None]
    cov = jitter(pm.gp.cov.ExpQuad(1, ell)(x) - 1e-6 * np.eye(3))
    pm.Potential("f", -pt.log(pt.linalg.cholesky(cov).diagonal()).sum())


@case("singular-matrix")
def singular_matrix(names):
    jitter = names.get("with_jitter", lambda matrix: matrix)
    a = pm.Normal("a", initval=2.0)
    matrix = jitter(pt.stack([pt.stack([a, 2.0]), pt.stack([2.0, 2.0])]))
    pm.Potential("d", pt.log(pt.linalg.det(matrix)))


@case("invalid-parameter")
def negative_scale(names):
    positive = names.get("positive", lambda x: x)
    s = pm.Normal("s", initval=-1.0)
    pm.Normal("y", 0, positive(s), observed=[0.1, 0.2])


def built(build, names):
    with pm.Model() as model:
        build(names)
    return model


@pytest.mark.parametrize("name", CASES)
def test_remedy_runs_and_mends(name):
    rule, build = CASES[name]
    diagnosis = diagnose(model=built(build, {}))
    remedy = next(f.remedy for f in diagnosis.findings if f.rule == rule)
    names = {}
    exec(remedy, names)
    mended = diagnose(model=built(build, names))
    assert mended.ok, str(mended)
    if rule != "log-of-negative":  # its remedy turns a NaN into a rejection, which is a warning
        assert mended.findings == ()


def defined_by(remedy):
    names = {}
    exec(remedy, names)
    return names


LOGS = {"log": 0.3, "log2": 0.3, "log10": 0.3, "log1p": -0.3, "log1mexp": -0.3}
# A remedy, the function it defines, the original, and arguments at which the original is fine.
FINE = [
    *(
        (remedies.safe_log("x", name), f"safe_{name}", getattr(pt, name), (at,))
        for name, at in LOGS.items()
    ),
    *(
        (remedies.log_where_positive("x", name), f"{name}_where_positive", getattr(pt, name), (at,))
        for name, at in LOGS.items()
    ),
    *(
        (
            remedies.log_sum_exp("x", name),
            "log_sum_exp",
            lambda a, b, name=name: getattr(pt, name)(pt.exp(a) + pt.exp(b)),
            (0.3, -1.2),
        )
        for name in ("log", "log2", "log10")
    ),
    *(
        (remedies.clipped(name, low, "700.0", "x"), f"safe_{name}", getattr(pt, name), (1.3,))
        for name, low in {"exp": None, "expm1": None, "exp2": None, "cosh": "-700.0"}.items()
    ),
    (remedies.clipped("arccos", "-1 + 1e-12", "1 - 1e-12", "x"), "safe_arccos", pt.arccos, (0.3,)),
    (remedies.safe_power("x", "p"), "safe_power", pt.pow, (1.7, 2.3)),
    (remedies.held_power("x", "p"), "held_power", lambda x, p: x**p, (1.7, 3.0)),
    (remedies.safe_sqrt("x"), "safe_sqrt", pt.sqrt, (0.3,)),
    (remedies.safe_divide("a", "b"), "safe_divide", pt.true_div, (0.3, -1.7)),
    (remedies.safe_product(), "safe_product", pt.mul, (0.3, -1.7)),
    (remedies.bounded_scale("x"), "bounded_scale", lambda x: x, (0.3,)),
    (remedies.held("x"), "held", lambda x: x, (-0.3,)),
    (remedies.held("x", limit="1e150"), "held", lambda x: x, (-0.3,)),
    (remedies.absolute("x"), "root_of_square", lambda x: pt.sqrt(pt.sqr(x)), (-0.3,)),
    # close to the original at 40: exp(-40) is 4e-18, and 1e-6 is added
    (remedies.positive("x"), "positive", lambda x: x + 1e-6, (40.0,)),
    (
        remedies.where("x"),
        "where",
        lambda condition, function, x, otherwise: pt.switch(condition, function(x), otherwise),
        (np.array(True), pt.log, 0.3, 1.0),
    ),
]


def test_remedies_change_nothing_where_the_original_is_fine():
    """Values and gradients, all in one compiled function."""
    variables, points, pairs = [], [], []
    for remedy, name, original, given in FINE:
        arguments = [pt.dscalar() if type(x) is float else x for x in given]
        free = [x for x in arguments if isinstance(x, pt.TensorVariable)]
        variables += free
        points += [x for x in given if type(x) is float]
        for apply in (defined_by(remedy)[name], original):
            value = apply(*arguments)
            slopes = pytensor.grad(value, free, disconnected_inputs="ignore")
            pairs.append(pt.stack([value, *slopes]))
    results = pytensor.function(variables, pairs, mode="FAST_COMPILE", on_unused_input="ignore")(
        *points
    )
    for (_, name, *_), mended, original in zip(FINE, results[::2], results[1::2], strict=True):
        # another formula may differ by roundings, of an exponential of up to some tens
        np.testing.assert_allclose(mended, original, rtol=1e-13, err_msg=name)


def test_remedies_of_arrays_change_nothing_where_the_original_is_fine():
    x, y = np.array([1.0, 2.0]), np.array([0.1, 0.2])
    kept = defined_by(remedies.finite_rows("x"))["finite_rows"](x, y)
    assert [array.tolist() for array in kept] == [x.tolist(), y.tolist()]
    bounds = {"lower": Bound(0.0), "upper": Bound(2.0, strict=True)}
    inside = defined_by(remedies.inside("x", bounds))["inside"]
    assert inside(x).tolist() == [True, False]
    assert inside(y).all()
    matrix = np.array([[2.0, 0.5], [0.5, 1.0]])
    jittered = defined_by(remedies.with_jitter(1e-8, "m"))["with_jitter"](pt.as_tensor(matrix))
    np.testing.assert_array_equal(jittered.eval(), matrix + 1e-8 * np.eye(2))


def test_the_safe_class_has_the_same_density():
    TruncatedNormal = defined_by(remedies.safe_class("TruncatedNormal", ""))["TruncatedNormal"]
    values = [
        pm.logp(family.dist(0.25, 1.25, lower=0.0, upper=2.0), 0.75)
        for family in (pm.TruncatedNormal, TruncatedNormal)
    ]
    original, mended = pytensor.function([], values, mode="FAST_COMPILE")()
    # PyMC's constant log(0.5) has single precision: eps / 2 = 6e-8, of 0.7, beside a result of 0.5
    np.testing.assert_allclose(mended, original, rtol=1e-7)


def test_every_remedy_has_a_case():
    """The names that the remedies define are those the cases use."""
    source = inspect.getsource(remedies)
    defined = set(re.findall(r"^def ([a-z_]+)\(", source, re.M))
    assert defined == set(remedies.__all__)
    covered = {rule for rule, _ in CASES.values()}
    package = "".join(inspect.getsource(module) for module in rule_modules())
    with_remedy = set(re.findall(r'(?:Match\(|rule, words =)\s*"([a-z-]+)"', package))
    with_remedy |= {"zero-over-zero", "division-by-zero"}
    without = {"inverted-bounds", "nonfinite-point"}
    assert with_remedy - without == covered


def rule_modules():
    folder = [name for _, name, _ in pkgutil.iter_modules(rules.__path__)]
    return [importlib.import_module(f"{rules.__name__}.{name}") for name in folder]
