"""Every remedy is pasted and run, and mends its model.

Each case builds its model with the names that a remedy defines, or with PyMC's and PyTensor's
where there is none yet: first sick, then mended by nothing but the remedy's own code.
"""

import inspect
import re

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymc_safetrunc as pst
from pymc_safetrunc.diagnosis import diagnose
from pymc_safetrunc.diagnosis.rules import remedies

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
    finite_or_none = names.get("finite_or_none", lambda bound: bound)
    Truncated = names.get("Truncated", pm.Truncated)
    b = pm.HalfNormal("b")
    low = pm.Data("low", -np.inf)
    Truncated("c", pm.Cauchy.dist(0, b), lower=finite_or_none(low), upper=3.0, observed=[0.5, 1.5])


@case("log-of-zero")
def logarithm_of_zero(names):
    log = names.get("safe_log", pt.log)
    x = pm.Normal("x", initval=0.0)
    pm.Potential("p", log(pt.abs(x)))


@case("log-of-zero")
def logarithm_of_what_is_left(names):
    log = names.get("safe_log", pt.log)
    w = pm.Uniform("w", 0, 1, shape=2)
    pm.Potential("rest", log(1 - w.sum()))


@case("log-of-underflow")
def logarithm_of_an_underflow(names):
    m = pm.Normal("m")
    y = np.array([0.3, 60.0])
    terms = (-0.5 * (y - m) ** 2 + np.log(0.5), -((y + m) ** 2) + np.log(0.5))
    if "log_sum_exp" in names:
        pm.Potential("mix", names["log_sum_exp"](*terms))
    else:
        pm.Potential("mix", pt.log(0.5 * pt.exp(-0.5 * (y - m) ** 2) + pt.exp(terms[1])))


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


def test_every_remedy_has_a_case():
    """The names that the remedies define are those the cases use."""
    source = inspect.getsource(remedies)
    defined = set(re.findall(r"^def ([a-z_]+)\(", source, re.M))
    assert defined == set(remedies.__all__)
    rules = {rule for rule, _ in CASES.values()}
    package = "".join(inspect.getsource(module) for module in rule_modules())
    with_remedy = set(
        re.findall(r'(?:Match\(|return|rule, words =)\s*"([a-z]+(?:-[a-z]+)+)"', package)
    )
    with_remedy |= {"zero-over-zero", "division-by-zero"}
    without = {"equal-cdfs", "inverted-bounds", "outside-support", "nonfinite-point"}
    assert with_remedy - without == rules


def rule_modules():
    from pymc_safetrunc.diagnosis.rules import arithmetic, domain, truncation

    return arithmetic, domain, truncation
