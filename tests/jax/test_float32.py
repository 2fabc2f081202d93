"""JAX with x64 off, as PyTensor leaves it when floatX is float32: a budget of its own.

What is computed wholly in float32 cannot have more than its digits; inputs are rounded first, and
the truth is the float64 function at the rounded inputs, which has its own test against mpmath.
Errors are of the natural scale as in `tests.accuracy.budget`, densities at the bounds of 1e-20
(float32 ends at 1e-38) over sigma.
"""

import subprocess
import sys

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

import pymc_safetrunc as pst
from tests import optional
from tests.accuracy import budget
from tests.accuracy.test_truncated_normal import COLUMNS, INPUTS

optional.require("jax")

# Measured 1.4e-6, 1.3e-7 (d_x), 9.3e-6 and 8.8e-6 (bounds) over 20,000 rows of the table.
LOGP_LIMIT = 3e-6
GRADIENT_LIMIT = 2e-5
SMALLEST_DENSITY = 1e-20
# Beyond, a float32 or a square of one overflows.
LARGEST = 1e30

FIRST = COLUMNS[:6]


def outputs_of(variables):
    logp = pst.math.truncated_normal_logpdf(*variables)
    return [logp, *pt.grad(logp.sum(), variables)]


EVALUATE = """
import sys
import numpy as np
import pytensor
pytensor.config.floatX = "float32"
import pytensor.tensor as pt
from tests.jax.test_float32 import INPUTS, FIRST, outputs_of

variables = [pt.fvector(name) for name in INPUTS]
function = pytensor.function(variables, outputs_of(variables), mode="JAX")
with np.load(sys.argv[1]) as inputs:
    results = function(*(inputs[name] for name in INPUTS))
import jax
assert not jax.config.jax_enable_x64
assert all(result.dtype == "float32" for result in results)
np.savez(sys.argv[2], **dict(zip(FIRST, results, strict=True)))
"""


@pytest.fixture(scope="module")
def rounded():
    """Rows of the table as float32, where that leaves a law and a value inside its bounds."""
    table = budget.load("truncated_normal")
    with np.errstate(over="ignore"):
        x, mu, sigma, lower, upper = (table[name].astype("float32") for name in INPUTS)
    usable = (lower < upper) & (lower <= x) & (x <= upper) & np.isfinite(x) & np.isfinite(mu)
    usable &= (sigma > 1 / LARGEST) & (sigma < LARGEST)
    columns = dict(zip(INPUTS, (x, mu, sigma, lower, upper), strict=True))
    sd = {name: table[name] for name in ("sd_x", "sd_square")}
    return {name: column[usable] for name, column in (columns | sd).items()}


@pytest.fixture(scope="module")
def evaluated(rounded, tmp_path_factory):
    """Evaluate in a process of its own: floatX is a setting of the whole process."""
    folder = tmp_path_factory.mktemp("float32")
    np.savez(folder / "inputs.npz", **{name: rounded[name] for name in INPUTS})
    subprocess.run(
        [sys.executable, "-c", EVALUATE, folder / "inputs.npz", folder / "results.npz"], check=True
    )
    with np.load(folder / "results.npz") as results:
        return dict(results)


@pytest.fixture(scope="module")
def truth(rounded):
    variables = [pt.dvector(name) for name in INPUTS]
    function = pytensor.function(variables, outputs_of(variables))
    results = function(*(rounded[name].astype("float64") for name in INPUTS))
    return dict(zip(FIRST, results, strict=True))


@pytest.mark.parametrize("column", FIRST)
def test_within_float32_budget(rounded, evaluated, truth, column):
    table = {name: values.astype("float64") for name, values in rounded.items()}
    with np.errstate(over="ignore"):
        scale = budget.scales(table)[column]
    if column in ("d_lower", "d_upper"):
        scale = SMALLEST_DENSITY / table["sigma"]
    representable = np.all([np.abs(truth[name]) < LARGEST for name in FIRST], axis=0)
    assert representable.sum() > 20_000
    errors = budget.error(evaluated[column], truth[column], scale)[representable]
    limit = LOGP_LIMIT if column == "logp" else GRADIENT_LIMIT
    assert errors.max() <= limit


@pytest.mark.parametrize("column", FIRST)
def test_never_nan(evaluated, column):
    assert not np.isnan(evaluated[column]).any()
