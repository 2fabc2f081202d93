"""Bounds that are infinite at run time, or the wrong way round."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from pymc.distributions.censored import CensoredRV
from pymc.distributions.continuous import TruncatedNormalRV
from pymc.distributions.truncated import TruncatedRV
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import ancestors, graph_inputs
from pytensor.tensor.random.basic import UniformRV
from pytensor.tensor.type import TensorType

from pymc_safetrunc.diagnosis.errors import OutOfTime
from pymc_safetrunc.diagnosis.expression import plain
from pymc_safetrunc.diagnosis.expressions import Expressions
from pymc_safetrunc.diagnosis.facts import Facts, Probe
from pymc_safetrunc.diagnosis.rules import remedies
from pymc_safetrunc.diagnosis.rules.base import is_pymc
from pymc_safetrunc.diagnosis.rules.model.remedies import in_order
from pymc_safetrunc.findings import Finding

__all__ = ["bounds_of", "inverted_bounds", "runtime_infinite_bound", "safe_remedy"]

# Points at which bounds that depend on variables are looked at.
POINTS = 5


def bounds_of(rv: Variable) -> tuple[Variable, Variable] | None:
    """Lower and upper bound of a distribution that is given them, else None."""
    node = rv.owner
    if node is None:
        return None
    if isinstance(node.op, TruncatedNormalRV | UniformRV):
        lower, upper = node.op.dist_params(node)[-2:]
        return lower, upper
    if isinstance(node.op, CensoredRV):
        return node.inputs[1], node.inputs[2]
    if isinstance(node.op, TruncatedRV):
        lower, upper = [x for x in node.inputs if isinstance(x.type, TensorType)][-2:]
        return lower, upper
    return None


def _bounded(facts: Facts) -> Iterator[tuple[Variable, Variable, Variable]]:
    for rv in facts.model.basic_RVs:
        if time.monotonic() > facts.deadline:
            raise OutOfTime
        if (bounds := bounds_of(rv)) is not None:
            yield rv, *bounds


def _where(probe: Probe) -> str:
    places = {
        "initial": "at the initial point",
        "jittered": "at a jittered starting point",
        "prior": "at a draw from the prior",
        "corner": "at a corner",
    }
    return places[probe.kind]


def _looked_at(facts: Facts, *expressions: Variable) -> list[Probe]:
    """One probe for expressions of data alone, several where variables come in."""
    fixed = not set(facts.model.basic_RVs) & set(ancestors(expressions))
    return list(facts.probes[: 1 if fixed else POINTS])


def runtime_infinite_bound(facts: Facts) -> Iterator[Finding]:
    """Find an infinite bound that is data or a computed value, in a truncation of PyMC's."""
    for rv, *bounds in _bounded(facts):
        op = rv.owner.op
        if not isinstance(op, TruncatedNormalRV | TruncatedRV) or not is_pymc(op):
            continue
        for side, bound in zip(("lower", "upper"), bounds, strict=True):
            constant = all(isinstance(x, Constant) for x in graph_inputs([bound]))
            expressions = Expressions(facts.model, [bound])
            for probe in _looked_at(facts, bound):
                (value,) = expressions.at(probe.point, deadline=facts.deadline)
                if value is None or not (infinite := np.isinf(value)).any():
                    continue
                if not (constant and infinite.all()):  # which is left out of the formula
                    yield _infinite(facts, rv, side, bound, value)
                break


def _infinite(facts: Facts, rv, side: str, bound: Variable, value: np.ndarray) -> Finding:
    start = facts.probes[0]
    bad = not (np.isfinite(start.logp) and start.finite)
    index = tuple(int(i) for i in np.argwhere(np.isinf(value))[0]) if value.ndim else ()
    entry = f" (entry {', '.join(map(str, index))})" if index and value.size > 1 else ""
    source = data_behind(bound)
    from_data = f", from {plain(source)}" if source else ""
    name = plain(rv.name or "")
    return Finding(
        "runtime-infinite-bound",
        "error" if bad else "warning",
        f"The {side} bound of {name} is infinite{entry}{from_data}. PyMC learns that only at run "
        "time, keeps it in its formula and multiplies it by 0 on the way back: every gradient "
        "that goes through it is NaN.",
        factor=rv.name,
        index=index if entry else None,
        source=source,
        remedy=safe_remedy(rv, f"{side}={plain(source or '...')}"),
    )


def safe_remedy(rv: Variable, argument: str = "") -> str:
    """Take this package's distribution in place of PyMC's."""
    name = plain(rv.name or "")
    family = "TruncatedNormal" if isinstance(rv.owner.op, TruncatedNormalRV) else "Truncated"
    arguments = f"..., {argument}, ..." if argument else "..."
    return remedies.safe_class(family, f'{name} = {family}("{name}", {arguments})')


def data_behind(expression: Variable) -> str | None:
    """Name of the only data behind an expression."""
    names = {
        x.name
        for x in ancestors([expression])
        if isinstance(x, SharedVariable | Constant) and isinstance(x.type, TensorType) and x.name
    }
    return names.pop() if len(names) == 1 else None


def inverted_bounds(facts: Facts) -> Iterator[Finding]:
    """Find bounds with nothing between them."""
    for rv, lower, upper in _bounded(facts):
        counts = isinstance(rv.owner.op, TruncatedRV) and rv.type.dtype.startswith(("int", "uint"))
        expressions = Expressions(facts.model, [lower, upper])
        for probe in _looked_at(facts, lower, upper):
            low, high = expressions.at(probe.point, deadline=facts.deadline)
            if low is None or high is None:
                continue
            # both bounds belong to a truncation of whole numbers: equal ones leave a point mass
            empty = np.asarray(np.ceil(low) > np.floor(high) if counts else low >= high)
            if not empty.any():
                continue
            index = tuple(int(i) for i in np.argwhere(empty)[0])
            low, high = (np.broadcast_to(x, empty.shape)[index] for x in (low, high))
            entry = f" at entry {', '.join(map(str, index))}" if index and empty.size > 1 else ""
            rule = (
                "no whole number lies between them. lower must not be greater than upper."
                if counts
                else "nothing lies between them. lower must be less than upper."
            )
            names = [plain(data_behind(bound) or "...") for bound in (lower, upper)]
            yield Finding(
                "inverted-bounds",
                "error" if probe.kind == "initial" else "warning",
                f"{plain(rv.name or '')} has lower = {low:g} and upper = {high:g}{entry} "
                f"{_where(probe)}: {rule}",
                factor=rv.name,
                index=index if entry else None,
                source=data_behind(lower) or data_behind(upper),
                remedy=None if low < high else in_order(*names),
            )
            break
