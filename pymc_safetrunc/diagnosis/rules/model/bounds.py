"""Bounds that are infinite at run time, or the wrong way round."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import ancestors, graph_inputs

from pymc_safetrunc.diagnosis.distribution import (
    bounds_of,
    has_named_dims,
    is_array,
    is_pymc,
    is_truncated_count,
    is_truncation,
    nothing_between,
    plain_rv,
)
from pymc_safetrunc.diagnosis.errors import OutOfTime
from pymc_safetrunc.diagnosis.expression import plain
from pymc_safetrunc.diagnosis.expressions import Expressions
from pymc_safetrunc.diagnosis.facts import Facts, Probe
from pymc_safetrunc.diagnosis.rules.model.remedies import in_order
from pymc_safetrunc.diagnosis.rules.truncation import safe_remedy
from pymc_safetrunc.findings import Finding, Severity
from pymc_safetrunc.report.words import at_point

__all__ = ["inverted_bounds", "runtime_infinite_bound"]

# Points at which bounds that depend on variables are looked at.
POINTS = 5


def _bounded(facts: Facts) -> Iterator[tuple[Variable, Variable, Variable, Variable]]:
    """Variables that are given bounds, each also as one of tensors, with the two."""
    for rv in facts.model.basic_RVs:
        if time.monotonic() > facts.deadline:
            raise OutOfTime
        law = plain_rv(rv)
        if (bounds := bounds_of(law)) is not None:
            yield rv, law, *bounds


def _looked_at(facts: Facts, *expressions: Variable) -> list[Probe]:
    """One probe for expressions of data alone, several where variables come in."""
    fixed = not set(facts.model.basic_RVs) & set(ancestors(expressions))
    return list(facts.probes[: 1 if fixed else POINTS])


def runtime_infinite_bound(facts: Facts) -> Iterator[Finding]:
    """Find an infinite bound that is data or a computed value, in a truncation of PyMC's.

    It spoils gradients by the parameters and by what is in the bound itself; those by the other
    bound, and by the variable through its transform, stay finite.
    """
    for rv, law, *bounds in _bounded(facts):
        if not is_truncation(law) or not is_pymc(law):
            continue
        for side, bound in zip(("lower", "upper"), bounds, strict=True):
            constant = all(isinstance(x, Constant) for x in graph_inputs([bound]))
            expressions = Expressions(facts.model, [bound])
            for probe in _looked_at(facts, bound):
                (value,) = expressions.at(probe.point, deadline=facts.deadline)
                if value is None or not (infinite := np.isinf(value)).any():
                    continue
                if not (constant and infinite.all()):  # which is left out of the formula
                    others = [x for x in law.owner.inputs if x is bound or x not in bounds]
                    yield _infinite(facts, rv, side, bound, value, _vary(facts, others))
                break


def _infinite(
    facts: Facts, rv: Variable, side: str, bound: Variable, value, varies: bool
) -> Finding:
    index = tuple(int(i) for i in np.argwhere(np.isinf(value))[0]) if value.ndim else ()
    entry = f" (entry {', '.join(map(str, index))})" if index and value.size > 1 else ""
    source = data_behind(bound)
    from_data = f", from {plain(source)}" if source else ""
    severity: Severity = "hint"
    effect = (
        "keeps it in its formula. The gradient by a free variable among the parameters, or in this "
        "bound, would be NaN; there is none."
    )
    if varies:
        severity = "warning" if facts.probes[0].finite else "error"
        effect = (
            "keeps it in its formula and multiplies it by 0 on the way back: every gradient that "
            "goes through it is NaN."
        )
    return Finding(
        "runtime-infinite-bound",
        severity,
        f"The {side} bound of {plain(rv.name or '')} is infinite{entry}{from_data}. PyMC learns "
        f"that only at run time, {effect}",
        factor=rv.name,
        index=index if entry else None,
        source=source,
        remedy=safe_remedy(rv, f"{side}={plain(source or '...')}"),
    )


def _vary(facts: Facts, expressions: list[Variable]) -> bool:
    """Whether a free variable takes part in expressions."""
    return not set(facts.model.free_RVs).isdisjoint(ancestors(expressions))


def data_behind(expression: Variable) -> str | None:
    """Name of the only data behind an expression."""
    names = {
        x.name
        for x in ancestors([expression])
        if isinstance(x, SharedVariable | Constant) and is_array(x) and x.name
    }
    return names.pop() if len(names) == 1 else None


def inverted_bounds(facts: Facts) -> Iterator[Finding]:
    """Find bounds with nothing between them."""
    for rv, law, lower, upper in _bounded(facts):
        expressions = Expressions(facts.model, [lower, upper])
        for probe in _looked_at(facts, lower, upper):
            low, high = expressions.at(probe.point, deadline=facts.deadline)
            if low is None or high is None:
                continue
            if not (empty := nothing_between(law, low, high)).any():
                continue
            index = tuple(int(i) for i in np.argwhere(empty)[0])
            low, high = (np.broadcast_to(x, empty.shape)[index] for x in (low, high))
            entry = f" at entry {', '.join(map(str, index))}" if index and empty.size > 1 else ""
            rule = (
                "no whole number lies between them. lower must not be greater than upper."
                if is_truncated_count(law)
                else "nothing lies between them. lower must be less than upper."
            )
            names = [plain(data_behind(bound) or "...") for bound in (lower, upper)]
            yield Finding(
                "inverted-bounds",
                "error" if probe.kind == "initial" else "warning",
                f"{plain(rv.name or '')} has lower = {low:g} and upper = {high:g}{entry} "
                f"{at_point(probe.kind)}: {rule}",
                factor=rv.name,
                index=index if entry else None,
                source=data_behind(lower) or data_behind(upper),
                remedy=None if low < high else in_order(*names, named_dims=has_named_dims(rv)),
            )
            break
