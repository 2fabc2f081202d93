"""``Truncated`` of every family against the stored truth: log-density and all gradients."""

import pytest

from pymc_safetrunc.distributions.truncated import Truncated
from tests.accuracy.families import budget, evaluation, families

CLOSED = [name for name in families() if budget.route(name) == "closed"]


def judge(name, mode):
    table, got = evaluation.evaluated(name, Truncated.dist, mode)
    complaints = []
    for column, numbers in got.items():
        errors = budget.errors(table, column, numbers)
        limit = budget.limit(name, column)
        beyond = int((errors > limit).sum())
        if beyond:
            worst = budget.worst(table, errors)
            complaints.append(f"{column}: {beyond} of {len(errors)} beyond {limit:g}\n{worst}")
    assert not complaints, "\n".join(complaints)


# One of each way to a mass. The others are left to the soak, since each compiles for half a minute.
SPOKESMEN = ("Exponential", "Poisson")
ELSEWHERE = ("LogNormal",)


def by(spokesmen, names):
    return [n if n in spokesmen else pytest.param(n, marks=pytest.mark.soak) for n in names]


@pytest.mark.parametrize("name", by(SPOKESMEN, families()))
def test_numba(name):
    judge(name, "NUMBA")


@pytest.mark.filterwarnings("ignore:Skipping (Check|Assert)")  # JAX cannot raise
@pytest.mark.parametrize("mode", ["CVM", "JAX"])
@pytest.mark.parametrize("name", by(ELSEWHERE, CLOSED))
def test_closed_form_elsewhere(name, mode):
    judge(name, mode)
