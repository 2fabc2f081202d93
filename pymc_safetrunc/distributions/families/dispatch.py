"""What a family says of itself under truncation: one function for each question.

Every function is a singledispatch on the class of the untruncated family's Op and takes that Op,
then the arguments, then the parameters of the Op (as PyTensor orders them). Arguments are float64
tensors that broadcast against one another. `lower` and `upper` are inside the support, and whole
numbers for a discrete family, whose intervals include both of them. A family registers what it
knows in a module of this package; the rest follows from the defaults below, and from those that
`general` registers for the questions that end in `_no_answer` here.
"""

from functools import singledispatch

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.type_other import NoneConst

from pymc_safetrunc._upstream import distribution_logp
from pymc_safetrunc.distributions.families.safe import log1mexp


def family_name(op) -> str:
    """Name of the family, as PyMC prints it."""
    return op._print_name[0]


def parameter_indices(op) -> list[int]:
    """Where the parameters stand among the inputs of the family's Op."""
    if isinstance(op, RandomVariable):
        return list(range(2, 2 + len(op.ndims_params)))
    (_, _, indices), _ = op.get_input_output_type_idxs(op.extended_signature)
    return list(indices)


def size_index(op) -> int:
    """Where the size stands among the inputs of the family's Op."""
    if isinstance(op, RandomVariable):
        return 1
    (_, index, _), _ = op.get_input_output_type_idxs(op.extended_signature)
    return index


def is_discrete(op) -> bool:
    """Whether the family lives on whole numbers."""
    dtype = op.dtype if isinstance(op, RandomVariable) else op.output_types[op.default_output].dtype
    return not str(dtype).startswith("float")


@singledispatch
def has_atoms(op) -> bool:
    """Whether single points have probability, so that an interval includes both of its bounds."""
    return is_discrete(op)


@singledispatch
def support(op, *params):
    """Edges (lower, upper) of the untruncated support, infinite where there is none."""
    raise _no_answer(op)


@singledispatch
def is_open(op) -> bool:
    """Whether the density is 0 at a finite edge of the support, and its formula NaN there."""
    return False


@singledispatch
def legal(op, *params):
    """Conditions on the parameters, and the words for them: what `check_parameters` takes."""
    return (), ""


@singledispatch
def log_interval_mass(op, lower, upper, *params):
    """Log of P(lower <= X <= upper) of the untruncated law, relative to itself in either tail."""
    raise _no_answer(op)


@singledispatch
def truncated_logp(op, value, lower, upper, *params):
    """Log-density of the truncated law at a value between the bounds."""
    return base_logp(op, value, *params) - log_interval_mass(op, lower, upper, *params)


@singledispatch
def is_cheap(op) -> bool:
    """Whether `truncated_logp` takes a product or less for each of constant data of one law."""
    return False


@singledispatch
def goes_on_outside(op, value, *params) -> bool:
    """Whether `truncated_logp` is finite outside the bounds, too, with finite derivatives."""
    return False


@singledispatch
def truncated_quantile(op, q, lower, upper, *params):
    """The x with P(X <= x) = q under the truncated law, 0 < q < 1."""
    raise _no_answer(op)


@singledispatch
def truncated_draw(op, q, lower, upper, *params):
    """A draw of the truncated law where q is one of the uniform law, 0 < q < 1: its quantile."""
    return truncated_quantile(op, q, lower, upper, *params)


@singledispatch
def truncated_sample(op, rng, size, lower, upper, *params):
    """The generator after it, and a draw of the truncated law: by a number of the uniform law."""
    # in double precision: a single one rounds to 1
    next_rng, q = pt.random.uniform(
        *Q_OF_DRAWS, size=size, rng=rng, dtype="float64", return_next_rng=True
    )
    return next_rng, truncated_draw(op, q, lower, upper, *params)


@singledispatch
def truncated_start(op, lower, upper, *params):
    """A point of the body of the truncated law: its median."""
    return truncated_quantile(op, np.float64(0.5), lower, upper, *params)


@singledispatch
def log_shares(op, value, lower, upper, *params):
    """Logs of P(X <= value) and P(X > value), the smaller of them relative to itself."""
    whole = log_interval_mass(op, lower, upper, *params)
    next_value = pt.minimum(value + 1, upper) if is_discrete(op) else value
    below = log_interval_mass(op, lower, value, *params)
    above = log_interval_mass(op, next_value, upper, *params)
    return below - whole, above - whole


@singledispatch
def truncated_logcdf(op, value, lower, upper, *params):
    """Log of P(X <= value) under the truncated law, lower <= value < upper."""
    below, above = log_shares(op, value, lower, upper, *params)
    return pt.switch(below < above, below, log1mexp(pt.maximum(-above, _LARGER_SHARE)))


@singledispatch
def truncated_logccdf(op, value, lower, upper, *params):
    """Log of P(X > value) under the truncated law, lower <= value < upper."""
    below, above = log_shares(op, value, lower, upper, *params)
    return pt.switch(above < below, above, log1mexp(pt.maximum(-below, _LARGER_SHARE)))


@singledispatch
def truncated_mean(op, lower, upper, *params):
    """Mean of the truncated law, where it has a form."""
    raise NotImplementedError(
        f"The mean of a truncated {family_name(op)} has no form here. "
        "Draw from it and average: pm.draw(x, 1000).mean(0)."
    )


def _no_answer(op):
    return NotImplementedError(f"No general form of truncation is registered for {op}.")


def refuse_without_density(op):
    """Raise for a law whose log-density PyMC derives from a graph."""
    if getattr(op, "inline_logprob", False):
        raise NotImplementedError(
            f"{family_name(op)} has no log-density of its own: PyMC derives it from a graph, which "
            "cannot be truncated. Give pm.CustomDist a logp=, and truncate that."
        )


def base_logp(op, value, *params):
    """Log-density of the untruncated law."""
    refuse_without_density(op)
    return distribution_logp(op, (value,), *base_inputs(op, None, params))


def base_inputs(op, rng, params):
    """Inputs of the family's Op, without a size."""
    if isinstance(op, RandomVariable):
        return [rng, NoneConst, *params]
    (rngs, size, places), _ = op.get_input_output_type_idxs(op.extended_signature)
    inputs = [rng] * (len(rngs) + (size is not None) + len(places))
    if size is not None:
        inputs[size] = NoneConst
    for place, param in zip(places, params, strict=True):
        inputs[place] = param
    return inputs


# Half the spacing of uniform numbers away from 0, so that no draw is at quantile 0, and so far from
# 1 that the largest of them does not round to it.
Q_OF_DRAWS = np.float64(2.0**-54), np.float64(1 - 2.0**-53)
# The smaller share's log is at most log(1/2), so the larger's is -log(2) at least, up to rounding.
_LARGER_SHARE = np.float64(0.5)
