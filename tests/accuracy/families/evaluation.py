"""One compiled function a family: every case of its table at once, log-density and gradients."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.pytensorf import rewrite_pregrad

from tests.accuracy.families import budget, cases, families
from tests.backends import compiled


def inputs(family):
    """A vector for each parameter (by name), the bounds and the value."""
    parameters = {
        name: (pt.lvector if kind == "integer" else pt.dvector)(name)
        for name, kind in family.kinds.items()
    }
    value = (pt.lvector if family.discrete else pt.dvector)("value")
    return parameters, pt.dvector("lower"), pt.dvector("upper"), value


def untruncated(family, parameters):
    """The law as a user writes it."""
    keywords = family.keywords(**parameters) if family.keywords else parameters
    constants = {k: np.array(v) for k, v in family.constants.items()}
    return getattr(pm, family.name).dist(**keywords, **constants)


def arguments(family, table):
    """The columns that ``inputs`` stand for."""
    columns = [table[f"parameter_{name}"] for name in family.kinds]
    columns += [table["lower"], table["upper"], table["value"]]
    kinds = [*family.kinds.values(), "", "", "integer" if family.discrete else ""]
    return [
        column.astype("int64") if kind == "integer" else column
        for column, kind in zip(columns, kinds, strict=True)
    ]


def evaluated(name, truncated, mode):
    """What ``truncated(law, lower=..., upper=...)`` gives for each column of the family's truth."""
    family, _ = families()[name]
    table = cases(name)
    parameters, lower, upper, value = inputs(family)
    # of a parameter by another name than a bound's: Uniform has a lower and an upper, too
    names = [f"parameter_{name}" for name in parameters]
    given = dict(zip([*names, "lower", "upper", "value"], arguments(family, table), strict=True))
    if mode == "JAX":
        # a number of trials is the length of BetaBinomial's sum, and JAX wants lengths constant
        for name, kind in family.kinds.items():
            if kind == "integer":
                parameters[name] = pt.constant(given.pop(f"parameter_{name}"))
    logp = pm.logp(truncated(untruncated(family, parameters), lower=lower, upper=upper), value)
    by_name = {"d_value": value, "d_lower": lower, "d_upper": upper}
    by_name |= {f"d_parameter_{k}": v for k, v in parameters.items()}
    columns = budget.truth_columns(table)
    # as PyMC's models do: these rewrites can undo what guards a branch that is not taken
    total = rewrite_pregrad(logp.sum())
    gradient = pt.grad(total, [by_name[k] for k in columns[1:]])
    variables = {f"parameter_{name}": variable for name, variable in parameters.items()}
    variables |= {"lower": lower, "upper": upper, "value": value}
    function = compiled([variables[name] for name in given], [logp, *gradient], mode)
    return table, dict(zip(columns, function(*given.values()), strict=True))
