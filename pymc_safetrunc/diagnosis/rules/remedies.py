"""Code that mends: each runs as it stands and defines what to write in place of what failed."""

from __future__ import annotations

__all__ = [
    "bounded_scale",
    "clipped",
    "finite_or_none",
    "finite_rows",
    "held",
    "held_power",
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


def safe_class(name: str, call: str) -> str:
    """Take a distribution of this package in place of PyMC's."""
    return f"""\
import pymc_safetrunc as pst

# same arguments: write it in place of pm.{name}
{name} = pst.{name}
# {call}
"""


def finite_or_none(call: str) -> str:
    """Give None for a bound that is infinite throughout."""
    return f"""\
import numpy as np

def finite_or_none(bound):
    \"\"\"None, which PyMC understands, in place of a bound that is infinite throughout.\"\"\"
    values = bound.get_value() if hasattr(bound, "get_value") else np.asarray(bound)
    return None if np.isinf(values).all() else bound

# {call}
"""


def safe_log(operand: str) -> str:
    """Give a logarithm held above log(0)."""
    return f"""\
import pytensor.tensor as pt

def safe_log(x):
    \"\"\"log(x), held at log(1e-300) where x is 0.\"\"\"
    return pt.log(pt.maximum(x, 1e-300))

# in place of pt.log: safe_log({operand})
"""


def log_where_positive(operand: str) -> str:
    """Give a logarithm that rejects what is not positive."""
    return f"""\
import numpy as np
import pytensor.tensor as pt

def log_where_positive(x):
    \"\"\"log(x), and -inf, which rejects the point, where x is not positive.\"\"\"
    return pt.switch(x > 0, pt.log(pt.maximum(x, 1e-300)), -np.inf)

# in place of pt.log: log_where_positive({operand})
"""


def log_sum_exp(operand: str) -> str:
    """Give a sum on the log scale."""
    return f"""\
import pymc as pm
import pytensor.tensor as pt

def log_sum_exp(*terms):
    \"\"\"log(exp(a) + exp(b) + ...) without leaving the log scale.\"\"\"
    return pm.math.logsumexp(pt.stack(pt.broadcast_arrays(*terms)), axis=0, keepdims=False)

# in place of the log of {operand}: log_sum_exp(a, b, ...) with the logarithms of its terms
"""


def clipped(function: str, low: str, high: str, operand: str) -> str:
    """Give a function held at its value at two ends."""
    return f"""\
import pytensor.tensor as pt

def safe_{function}(x):
    \"\"\"{function}(x), held at its value at {low} and {high} beyond them.\"\"\"
    return pt.{function}(pt.clip(x, {low}, {high}))

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


def held(operand: str) -> str:
    """Give a number held between finite limits."""
    return f"""\
import pytensor.tensor as pt

def held(x, limit=1e10):
    \"\"\"x between -limit and limit, so that no infinity enters the arithmetic.\"\"\"
    return pt.clip(x, -limit, limit)

# in place of {operand}: held({operand})
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
