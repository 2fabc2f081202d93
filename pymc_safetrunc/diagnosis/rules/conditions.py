"""What a condition that does not hold says about the model: its entry, its data, its constancy."""

from __future__ import annotations

import numpy as np
from pytensor.scalar import Log, Switch
from pytensor.tensor.elemwise import CAReduce
from pytensor.tensor.math import Sum

from pymc_safetrunc.diagnosis.conditions import Condition
from pymc_safetrunc.diagnosis.nonfinite import Index
from pymc_safetrunc.diagnosis.rules.base import Case

__all__ = ["data_in_condition", "is_fixed", "observed_entry", "parameter_entry"]


def observed_entry(case: Case, condition: Condition | None) -> Index | None:
    """Entry of the observed values that decides a condition."""
    for variable, index in condition.leaves if condition else ():
        if variable is case.factor.observed:
            return index or None
    return None


def parameter_entry(case: Case, condition: Condition) -> Index | None:
    """Entry of a parameter that is not as it should be; of a likelihood, the observation.

    The entry of a parameter is an observation where both have the same shape, in a distribution
    of single numbers.
    """
    step = condition.step
    if np.prod(step.shape) <= 1:
        return None
    if case.factor.kind != "observed":
        return step.index or None
    node = case.factor.plain_rv.owner
    if node is None or getattr(node.op, "ndim_supp", None) != 0 or case.factor.observed is None:
        return None
    observed = case.context.value(case.factor.observed)
    return step.index if observed is not None and observed.shape == step.shape else None


def data_in_condition(case: Case, condition: Condition | None) -> str | None:
    """Name of the user's data that decide a condition, the observed values before others."""
    if condition is None:
        return None
    named = sorted(condition.leaves, key=lambda leaf: leaf[0] is not case.factor.observed)
    for variable, _ in named:
        name = case.context.name(variable)
        if name and variable not in case.value_vars:
            return name
    return None


def is_fixed(case: Case, condition: Condition) -> bool:
    """Whether no free variable takes part in a condition, nor in what leads to it."""
    if case.context.varies(condition.tensors):
        return False
    if case.quantity == "gradient" or case.origin.end not in ("check", "literal"):
        return True
    for step in case.origin.path:
        if (
            isinstance(step.op, Switch)
            and case.context.varies(step.tensors(step.node.inputs[:1]))
            # as at the bounds of a support: there the other branch is no way out
            and not any(x.constant and x.value == -np.inf for x in step.operands)
        ):
            return False
        # of several components one may be possible elsewhere
        if isinstance(step.op, Log) or (
            isinstance(step.node.op, CAReduce) and not isinstance(step.node.op, Sum)
        ):
            return False
    return True
