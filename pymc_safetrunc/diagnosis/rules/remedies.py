"""Code that mends: each runs as it stands and defines what to write in place of what failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymc_safetrunc.diagnosis.rules.support import Bound, Side

__all__ = [
    "absolute",
    "bounded_scale",
    "clipped",
    "finite_rows",
    "held",
    "held_power",
    "inside",
    "log_sum_exp",
    "log_where_positive",
    "positive",
    "safe_class",
    "safe_divide",
    "safe_log",
    "safe_power",
    "safe_product",
    "safe_sqrt",
    "where",
    "with_jitter",
]


def safe_class(name: str, call: str, *, named_dims: bool = False) -> str:
    """Take a distribution of this package in place of PyMC's."""
    theirs, ours = ("pymc.dims", "pst.dims") if named_dims else ("pm", "pst")
    return f"""\
import pymc_safetrunc as pst

# same arguments: write it in place of {theirs}.{name}
{name} = {ours}.{name}
# {call}
"""


# function: its argument held where it is finite, and what its argument has to be
_LOGS = {
    "log": ("pt.maximum(x, 1e-300)", "x > 0"),
    "log2": ("pt.maximum(x, 1e-300)", "x > 0"),
    "log10": ("pt.maximum(x, 1e-300)", "x > 0"),
    "log1p": ("pt.maximum(x, -1 + 2.0**-53)", "x > -1"),
    "log1mexp": ("pt.minimum(x, -1e-300)", "x < 0"),
}
_ALSO = {"log1p": " or pt.log(1 + x)", "log1mexp": " or pt.log(1 - pt.exp(x))"}


def safe_log(operand: str, function: str = "log") -> str:
    """Give a logarithm held above log(0)."""
    inside, _ = _LOGS[function]
    return f"""\
import pytensor.tensor as pt

def safe_{function}(x):
    \"\"\"{function}(x), held at a finite value where it is -inf.\"\"\"
    return pt.{function}({inside})

# in place of pt.{function}(x){_ALSO.get(function, "")}: safe_{function}({operand})
"""


def log_where_positive(operand: str, function: str = "log") -> str:
    """Give a logarithm that rejects what has none."""
    inside, needed = _LOGS[function]
    return f"""\
import numpy as np
import pytensor.tensor as pt

def {function}_where_positive(x):
    \"\"\"{function}(x), and -inf, which rejects the point, unless {needed}.\"\"\"
    return pt.switch({needed}, pt.{function}({inside}), -np.inf)

# in place of pt.{function}(x){_ALSO.get(function, "")}: {function}_where_positive({operand})
"""


def log_sum_exp(operand: str, function: str = "log") -> str:
    """Give a sum on the log scale."""
    base = {"log2": " / np.log(2.0)", "log10": " / np.log(10.0)"}.get(function, "")
    return f"""\
import numpy as np
import pymc as pm
import pytensor.tensor as pt

def log_sum_exp(*terms):
    \"\"\"{function}(exp(a) + exp(b) + ...) without leaving the log scale.\"\"\"
    terms = pt.stack(pt.broadcast_arrays(*terms))
    return pm.math.logsumexp(terms, axis=0, keepdims=False){base}

# in place of the {function} of {operand}: log_sum_exp(a, b, ...) with the natural logarithms of
# its terms
"""


def clipped(function: str, low: str | None, high: str, operand: str) -> str:
    """Give a function held at its value at one end, or at two."""
    held = f"pt.minimum(x, {high})" if low is None else f"pt.clip(x, {low}, {high})"
    ends = high if low is None else f"{low} and {high}"
    return f"""\
import pytensor.tensor as pt

def safe_{function}(x):
    \"\"\"{function}(x), held at its value at {ends} beyond.\"\"\"
    return pt.{function}({held})

# in place of pt.{function}: safe_{function}({operand}); better, standardise what goes into it
"""


def safe_power(base: str, exponent: str) -> str:
    """Give a power held within the floats."""
    return f"""\
import pytensor.tensor as pt

def safe_power(x, p):
    \"\"\"x**p with x held at or above 1e-100 and the result between 1e-300 and 1e300.\"\"\"
    return pt.exp(pt.clip(p * pt.log(pt.maximum(x, 1e-100)), -690.0, 690.0))

# in place of ({base})**{exponent}: safe_power({base}, {exponent})
"""


def held_power(base: str, exponent: str) -> str:
    """Give a power of a base, of either sign, held where the power is a float."""
    return f"""\
import pytensor.tensor as pt

def held_power(x, p):
    \"\"\"x**p, x held where the power is below 1e300.\"\"\"
    largest = pt.constant(10.0, dtype="float64") ** (300 / p)
    return pt.clip(x, -largest, largest) ** p

# in place of ({base})**{exponent}: held_power({base}, {exponent}); better, standardise {base}
"""


def safe_sqrt(operand: str) -> str:
    """Give a square root with a finite slope at 0."""
    return f"""\
import pytensor.tensor as pt

def safe_sqrt(x):
    \"\"\"Square root with slope 0, not infinity, at 0 and below.\"\"\"
    return pt.sqrt(pt.maximum(x, 1e-300))

# in place of pt.sqrt: safe_sqrt({operand})
# It makes all x below 0 the same. Where x is not to be there, give it a prior that is not, such as
# pst.TruncatedNormal("x", ..., lower=0).
"""


def safe_divide(numerator: str, denominator: str) -> str:
    """Give a quotient that is 0 where its denominator is."""
    return f"""\
import pytensor.tensor as pt

def safe_divide(a, b):
    \"\"\"a / b, and 0 where b is 0; the gradient is 0 there too.\"\"\"
    zero = pt.eq(b, 0)
    return pt.switch(zero, 0, a / pt.switch(zero, 1, b))

# in place of a / b: safe_divide({numerator}, {denominator})
"""


def safe_product() -> str:
    """Give a product that is 0 where its first factor is."""
    return """\
import pytensor.tensor as pt

def safe_product(a, b):
    \"\"\"a * b, and 0 where a is 0, however large b is.\"\"\"
    zero = pt.eq(a, 0)
    return pt.switch(zero, 0, a * pt.switch(zero, 1, b))
"""


def bounded_scale(operand: str) -> str:
    """Give a scale that cannot underflow."""
    return f"""\
import pytensor.tensor as pt

def bounded_scale(scale):
    \"\"\"A scale that cannot underflow to 0.\"\"\"
    return pt.maximum(scale, 1e-100)

# in place of {operand}: bounded_scale({operand})
"""


def held(*operands: str, limit: str = "1e10") -> str:
    """Give a number held between finite limits."""
    calls = ", ".join(f"held({operand})" for operand in operands)
    return f"""\
import pytensor.tensor as pt

def held(x, limit={limit}):
    \"\"\"x between -limit and limit, so that no infinity enters the arithmetic.\"\"\"
    limit = pt.constant(limit, dtype="float64")
    return pt.clip(x, -limit, limit)

# in place of {", ".join(operands)}: {calls}
"""


def absolute(operand: str) -> str:
    """Give the absolute value, whose gradient at 0 is 0."""
    return f"""\
import pytensor.tensor as pt

root_of_square = pt.abs

# in place of pt.sqrt(({operand})**2): pt.abs({operand}), whose gradient at 0 is 0
"""


def inside(value: str, bounds: Mapping[Side, Bound]) -> str:
    """Tell the observations that a distribution can have made from the others."""
    signs = {"lower": ">", "upper": "<"}
    arguments, tests, call = ["y"], [], ["y"]
    for side, bound in bounds.items():
        default = f"{bound.value!r}" if bound.name is None else "None"
        arguments.append(f"{side}={default}")
        tests.append(f"(y {signs[side]}{'' if bound.strict else '='} {side})")
        call += [f"{side}={bound.name}"] * (bound.name is not None)
    return f"""\
import numpy as np

def inside({", ".join(arguments)}):
    \"\"\"Which observations the distribution can have made.\"\"\"
    y = np.asarray(y)
    return {" & ".join(tests)}

# before the model, for y = {value} and what shares its rows: keep = inside({", ".join(call)})
# and then y[keep]; or widen the bounds, or model such values
"""


def finite_rows(name: str) -> str:
    """Give arrays without their rows that are not finite."""
    return f"""\
import numpy as np

def finite_rows(*arrays):
    \"\"\"The arrays without the rows in which one of them is not finite.\"\"\"
    arrays = [np.asarray(array) for array in arrays]
    keep = np.all([np.isfinite(a).reshape(len(a), -1).all(axis=1) for a in arrays], axis=0)
    return [array[keep] for array in arrays]

# before the model, with all arrays that share {name}'s rows: x, y = finite_rows(x, y)
"""


def with_jitter(jitter: float, operand: str) -> str:
    """Give a matrix with something added to its diagonal."""
    return f"""\
import pytensor.tensor as pt

def with_jitter(matrix, jitter={jitter:g}):
    \"\"\"The matrix with something added to its diagonal.\"\"\"
    return matrix + jitter * pt.eye(matrix.shape[-1])

# in place of {operand}: with_jitter({operand})
"""


def where(operand: str) -> str:
    """Give a branch that never sees what it is not for."""
    return f"""\
import pytensor.tensor as pt

def where(condition, function, x, otherwise, harmless=1.0):
    \"\"\"function(x) where the condition holds; elsewhere the function never sees x.\"\"\"
    return pt.switch(condition, function(pt.switch(condition, x, harmless)), otherwise)

# in place of pt.switch(c, f(x), other): where(c, f, x, other), with x = {operand}
"""


def positive(operand: str) -> str:
    """Give a positive number from any."""
    return f"""\
import pymc as pm

def positive(x):
    \"\"\"log(1 + exp(x)): positive for every x, and close to x where x is large.\"\"\"
    return pm.math.log1pexp(x) + 1e-6

# in place of {operand}: positive({operand}); or give it a prior on the positive numbers
"""
