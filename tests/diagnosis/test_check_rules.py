"""Each rule of the check: who must trigger it, who must not, and that its remedy mends."""

import re
from pathlib import Path

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.raise_op import Assert

import pymc_safetrunc as pst
from pymc_safetrunc.diagnosis import check, check_model, diagnose
from pymc_safetrunc.diagnosis.check import gather
from pymc_safetrunc.diagnosis.facts import Facts, Probe, points_of
from pymc_safetrunc.diagnosis.rules.model import RULES, bounds, finite, gradients, overflow, tails
from pymc_safetrunc.diagnosis.rules.model.finite import nonfinite_logp
from pymc_safetrunc.diagnosis.rules.model.scales import unscaled_parameters
from pymc_safetrunc.findings import Finding
from tests.diagnosis.clinics import CLINICS
from tests.diagnosis.interpreted import interpreted

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"
# "unscaled-parameters" speaks of a whole model and has tests of its own below.
EVERY_RULE = {*CLINICS, "unscaled-parameters"}
ERRORS = {
    *("inverted-bounds", "nonfinite-logp", "nonfinite-gradient", "data-outside-bounds"),
    *("wrong-gradient", "no-logp"),
}
# Rules that look at expressions of the model, with the function that applies them.
EXPRESSIONS_ONLY = {
    "runtime-infinite-bound": bounds.runtime_infinite_bound,
    "inverted-bounds": bounds.inverted_bounds,
    "empty-truncation": tails.empty_truncation,
    "tail-truncation": tails.tail_truncation,
    "overflow-prone": overflow.overflow_prone,
}
WITH_DENSITY = {
    "no-logp": finite.nonfinite_logp,
    "nonfinite-logp": finite.nonfinite_logp,
    "nonfinite-gradient": finite.nonfinite_gradient,
    "data-outside-bounds": finite.nonfinite_logp,
    "wrong-gradient": gradients.wrong_gradient,
    "flat-direction": gradients.flat_direction,
}


class Use:
    """What a model is built with: the defaults, or what the remedies define."""

    def __init__(self, remedies=None):
        self.remedies = remedies or {}

    def names(self, variable):
        return self.remedies.get(variable, {})

    def __call__(self, variable, name, default):
        return self.names(variable).get(name, default)


def model_of(build, use):
    with pm.Model() as model:
        build(use)
    return model


def facts_for(rule, model):
    """Evaluate the model; rules that read nothing but expressions are given no density."""
    if rule == "no-logp":  # there is no density to compile
        with interpreted():
            start = model.initial_point()
        return Facts(model, None, (Probe("initial", start, np.nan, {}),))
    if rule not in EXPRESSIONS_ONLY:
        with interpreted():
            return gather(model, 3, 20)
    with interpreted():
        points = list(points_of(model, 20, np.random.default_rng(3), []))
    return Facts(model, None, tuple(Probe(kind, point, 0.0, {}) for kind, point in points))


def findings_of(rule, model):
    facts = facts_for(rule, model)
    apply = {**EXPRESSIONS_ONLY, **WITH_DENSITY}[rule]
    return [finding for finding in apply(facts) if finding.rule == rule]


@pytest.fixture(scope="module", params=CLINICS)
def visit(request):
    rule = request.param
    build, by = CLINICS[rule]
    model = model_of(build, Use())
    return rule, build, by, model, findings_of(rule, model)


def test_the_sick_are_found_and_the_well_are_left_alone(visit):
    rule, _, by, model, found = visit
    everybody = {name for name in model.named_vars if name.startswith(("sick", "well"))}
    sick = {name for name in everybody if name.startswith("sick")}
    assert min(len(sick), len(everybody - sick)) >= 3
    assert {getattr(finding, by) for finding in found} == sick
    severities = {finding.severity for finding in found}
    if rule in ERRORS:
        assert severities == {"error"}
    for finding in found:
        assert finding.message
        assert finding.remedy


def test_the_remedies_mend(visit):
    rule, build, by, model, found = visit
    remedies = {}
    for finding in found:
        exec(finding.remedy, remedies.setdefault(getattr(finding, by), {}))
    if rule == "wrong-gradient":  # its remedy shows what to mend
        with model, interpreted():
            table = remedies["sick_sign"]["gradient_table"](model)
        assert set(table.variable) == set(remedies)
        return
    mended = model_of(build, Use(remedies))
    assert not {getattr(f, by) for f in findings_of(rule, mended)} & set(remedies)


def test_every_rule_has_a_section():
    sections = set(re.findall(r"^## `?([a-z-]+)`?$", PAGE.read_text(), re.M))
    assert sections == EVERY_RULE


def gaussian(**scales):
    """Facts of independent normals, their density in closed form."""
    with pm.Model() as model:
        for name, scale in scales.items():
            pm.Normal(name, 0, scale, shape=np.shape(scale))
    widths = {name: np.asarray(scale, float) for name, scale in scales.items()}

    def density(point):
        gradient = {name: -point[name] / width**2 for name, width in widths.items()}
        return -0.5 * sum(np.sum((point[n] / w) ** 2) for n, w in widths.items()), gradient

    rng = np.random.default_rng(1)
    zero = {name: np.zeros(width.shape) for name, width in widths.items()}
    points = [("initial", zero)]
    for _ in range(10):
        points.append(("jittered", {n: rng.uniform(-1, 1, w.shape) for n, w in widths.items()}))
    for _ in range(20):
        points.append(("prior", {n: rng.normal(0, w) for n, w in widths.items()}))
    probes = tuple(Probe(kind, point, *density(point)) for kind, point in points)
    return Facts(model, density, probes)


@pytest.mark.parametrize(
    ("scales", "factors"),
    [
        ({"a": 1.0, "b": 1e8}, {"b": 1e8}),
        ({"a": 1e-5, "b": 1.0, "c": 1e4}, {"a": 1e-5, "c": 1e4}),
        ({"a": [1.0, 1e9], "b": [1.0, 1.0, 1.0]}, {"a": [1.0, 1e9]}),
    ],
)
def test_units_that_are_far_apart(scales, factors):
    (finding,) = unscaled_parameters(gaussian(**scales))
    assert (finding.rule, finding.severity) == ("unscaled-parameters", "warning")
    assert finding.variable in factors
    assert "prior scales" in finding.message
    names = {}
    exec(finding.remedy, names)
    assert {name: np.asarray(f).tolist() for name, f in names["factors"].items()} == factors
    scaled = {n: np.asarray(s) / np.asarray(factors.get(n, 1.0)) for n, s in scales.items()}
    assert not list(unscaled_parameters(gaussian(**scaled)))


def test_a_hostile_name_does_not_leave_its_string():
    (finding,) = unscaled_parameters(gaussian(**{'a"}\nimport os #': 1e9, "b": 1.0}))
    names = {}
    exec(finding.remedy, names)
    assert "os" not in names
    assert list(names["factors"]) == ['a"}\nimport os #']


@pytest.mark.parametrize(
    "scales", [{"a": 1.0}, {"a": 1.0, "b": 500.0}, {"a": [0.1, 1.0, 10.0], "b": 3.0}]
)
def test_units_that_are_not(scales):
    assert not list(unscaled_parameters(gaussian(**scales)))


def test_the_factor_of_a_slope_mends_its_gradient():
    """A covariate in the tens of millions, whose prior tells nothing of it."""
    x = np.linspace(1e7, 2e7, 30)

    def regression(**transform):
        mu = pm.Normal("a") + pm.Normal("b", **transform) * x
        pm.Normal("y", mu, 1, observed=np.zeros(30))

    with pm.Model(), interpreted():
        regression()
        (finding,) = check_model(random_seed=3, draws=5).findings
    assert (finding.rule, finding.variable, finding.quantity) == (
        "unscaled-parameters",
        "b",
        "gradient",
    )
    names = {}
    exec(finding.remedy, names)
    # the posterior's width: 1 / sqrt(sum x**2) is 1.2e-8
    assert names["factors"] == {"b": 1e-8}
    with pm.Model() as plain, interpreted():
        regression()
        logp, slope = (
            f({"a": 0.0, "b": 3e-8}) for f in (plain.compile_logp(), plain.compile_dlogp())
        )
    with pm.Model() as mended, interpreted():
        regression(transform=names["Scaled"](names["factors"]["b"]))
        at = {"a": 0.0, "b_scaled__": 3.0}
        # the same density in units of the factor: the Jacobian is a constant
        assert mended.compile_logp()(at) == pytest.approx(logp + np.log(1e-8), rel=1e-12)
        assert mended.compile_dlogp()(at)[1] == pytest.approx(slope[1] * 1e-8, rel=1e-12)


def test_digits():
    given = [1.0, 1.0 + 1e-6, np.inf, np.nan, -np.inf, 5.0, 1e6 * (1 + 5e-10)]
    exact = [1.0, 1.0, 1.0, 1.0, 1.0, np.nan, 1e6]
    # 5e-10 of a large log-density is nine digits of it
    assert tails.digits_left(given, exact).tolist() == [15, 6, 0, 0, 15, 15, 9]


def test_what_never_was_positive_promises_nothing():
    assert overflow.reach([np.array([-1.0]), np.array([-900.0])]) == -np.inf
    assert overflow.reach([np.array([-1.0]), np.array([1.0])]) == pytest.approx(6.0)


def test_where_only_the_compiled_model_is_not_finite_it_says_so():
    with pm.Model() as model:
        pm.Normal("x")
    point = model.initial_point()
    probe = Probe("initial", point, np.nan, {"x": np.zeros(())})
    (finding,) = nonfinite_logp(Facts(model, None, (probe,)))
    assert "that of every factor is" in finding.message


@pytest.mark.parametrize("seed", range(5))
def test_every_cause_is_told_with_the_points_it_was_met_at(seed):
    """Two pairs: at one point a member may be in order and the other not."""
    with pm.Model() as model, interpreted():
        x, y = pm.Normal("x"), pm.Normal("y", shape=2)
        pm.Potential("right", pt.sqrt(x + 0.5))
        pm.Potential("left", pt.sqrt(0.5 - x))
        pm.Potential("first", pt.sqrt(pt.maximum(y[0] + 0.3, 0)))
        pm.Potential("second", pt.sqrt(pt.maximum(y[1] + 0.5, 0)))
        facts = gather(model, seed, 20)
    starts = [probe.point for probe in facts.of("jittered")]
    within = [point for point in starts if abs(point["x"]) < 0.5]  # with a log-density
    expected = {
        "right": sum(point["x"] < -0.5 for point in starts),
        "left": sum(point["x"] > 0.5 for point in starts),
        "first": sum(point["y"][0] < -0.3 for point in within),
        "second": sum(point["y"][1] < -0.5 for point in within),
    }
    found = [*finite.nonfinite_logp(facts), *finite.nonfinite_gradient(facts)]
    told = {}
    for finding in found:
        (number,) = re.findall(r"(\d+) of 10 jittered", finding.message) or [0]
        assert finding.factor not in told
        told[finding.factor] = int(number)
        gradient = finding.factor in ("first", "second")
        assert (finding.severity == "error") == (gradient and int(number) > 0)
    assert {name: told.get(name, 0) for name in expected} == expected


def test_where_no_start_is_good_every_cause_is_an_error():
    with pm.Model() as model:
        x = pm.Normal("x")
        pm.Potential("right", pt.sqrt(x))
        pm.Potential("left", pt.sqrt(-x))
    probes = [
        Probe(kind, {"x": np.array(at)}, logp, {"x": np.zeros(())})
        for kind, at, logp in (
            *(("initial", 0.0, 0.0), ("jittered", 1.0, np.nan), ("jittered", -1.0, np.nan)),
        )
    ]
    found = list(nonfinite_logp(Facts(model, None, tuple(probes))))
    assert {finding.factor: finding.severity for finding in found} == {
        "left": "error",
        "right": "error",
    }
    assert all("1 of 2 jittered" in finding.message for finding in found)


def test_looking_for_causes_ends(monkeypatch):
    monkeypatch.setattr(finite, "PATIENCE", -1.0)
    with pm.Model() as model:
        pm.Potential("p", pt.sqrt(pm.Normal("x")))
    probes = [
        Probe(kind, {"x": np.array(-1.0)}, np.nan, {"x": np.zeros(())})
        for kind in ("initial", "jittered", "jittered", "prior", "prior", "prior")
    ]
    facts = Facts(model, None, tuple(probes))
    (finding,) = nonfinite_logp(facts)
    assert "1 of 2 jittered starting points, 1 of 3 draws" in finding.message
    assert "not looked for at 3 of the points" in facts.notes[0]


@pytest.mark.parametrize(
    ("kinds", "severity"),
    [
        ({"initial": 1}, "error"),
        ({"jittered": 3}, "error"),
        ({"jittered": 1}, "warning"),
        ({"prior": 1}, "warning"),
        ({"corner": 1}, "hint"),
        ({}, None),
    ],
)
def test_the_grade_of_a_log_density_that_is_not_finite(kinds, severity):
    """PyMC draws another start where the log-density is not finite, as long as one is good."""
    with pm.Model() as model:
        x = pm.Normal("x")
        pm.Potential("p", pt.sqrt(10 - x))
    probes = [
        Probe(kind, {"x": np.array(20.0 if i < kinds.get(kind, 0) else 0.0)},
              np.nan if i < kinds.get(kind, 0) else 0.0, {"x": np.zeros(())})
        for kind, number in (("initial", 1), ("jittered", 3), ("prior", 3), ("corner", 3))
        for i in range(number)
    ]  # fmt: skip
    found = list(nonfinite_logp(Facts(model, None, tuple(probes))))
    assert [finding.severity for finding in found] == [severity] * (severity is not None)
    if found:
        assert found[0].factor == "p"
        assert "20" in found[0].expression or "-10" in found[0].message


def test_an_infinite_bound_harms_the_gradients_of_what_the_distribution_is_given():
    """Those by the variable itself and by the other bound are finite everywhere."""
    with pm.Model() as model:
        m = pm.Normal("m", -1)
        given = {"mu": 0, "sigma": 1, "lower": 0, "upper": pm.Data("up", np.inf)}
        pm.TruncatedNormal("nothing", **given)
        pm.TruncatedNormal("other_bound", **(given | {"lower": m}))
        pm.TruncatedNormal("location", **(given | {"mu": m}))
    with interpreted():
        start = model.initial_point()
    facts = Facts(model, None, (Probe("initial", start, 0.0, {"m": np.array(np.nan)}),))
    infinite = {f.factor: f.severity for f in bounds.runtime_infinite_bound(facts)}
    assert infinite == {"nothing": "hint", "other_bound": "hint", "location": "error"}
    assert {finding.factor for finding in diagnose(start, model).findings} == {"location"}


def test_a_variable_without_a_log_density_hides_nothing_else():
    with pm.Model() as model:
        x, up = pm.Normal("x"), pm.Data("up", np.inf)
        pm.Truncated("t", pm.VonMises.dist(x, 1), lower=-1, upper=up, observed=[0.1])
        pm.TruncatedNormal("V", x, 1, lower=0, upper=up, observed=[0.5])
        pm.Uniform("u", pm.Data("low", 2.0), 1, observed=[1.5])
    done = check_model(model, draws=3, random_seed=1)
    assert {(finding.factor, finding.rule) for finding in done.findings} == {
        *(("t", "no-logp"), ("t", "runtime-infinite-bound")),
        *(("V", "runtime-infinite-bound"), ("u", "inverted-bounds")),
    }
    (finding,) = diagnose(model=model).findings
    assert (finding.rule, finding.factor, finding.severity) == ("no-logp", "t", "error")
    assert "No other factor was examined" in str(diagnose(model=model))


def test_a_rule_that_raises_takes_nothing_with_it(monkeypatch):
    def broken_rule(facts):
        yield Finding("before", "hint", "found before it broke")
        raise ZeroDivisionError("no reason\nat all")

    monkeypatch.setattr(check, "RULES", (broken_rule, bounds.inverted_bounds))
    with pm.Model(), interpreted():
        pm.Uniform("u", pm.Data("low", 2.0), 1, observed=[1.5])
        done = check_model(draws=3, random_seed=1)
    assert {finding.rule for finding in done.findings} == {"before", "inverted-bounds"}
    assert done.notes == ("broken-rule could not be looked for: ZeroDivisionError: no reason",)


def test_flat_without_a_bound_is_worse_than_with_one():
    with pm.Model(), interpreted():
        z = pm.Flat("z", shape=2)
        u = pm.Uniform("u", 0, 1, default_transform=None)
        pm.Normal("y", z[0] + 0 * u, 1, observed=0.0)
        done = check_model(draws=5)
    found = {f.variable: f.severity for f in done.findings if f.rule == "flat-direction"}
    assert found == {"z": "error", "u": "warning"}


def test_no_whole_number_between_the_bounds():
    with pm.Model() as model:
        low, high = pm.Data("low", 2.2), pm.Data("high", 2.4)
        pm.Truncated("y", pm.Poisson.dist(3), lower=low, upper=high, observed=[2])
    (finding,) = findings_of("inverted-bounds", model)
    assert "no whole number" in finding.message
    assert finding.remedy is None  # their order is not what is wrong


@pytest.mark.parametrize("rule", ["runtime-infinite-bound", "tail-truncation"])
def test_distributions_that_are_mended_are_not_blamed(rule):
    """Models that were built before it was installed, too."""
    with pm.Model() as model:
        mu, rate = pm.Normal("mu", 0, 0.1), 1 + pm.HalfNormal("s", 0.1)
        upper = pm.Data("up", np.inf if rule == "runtime-infinite-bound" else 1 + 1e-12)
        between = {"lower": 1.0, "upper": upper, "observed": [1.0]}
        pm.TruncatedNormal("n", mu, 1, **between)
        pm.Truncated("e", pm.Exponential.dist(rate), **between)
    assert {finding.factor for finding in findings_of(rule, model)} == {"n", "e"}
    with pst.installed():
        assert not findings_of(rule, model)


def test_a_density_that_raises_beside_the_probes():
    with pm.Model(), interpreted():
        x = pm.Normal("x")
        pm.Potential("p", Assert("beyond the edge")(-(x**2), x < 0.1))
        done = check_model(draws=5, random_seed=1)
    # where it raises it is not finite, and beside the points where it does not it says nothing
    (finding,) = done.findings
    assert (finding.rule, finding.factor) == ("nonfinite-logp", "p")
    assert "beyond the edge" in finding.message


def test_a_factor_where_the_density_raises_beside_the_probes():
    facts = gaussian(a=1.0, b=1e8)
    here = [probe.point for probe in facts.probes]

    def only_here(point):
        if point not in here:
            raise AssertionError("beyond the edge")
        return facts.density(point)

    starts = tuple(facts.of("initial", "jittered"))  # no prior, so that gradients are compared
    assert list(unscaled_parameters(Facts(facts.model, only_here, starts)))


def test_the_points_that_were_looked_at_are_counted():
    facts = gaussian(a=1.0)
    probes = tuple(
        Probe(probe.kind, probe.point, probe.logp, {"a": -probe.point["a"] + 1.0})
        for probe in facts.of("jittered")[:2]
    )
    (finding,) = gradients.wrong_gradient(Facts(facts.model, facts.density, probes))
    assert "2 of the 2 starting points" in finding.message
    single = tuple(
        Probe(p.kind, {"a": np.float32(p.point["a"])}, p.logp, p.gradient) for p in probes
    )
    assert not list(gradients.wrong_gradient(Facts(facts.model, facts.density, single)))


def test_a_density_that_is_another_one_at_every_call_has_no_difference():
    with pm.Model(), interpreted():
        batch = pm.Minibatch(np.arange(100.0), batch_size=5)
        pm.Normal("y", pm.Normal("mu"), 1, observed=batch, total_size=100)
        done = check_model(draws=3, random_seed=1)
    assert "wrong-gradient" not in {finding.rule for finding in done.findings}
    assert any("another one at every call" in note for note in done.notes)


def test_no_rule_is_without_a_clinic():
    functions = {*EXPRESSIONS_ONLY.values(), *WITH_DENSITY.values(), unscaled_parameters}
    assert functions == set(RULES)
