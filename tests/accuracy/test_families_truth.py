"""The stored truth of the families against routes that share nothing with what made it."""

import pymc as pm
import pytensor
import pytest

from tests.accuracy import budget
from tests.accuracy.families import cases, evaluation, families

# What float64 keeps of a log-density that is not far from one.
FLOAT64 = 1e-11
# Interpreted and not rewritten: nothing here is run twice.
PLAIN = pytensor.compile.mode.Mode(linker="py", optimizer=None)


@pytest.mark.parametrize("name", families())
def test_parameters_are_those_of_pymc(name):
    """With no bound at all a truncated law is PyMC's own."""
    family, _ = families()[name]
    table = cases(name)
    whole = {k: v[table["label"] == "whole"] for k, v in table.items()}
    columns = evaluation.arguments(family, whole)
    parameters = dict(zip(family.kinds, columns, strict=False))
    logp = pm.logp(evaluation.untruncated(family, parameters), columns[-1])
    assert len(whole["logp"]) >= 3
    assert budget.error(logp.eval(mode=PLAIN), whole["logp"], 1.0).max() < FLOAT64


@pytest.mark.parametrize("name", families())
def test_there_are_cases_enough(name):
    table = cases(name)
    assert len(table["value"]) >= 100
    assert (table["lower"] <= table["value"]).all()
    assert (table["value"] <= table["upper"]).all()
