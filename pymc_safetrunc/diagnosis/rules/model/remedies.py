"""Code that mends what the check finds. Each remedy runs when pasted before the model."""

from collections.abc import Mapping

from pymc_safetrunc.diagnosis.expression import plain

__all__ = [
    "gradient_table",
    "in_order",
    "rows_inside",
    "scaled",
    "with_prior",
]


def in_order(lower: str, upper: str, *, named_dims: bool = False) -> str:
    """Give the two bounds in their order."""
    return f"""\
from {"pymc.dims.math" if named_dims else "pytensor.tensor"} import maximum, minimum

def in_order(one, other):
    \"\"\"The smaller and the larger of two bounds, entry by entry.\"\"\"
    return minimum(one, other), maximum(one, other)

# lower, upper = in_order({lower}, {upper})
"""


def rows_inside(name: str) -> str:
    """Give arrays without their rows outside the bounds."""
    return f"""\
import numpy as np

def rows_inside(lower, upper, values, *others):
    \"\"\"The values between the bounds, and the same rows of the other arrays.\"\"\"
    values = np.asarray(values)
    keep = (values >= lower) & (values <= upper)
    return [np.asarray(array)[keep] for array in (values, *others)]

# before the model, if those rows are errors: values, x = rows_inside(lower, upper, values, x)
# if the bounds are wrong: widen them in {name}
"""


def scaled(factors: Mapping[str, str]) -> str:
    """Give a transform that shows the sampler variables in other units."""
    content = ", ".join(f"{name!r}: {code}" for name, code in factors.items())
    name = plain(next(iter(factors)))
    return f"""\
import numpy as np
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform

class Scaled(Transform):
    \"\"\"The sampler sees x / factor; x, its prior and its posterior stay what they are.\"\"\"

    name = "scaled"
    ndim_supp = 0

    def __init__(self, factor):
        self.factor = np.asarray(factor, "float64")

    def forward(self, value, *inputs):
        return value / self.factor

    def backward(self, value, *inputs):
        return value * self.factor

    def log_jac_det(self, value, *inputs):
        return pt.zeros_like(value) + np.log(self.factor)

factors = {{{content}}}
# {name} = pm.Normal("{name}", ..., transform=Scaled(factors["{name}"]))
# or standardise what it multiplies: x = (x - x.mean()) / x.std()
"""


def with_prior(variable: str) -> str:
    """Give a prior that holds a variable."""
    return f"""\
import pymc as pm

def with_prior(variable, mu=0, sigma=1):
    \"\"\"A normal prior for a variable that has none: scale it to what is known of it.\"\"\"
    pm.Potential(f"prior_of_{{variable.name}}", pm.logp(pm.Normal.dist(mu, sigma), variable))
    return variable

# in the model: with_prior({variable})
"""


def gradient_table(variable: str) -> str:
    """Show the gradient beside the difference, and take the Op's gradient from its formula."""
    return f"""\
import pymc_safetrunc as pst

def gradient_table(model):
    \"\"\"The entries whose gradient disagrees with a central difference.\"\"\"
    table = pst.check_gradient(model=model)
    return table[table.agrees == False]

# after each change of the Op's gradient: print(gradient_table(model)), and look for {variable}
"""
