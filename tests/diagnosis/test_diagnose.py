"""The walk back, on models whose sickness is known and on models in good health."""

import gc
import json
import pickle
import time
import weakref

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.pytensorf import compile, rewrite_pregrad
from pytensor.compile.mode import Mode
from pytensor.graph.fg import FunctionGraph
from pytensor.link.vm import VMLinker
from pytensor.scan.op import Scan

import pymc_safetrunc as pst
from pymc_safetrunc.diagnosis import (
    check_gradient,
    diagnose,
    examination,
    factors,
    loops,
    movement,
    provenance,
)
from pymc_safetrunc.diagnosis.errors import OutOfTime
from pymc_safetrunc.diagnosis.evaluation import Evaluation
from pymc_safetrunc.diagnosis.expression import Namer
from pymc_safetrunc.findings import Diagnosis, Finding
from tests.diagnosis.healthy import HEALTHY
from tests.diagnosis.sick import SICK
from tests.turns import in_turn

# PyTensor's own interpreter with every rewrite of a compiled function, and no C compiler
PYTHON = Mode(VMLinker(use_cloop=False, c_thunks=False), "fast_run")


def built(build):
    with pm.Model() as model:
        build()
    return model


def sick_model(name):
    (case,) = (case for case in SICK if case.name == name)
    return built(case.build)


@pytest.mark.parametrize("case", SICK, ids=[case.name for case in SICK])
def test_sick_model_is_blamed_on_the_right_operation(case):
    diagnosis = diagnose(model=built(case.build))
    (finding,) = (
        f
        for f in diagnosis.findings
        if (f.factor, f.quantity, f.variable) == (case.factor, case.quantity, case.variable)
    )
    assert finding.operation == case.operation
    assert finding.index == case.index
    assert finding.source == case.source
    assert finding.rule == (case.rule or f"nonfinite-{case.quantity}")
    assert finding.severity == case.severity
    assert not (diagnosis.ok and case.severity == "error")
    assert diagnosis.complete


@pytest.mark.usefixtures("without_c")
@pytest.mark.parametrize("build", HEALTHY, ids=[build.__name__ for build in HEALTHY])
def test_healthy_model_is_ok(build):
    diagnosis = diagnose(model=built(build))
    warnings = [(f.rule, f.severity) for f in diagnosis.findings]
    assert warnings == [("kink", "warning")] * (build.__name__ == "root_of_a_power_of_zero")
    assert diagnosis.ok
    assert diagnosis.notes == ()


def not_finite(model, mode):
    """What PyTensor's compiled functions say: pairs of quantity and factor or variable."""
    bad = set()
    point = model.initial_point()
    inputs = model.value_vars
    for term in [*model.free_RVs, *model.observed_RVs, *model.potentials]:
        total = rewrite_pregrad(model.logp(vars=[term]))
        outputs = {("logp", term.name, None): total}
        for value in model.continuous_value_vars:
            slope = pytensor.grad(total, value, disconnected_inputs="ignore")
            outputs["gradient", term.name, value.name] = slope
        function = compile(inputs, list(outputs.values()), mode=mode, on_unused_input="ignore")
        results = function(*(point[value.name] for value in inputs))
        bad |= {key for key, x in zip(outputs, results, strict=True) if not np.isfinite(x).all()}
    return bad


# their compiled functions raise: an index out of range, a user's Op, the inverse in a gradient
RAISES = {
    *("index_out_of_range", "users_op_that_raises", "determinant_of_a_singular_matrix"),
    *("branch_that_is_taken_and_raises", "lengths_that_do_not_fit"),
    "inverses_of_a_batch_with_a_singular_matrix",
}


@pytest.mark.parametrize(
    "build",
    in_turn([*(case.build for case in SICK if case.name not in RAISES), *HEALTHY]),
    ids=lambda build: build.__name__,
)
def test_verdict_is_that_of_the_compiled_function(build):
    model = built(build)
    with np.errstate(all="ignore"), pytensor.config.change_flags(cxx=""):
        expected = not_finite(model, PYTHON)
    found = {(f.quantity, f.factor, f.variable) for f in diagnose(model=model).findings}
    assert found == expected


@pytest.mark.parametrize("mode", ["NUMBA", "CVM", "FAST_COMPILE"])
def test_the_same_under_every_linker(mode):
    linker = Mode("cvm", "fast_run") if mode == "CVM" else mode
    for name in (
        "infinite_bound_as_data",
        "log_of_a_negative",
        "recurrence_that_leaves_its_domain",
    ):
        plain = diagnose(model=sick_model(name))
        with pytensor.config.change_flags(mode=linker):
            other = diagnose(model=sick_model(name))
        assert other.findings == plain.findings


@pytest.mark.parametrize("name", ["infinite_bound_as_data", "fractional_power_at_zero"])
def test_verdict_is_that_of_the_default_backend(name):
    model = sick_model(name)
    found = {(f.quantity, f.factor, f.variable) for f in diagnose(model=model).findings}
    assert found == not_finite(model, None)


def test_seed_model_names_the_data():
    with pm.Model() as model:
        s = pm.InverseGamma("s", 2, 3)
        up = pm.Data("up", np.inf)
        pm.TruncatedNormal("V", 0, s, lower=0, upper=up)  # a free variable this time
    findings = diagnose(model=model).findings
    assert findings
    assert {f.rule for f in findings} == {"runtime-infinite-bound"}
    assert {f.source for f in findings} == {"up"}


def test_follows_a_switch_at_every_element():
    x = np.array([1.0, -1.0, 0.0, 4.0])
    with pm.Model() as model:
        b = pm.Normal("b", initval=1.0)
        # both branches are bad somewhere; only entry 2 takes the bad one
        pm.Potential("p", pt.switch(b * x < 0, pt.exp(b * x), pt.log(b * x)))
    finding = diagnose(model=model).findings[0]
    assert (finding.operation, finding.index) == ("Log", (2,))


def test_index_of_the_observation_behind_an_indexed_group():
    with pm.Model() as model:
        effect = pm.Normal("effect", shape=3, initval=np.array([0.0, 0.0, 720.0]))
        pm.Poisson("y", mu=pt.exp(effect)[np.array([0, 1, 0, 2])], observed=[1, 2, 0, 3])
    finding = diagnose(model=model).findings[0]
    assert finding.rule == "exp-overflow"
    assert finding.index == (3,)


@pytest.mark.parametrize(
    ("family", "arguments", "observed", "interval"),
    [
        (pm.Uniform, {"lower": 0, "upper": 2}, [0.5, 2.5], "[0, 2]"),
        (pm.Beta, {"alpha": 1, "beta": 2}, [0.5, 1.5], "[0, 1]"),
        (pm.Exponential, {"lam": 1}, [0.5, -1.5], "[0, inf)"),
        (pm.TruncatedNormal, {"lower": -1, "upper": 2}, [0.5, 2.5], "[-1, 2]"),
        (pst.TruncatedNormal, {"upper": [3.0, 2.0]}, [0.5, 2.5], "(-inf, 2]"),
        (pm.Binomial, {"n": 5, "p": 0.5}, [3, 7], "the support"),
    ],
)
def test_the_interval_that_a_value_lies_outside_of_is_named(family, arguments, observed, interval):
    with pm.Model() as model:
        family("y", **arguments, observed=observed)
    (finding,) = diagnose(model=model).findings
    assert f"value outside {interval} (entry 1)" in finding.message
    assert finding.source == "y"


@pytest.mark.parametrize("upper", [10.0, -1.0])
def test_streamed_operations_give_what_arrays_give(monkeypatch, upper):
    """Checks that hold or not, broadcasting, sums, and a reduction that needs the whole array."""
    from pymc_safetrunc.diagnosis import evaluation, streaming

    with pm.Model() as model:
        mu, s = pm.Normal("mu", shape=40), pm.HalfNormal("s", shape=(30, 1))
        x = pm.Data("x", np.linspace(-1, 1, 1200).reshape(30, 40))
        pm.Normal("y", mu * x, s, observed=np.ones((30, 40)))
        a, b = pm.Normal("a"), pm.HalfNormal("b")
        up = pm.Data("up", upper)
        pm.TruncatedNormal("t", a, b, lower=0, upper=up, observed=np.linspace(0.1, 2, 1200))
        pm.Potential("p", pt.special.log_softmax(mu * x + s, axis=1).max(axis=0))
    values = {}
    for block in (1 << 20, 64):
        monkeypatch.setattr(streaming, "BLOCK", block)
        for factor in examination.factors_of(model):
            point = model.initial_point()
            inputs = factor.inputs | {v: point[v.name] + 0.1 for v in model.value_vars}
            run = evaluation.Evaluation(factor.fgraph, inputs, 0, np.inf)
            run.prepare(list(factor.outputs.values()))
            for key, output in factor.outputs.items():
                values.setdefault((factor.name, key), []).append(run.value(output))
    assert len(values) == 17
    assert all(np.isneginf(x) == (upper < 0) for x in values["t", ("logp", None)])
    for whole, streamed in values.values():
        # sums of at most 1,200 terms in another order
        np.testing.assert_allclose(streamed, whole, rtol=1e-12, atol=1e-12)


def test_blocks_give_what_one_piece_gives(monkeypatch):
    x = np.linspace(0.5, 2, 1000)
    x[777] = 0
    with pm.Model() as model:
        b = pm.Normal("b", initval=1.0)
        pm.Potential("p", pt.log(b * x).sum())
    whole = diagnose(model=model).findings
    from pymc_safetrunc.diagnosis import streaming

    monkeypatch.setattr(streaming, "BLOCK", 64)
    assert diagnose(model=model).findings == whole
    assert whole[0].index == (777,)


def test_dropped_arrays_are_computed_again(monkeypatch):
    """A budget of nothing changes no verdict."""
    from pymc_safetrunc.diagnosis import evaluation

    name = "poisson_with_an_unscaled_covariate"
    expected = diagnose(model=sick_model(name)).findings
    monkeypatch.setattr(evaluation, "SMALL", 0)
    monkeypatch.setattr(examination, "SMALLEST_BUDGET", 0)
    monkeypatch.setattr(examination, "model_data_bytes", lambda *_: 0)
    assert diagnose(model=sick_model(name)).findings == expected


def test_stops_early_and_says_so(monkeypatch):
    monkeypatch.setattr(examination, "TIME_LIMIT", 0.0)
    with pm.Model() as model:
        pm.Normal("a")
        pm.Normal("b")
    time.sleep(0.01)
    diagnosis = diagnose(model=model)
    assert not diagnosis.complete
    assert not diagnosis.ok
    assert "a, b" in diagnosis.notes[0]
    assert "stopped early" in str(diagnosis)


def test_what_was_found_is_kept_when_time_runs_out(monkeypatch):
    traced = []

    def trace(*arguments):
        traced.append(arguments)
        if len(traced) > 1:
            raise OutOfTime
        return provenance.trace(*arguments)

    monkeypatch.setattr(examination, "trace", trace)
    with pm.Model() as model:
        x = pm.Normal("x", initval=0.0)
        pm.Potential("p", pt.log(pt.abs(x)))  # a log-density, and then a gradient
    diagnosis = diagnose(model=model)
    assert [(f.factor, f.quantity) for f in diagnosis.findings] == [("p", "logp")]
    assert not diagnosis.complete
    assert diagnosis.factors == ("x",)
    assert "not examined in full: p" in diagnosis.notes[0]


def scan_node(step, n_steps):
    x0 = pt.dscalar("x0")
    xs = pytensor.scan(step, outputs_info=[x0], n_steps=n_steps, return_updates=False)
    fgraph = FunctionGraph([x0], [xs[-1]], clone=False)
    (node,) = (node for node in fgraph.toposort() if isinstance(node.op, Scan))
    return node, Evaluation(fgraph, {x0: np.asarray(1.0)}, 1 << 20, np.inf)


def test_looking_into_a_loop_ends_when_time_runs_out():
    node, evaluation = scan_node(lambda x: pt.exp(x), 10)
    arguments = [evaluation.value(x) for x in node.inputs]
    found = loops.first_inside(node, arguments, Namer(), np.inf)
    assert found.step.operation == "Exp"
    with pytest.raises(OutOfTime):
        loops.first_inside(node, arguments, Namer(), time.monotonic() - 1)


def test_a_loop_in_a_loop_ends_when_time_runs_out():
    def outer(x):
        inner = pytensor.scan(
            lambda y: pt.tanh(y) + x, outputs_info=[x], n_steps=1_000_000, return_updates=False
        )
        return inner[-1]

    node, evaluation = scan_node(outer, 2)
    arguments = [evaluation.value(x) for x in node.inputs]
    started = time.monotonic()
    with pytest.raises(OutOfTime):
        loops.run_scan(node, arguments, started + 1)
    # a million steps in Python take more than ten seconds; linking the loops takes some too
    assert time.monotonic() - started < 5


def test_factors_built_before_a_stop_are_kept(monkeypatch):
    made = []
    build = factors._factor
    monkeypatch.setattr(factors, "_factor", lambda *given: made.append(given) or build(*given))
    with pm.Model() as model:
        pm.Normal("a")
        pm.Normal("b")
    first = next(factors.factors_of(model))
    assert [factor.name for factor in factors.factors_of(model)] == ["a", "b"]
    assert next(factors.factors_of(model)) is first
    assert len(made) == 2


def test_entry_that_was_added_among_many_bad_ones():
    part = np.ones(1000)
    part[100:900] = np.nan
    base, given = pt.dvector(), pt.dvector()
    target = pt.inc_subtensor(base[pt.as_tensor(np.arange(1000)[::-1].copy())], given)
    arguments = [np.zeros(1000), part, np.arange(1000)[::-1]]
    assert movement.moved_from(target.owner, target, (200,), arguments) == (1, (799,))
    assert movement.moved_from(target.owner, target, (950,), arguments) is None


def test_an_overflow_inside_a_composite_is_named():
    """PyTensor writes k**3 as a Composite inside a Composite."""
    with pm.Model() as model:
        k = pm.Normal("k", initval=-1e120)
        pm.Potential("growth", pt.pow(k, 3))
    (finding,) = diagnose(model=model).findings
    assert finding.operation == "Mul"
    assert finding.expression == "k**2 * k = -inf, where k**2 = 1e+240, k = -1e+120"
    assert "held_power(k, 3)" in finding.remedy


@pytest.mark.parametrize(
    ("function", "at", "words"),
    [
        (lambda x: pt.log10(pt.abs(x)), 0.0, "safe_log10(abs(x))"),
        (pt.log2, -1.0, "log2_where_positive(x)"),
        (lambda x: pt.log(1 - x), 1.0, "safe_log1p(-x)"),
        (pt.log1p, -3.0, "1 + x is -2"),
        (pt.log1mexp, 1.0, "1 - exp(x) is -1.71828"),
        (lambda x: -pt.exp2(x), 2000.0, "exp2 overflows beyond 1023"),
        (lambda x: -pt.sinh(-x), 800.0, "sinh overflows beyond 710"),
        (lambda x: pt.log10(pt.exp(x) + pt.exp(2 * x)), -800.0, "np.log(10.0)"),
    ],
)
def test_words_name_the_users_function_and_operand(function, at, words):
    with pm.Model() as model:
        x = pm.Cauchy("x", 0, 1, initval=at)
        pm.Potential("p", function(x))
    finding = next(f for f in diagnose(model=model).findings if f.quantity == "logp")
    assert words in finding.message + finding.remedy


def test_remedy_of_a_gradient_is_its_own_unless_the_cause_is_the_same():
    model = sick_model("root_of_zero_beside_a_logarithm_of_zero")
    density, by_x, by_y = diagnose(model=model).findings
    assert "safe_log(abs(x))" in density.remedy
    assert by_x.remedy == density.remedy  # sign(x) / abs(x) is the logarithm's derivative
    assert "safe_sqrt(sum(y**2))" in by_y.remedy


def test_wrong_constant_is_named_with_its_value():
    with pm.Model() as model:
        pst.TruncatedNormal("x", 0, -1.5, lower=0, upper=3)
    findings = diagnose(model=model).findings
    assert {f.rule for f in findings} == {"invalid-parameter"}
    assert {f.source for f in findings} == {"sigma"}
    assert all("sigma is -1.5" in f.message for f in findings)
    assert findings[0].expression == "0 < sigma < inf = False, where sigma = -1.5"


def test_swapped_bounds_of_a_free_variable_come_first():
    with pm.Model() as model:
        lo, up = pm.Data("lo", 3.0), pm.Data("up", 2.0)
        z = pm.Uniform("z", lo, up)
        pm.Normal("y", z, 1, observed=[1.0])
    findings = diagnose(model=model).findings
    assert [f.rule for f in findings if f.factor == "z"] == 2 * ["inverted-bounds"]
    assert (findings[0].factor, findings[0].source) == ("z", "lo")
    assert "lower = 3 and upper = 2 (from lo and up)" in findings[0].message


@pytest.mark.parametrize("operation", [pt.linalg.cholesky, lambda m: pt.log(pt.linalg.det(m))])
def test_jitter_of_a_matrix_of_zeros_is_not_zero(operation):
    with pm.Model() as model:
        a = pm.Normal("a", initval=0.0)
        pm.Potential("p", operation(a * np.array([[1.0, 2.0], [2.0, 1.0]])).sum())
    remedy = diagnose(model=model).findings[0].remedy
    assert "jitter=1e-08" in remedy


def test_op_without_gradient_is_noted():
    @pytensor.wrap_py(itypes=[pt.dscalar], otypes=[pt.dscalar])
    def square(x):
        return np.asarray(-(x**2))

    with pm.Model() as model:
        x = pm.Normal("x")
        pm.Potential("p", square(x))
    diagnosis = diagnose(model=model)
    assert diagnosis.ok
    assert "p: no gradient with respect to x" in diagnosis.notes[0]


def test_point_is_in_the_users_space():
    with pm.Model() as model:
        s = pm.HalfNormal("s")
        pm.Deterministic("twice", 2 * s)
        pm.Normal("y", 0, s, observed=[1.0])
    assert diagnose({"s_log__": 0.0}, model).ok
    assert diagnose({"s_log__": 0.0, "s": 1.0, "twice": 2.0}, model).ok  # as a draw has them
    assert not diagnose({"s_log__": -1e3}, model).ok
    with model:
        assert diagnose().ok


@pytest.mark.parametrize(
    ("point", "error", "words"),
    [
        ({}, ValueError, "Missing: ['s_log__']"),
        ({"s_log__": 0.0, "t": 1.0}, ValueError, "Not variables of this model: ['t']"),
        ({"s_log__": [0.0, 1.0]}, ValueError, "s_log__ has shape (); point gives an array of"),
        ([0.0], TypeError, "must be a dictionary"),
    ],
)
@pytest.mark.parametrize("function", [diagnose, check_gradient])
def test_wrong_point_is_refused_in_words(function, point, error, words):
    with pm.Model() as model:
        pm.HalfNormal("s")
    with pytest.raises(error) as caught:
        function(point, model)
    assert words in str(caught.value)


@pytest.mark.parametrize("how", ["constant", "dims", "data"])
def test_an_array_of_another_shape_is_the_points_fault(how):
    with pm.Model(coords={"row": range(3)}) as model:
        data = pm.Data("data", np.ones(3))
        kwargs = {"constant": {"shape": 3}, "dims": {"dims": "row"}, "data": {"shape": data.shape}}
        x = pm.HalfNormal("x", **kwargs[how])
        pm.Normal("y", x, 1, observed=np.zeros(3))
    assert diagnose({"x_log__": np.zeros(3)}, model).ok
    with pytest.raises(ValueError, match=r"x_log__ has shape \(3,\); point gives .* \(2,\)"):
        diagnose({"x_log__": np.zeros(2)}, model)


@pytest.mark.parametrize("function", [diagnose, check_gradient])
def test_what_is_no_model_is_refused_by_the_name_of_the_caller(function):
    call = rf"{function.__name__}\(model=model\)"
    with pytest.raises(TypeError, match=rf"takes a pymc.Model; got str: write {call}"):
        function({}, "model")
    with pytest.raises(TypeError, match=rf"none is in context: write {call}"):
        function()
    with pytest.raises(TypeError, match=rf"point comes first: write {call}"):
        function(pm.Model())


def test_the_users_model_is_left_alone():
    model = sick_model("infinite_bound_as_data")
    before = pytensor.printing.debugprint(model.logp(), file="str")
    diagnose(model=model)
    assert pytensor.printing.debugprint(model.logp(), file="str") == before


def test_check_bounds_off_is_honoured():
    """Without PyMC's checks the compiled function has none, and neither has the diagnosis."""
    with pm.Model(check_bounds=False) as model:
        s = pm.Normal("s", initval=-1.0)
        pm.Normal("y", 0, s, observed=[0.1, 0.2])
    (logp, *_) = diagnose(model=model).findings
    assert (logp.rule, logp.operation) == ("log-of-negative", "Log")


def test_data_and_variables_may_change_between_calls():
    with pm.Model() as model:
        x = pm.Data("x", [1.0, 2.0])
        b = pm.Normal("b")
        pm.Normal("y", b * x, 1, observed=[0.0, 1.0])
    assert diagnose(model=model).ok
    with model:
        pm.set_data({"x": [1.0, np.inf]})
    assert diagnose(model=model).findings[0].source == "x"
    with model:
        pm.set_data({"x": [1.0, 2.0]})
        pm.Potential("late", pt.log(pt.abs(b)))
    assert diagnose(model=model).findings[0].factor == "late"


def test_a_model_is_not_kept_alive():
    model = sick_model("infinite_bound_as_data")
    diagnose(model=model)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_survives_pickling_and_json():
    diagnosis = diagnose(model=sick_model("infinite_bound_as_data"))
    assert pickle.loads(pickle.dumps(diagnosis)) == diagnosis
    content = json.loads(json.dumps(diagnosis.to_dict()))
    assert content["findings"][0]["source"] == "up"
    assert content["ok"] is False


def test_frozen():
    finding = Finding("r", "error", "m")
    with pytest.raises(AttributeError):
        finding.rule = "other"
    assert Diagnosis().ok
