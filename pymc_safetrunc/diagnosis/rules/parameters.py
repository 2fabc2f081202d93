"""Parameters outside their domain, whatever they then do to the arithmetic."""

from __future__ import annotations

import re

import numpy as np

from pymc_safetrunc.diagnosis.distribution import bounds_of, nothing_between
from pymc_safetrunc.diagnosis.requirements import Requirement
from pymc_safetrunc.diagnosis.rules import remedies
from pymc_safetrunc.diagnosis.rules.base import Case, Match, entry
from pymc_safetrunc.diagnosis.rules.conditions import (
    data_in_condition,
    is_fixed,
    parameter_entry,
)

__all__ = ["RULES"]


def inverted_bounds(case: Case) -> Match | None:
    """Recognise bounds that leave nothing between them, at run time."""
    rv = case.factor.plain_rv
    bounds = None if case.factor.kind == "potential" else bounds_of(rv)
    if bounds is None or not _from_parameters(case, *bounds):
        return None
    lower, upper = map(case.context.value, bounds)
    if lower is None or upper is None or not (empty := nothing_between(rv, lower, upper)).any():
        return None
    index = tuple(int(i) for i in np.argwhere(empty)[0])
    low, high = (np.broadcast_to(x, empty.shape)[index] for x in (lower, upper))
    index = index if empty.size > 1 else ()
    leaves = [case.context.leaves(bound) for bound in bounds]
    names = [
        name
        for found in leaves
        for leaf in found
        if leaf not in case.value_vars and (name := case.context.name(leaf))
    ]
    fixed = set(case.value_vars).isdisjoint(set().union(*leaves))
    origin = f" (from {' and '.join(dict.fromkeys(names))})" if names else ""
    return Match(
        "inverted-bounds",
        f"{case.name} has lower = {low:g} and upper = {high:g}{entry(index)}{origin}: nothing lies "
        f"between them. lower must be less than upper; {case.subject} is {case.value:g}.",
        severity="warning" if case.value == -np.inf and not fixed else "error",
        source=names[0] if names else None,
        index=index or None,
    )


def invalid_parameter(case: Case) -> Match | None:
    """Recognise a requirement of the distribution on its parameters that does not hold."""
    check = case.origin.end == "check"
    if not check and not _may_be_from_parameters(case):
        return None
    requirement = case.context.unmet(case.origin.message if check else None)
    if requirement is None:
        return _check_alone(case) if check else None
    condition = requirement.condition
    leaves = case.context.leaves_of(condition.tensors)
    if not check and not leaves <= _behind(case):
        return None
    fixed = is_fixed(case, condition)
    operand, name = requirement.operand, requirement.parameter
    value = f"{float(operand.value):.6g}"
    written = dict.fromkeys(filter(None, (name, operand.text if leaves else None)))
    shown = " = ".join(written) or "a parameter"
    at = entry(parameter_entry(case, condition))
    effect = f"{case.subject} is {case.value:g}"
    if case.quantity == "logp" and case.value == -np.inf:
        effect = "PyMC returns -inf for such parameters"
    never = " No free variable takes part in that: no point mends it." if fixed else ""
    source = data_in_condition(case, condition)
    return Match(
        "invalid-parameter",
        f"{case.name} requires that {requirement.text}, which does not hold: {shown} is "
        f"{value}{at}. {effect[0].upper()}{effect[1:]}.{never}",
        None if fixed else _positive(requirement),
        severity="warning" if case.value == -np.inf and not fixed else "error",
        source=source or (requirement.parameter if fixed else None),
        index=parameter_entry(case, condition),
        expression=f"{requirement.text} = False, where {shown} = {value}"
        if not leaves
        else condition.step.expression,
    )


def _check_alone(case: Case) -> Match:
    """A check of which nothing is known but its message."""
    return Match(
        "invalid-parameter",
        f"{case.name} requires that {case.origin.message}, which does not hold. PyMC returns -inf "
        "for such parameters.",
        severity="warning",
        index=None,
    )


def _positive(requirement: Requirement) -> str | None:
    operand = requirement.operand
    if operand.value > 0 or not re.fullmatch(r"\w+ > 0|0 < \w+( < inf)?", requirement.text):
        return None
    if operand.value == 0:
        return remedies.bounded_scale(operand.text)
    return remedies.positive(operand.text)


def _may_be_from_parameters(case: Case) -> bool:
    """Whether arithmetic, or a point that was made of the parameters, gave the value."""
    if case.origin.end == "input":
        return case.origin.leaf is case.context.own_value
    return case.factor.kind != "potential" and case.quantity == "gradient"


def _behind(case: Case) -> set:
    """Leaves of the operation at the origin; of a starting point, those of the distribution."""
    if case.origin.end == "input":
        return case.context.leaves_of([case.factor.outputs["logp", None]])
    return case.leaves


def _from_parameters(case: Case, *bounds) -> bool:
    """Whether the bounds by themselves made the value."""
    origin, step = case.origin, case.origin.step
    if origin.end == "check" or (step is not None and step.operation == "Normalizer"):
        return True
    if origin.end == "input":
        return origin.leaf is case.context.own_value and bool(np.isnan(origin.source_value))
    leaves = set().union(*(case.context.leaves(bound) for bound in bounds))
    return origin.end == "operation" and np.isnan(case.value) and leaves <= case.leaves


RULES = (inverted_bounds, invalid_parameter)
