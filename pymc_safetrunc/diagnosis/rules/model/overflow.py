"""Exponentials that can overflow and logarithms that can meet 0."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from pymc.distributions.custom import CustomDistRV, CustomSymbolicDistRV
from pymc.model import Model
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.traversal import ancestors
from pytensor.tensor.elemwise import Elemwise

from pymc_safetrunc.diagnosis.distribution import plain_rv
from pymc_safetrunc.diagnosis.expression import Namer, plain
from pymc_safetrunc.diagnosis.expressions import Expressions
from pymc_safetrunc.diagnosis.facts import KINDS, Facts, Kind
from pymc_safetrunc.diagnosis.rules import remedies
from pymc_safetrunc.diagnosis.rules.overflow import GROWING
from pymc_safetrunc.diagnosis.scalars import operation_name
from pymc_safetrunc.findings import Finding
from pymc_safetrunc.report.words import at_point

__all__ = ["overflow_prone", "reach"]

LEAST_OPERAND = {"Log": 0.0, "Log2": 0.0, "Log10": 0.0, "Log1p": -1.0}
# A chain of some thousand draws that is on its way from a bad start sees this many standard
# deviations of the prior.
DEVIATIONS = 6.0
# In place of a kind of point: what the draws from the prior promise.
EXTRAPOLATED = "extrapolated"
# Seconds after which no more points are looked at.
PATIENCE = 10.0
# What PyMC's distributions take in place of a probability that was made with exp.
_ON_LOG_SCALE = {
    "BernoulliRV": "logit_p=",
    "BinomialRV": "logit_p=",
    "CategoricalRV": "logit_p=",
    "MultinomialRV": "p=pm.math.softmax(...)",
}


# Operations of the user's that end as one of those above once they are rewritten.
_EXPONENTIAL = {*GROWING, "Pow", "Sigmoid", "Softplus", "Tanh", "Softmax"}
_LOGARITHMIC = {*LEAST_OPERAND, "Log1mexp", "LogSoftmax", "Softplus", "Pow"}


class Operand(NamedTuple):
    """What an Exp or a Log of the model is applied to."""

    factor: Variable
    operation: str
    variable: Variable


def overflow_prone(facts: Facts) -> Iterator[Finding]:
    """Find exponentials and logarithms whose operand can get where they are not finite."""
    model = facts.model
    terms = {
        term: wanted
        for term in (*model.basic_RVs, *model.potentials)
        if term not in facts.refused and (wanted := _wanted(term, model))
    }
    if not terms:
        return
    expressions = Expressions(model, model.logp(vars=list(terms), sum=False), rewritten=True)
    operands = list(_operands(facts, expressions, terms))
    if not operands:
        return
    seen = _seen(facts, expressions, [operand.variable for operand in operands])
    told = set()
    for operand, values in zip(operands, seen, strict=True):
        kind, value = (_overflows if operand.operation in GROWING else _vanishes)(operand, values)
        if kind is None or (operand.factor, operand.operation) in told:
            continue
        told.add((operand.factor, operand.operation))
        yield _finding(operand, kind, value)


def _operands(
    facts: Facts, expressions: Expressions, terms: dict[Variable, list[str]]
) -> Iterator[Operand]:
    """Operands that depend on a variable, each with the first factor it is met in."""
    values = set(facts.model.value_vars)
    met: set[Apply] = set()
    for (factor, wanted), logp in zip(terms.items(), expressions.outputs, strict=True):
        for variable in ancestors([logp]):
            node = variable.owner
            if node is None or node in met or not isinstance(node.op, Elemwise):
                continue
            met.add(node)
            operation = operation_name(node.op)
            operand = node.inputs[0]
            if operation in wanted and not (
                values.isdisjoint(ancestors([operand])) or operand in values
            ):
                yield Operand(factor, operation, operand)


def _wanted(factor: Variable, model: Model) -> list[str]:
    """Operations to look at: PyMC guards what its own densities take exp and log of."""
    used = _used_by_user(factor, model)
    exponential = used is None or bool(used & _EXPONENTIAL)
    logarithmic = used is None or bool(used & _LOGARITHMIC)
    return [*GROWING] * exponential + [*LEAST_OPERAND] * logarithmic


def _used_by_user(factor: Variable, model: Model) -> set[str] | None:
    """Operations in what a factor is given; None where its density is the user's own."""
    node = factor.owner
    if node is None or isinstance(node.op, CustomDistRV | CustomSymbolicDistRV):
        return None
    roots = [factor] if factor in model.potentials else node.inputs
    blockers = [rv for rv in model.basic_RVs if rv is not factor]
    return {
        operation_name(x.owner.op)
        for x in ancestors(roots, blockers=blockers)
        if x.owner is not None
    }


def _seen(facts: Facts, expressions: Expressions, wanted) -> list[dict[Kind, list[np.ndarray]]]:
    seen: list[dict[Kind, list[np.ndarray]]] = [{} for _ in wanted]
    until = min(facts.deadline, time.monotonic() + PATIENCE)
    for probe in facts.probes:
        if time.monotonic() > until:
            facts.notes.append("Exponentials and logarithms were looked at at some points only.")
            break
        for place, value in zip(seen, expressions.at(probe.point, wanted), strict=True):
            if value is not None:
                place.setdefault(probe.kind, []).append(value)
    return seen


def is_held(variable: Variable) -> bool:
    """Whether an operand has a limit above, so that nothing can be concluded beyond its draws."""
    name = operation_name(getattr(variable.owner, "op", None))
    return name in ("Clip", "Minimum", "Switch", "Sigmoid", "Tanh")


def reach(draws: list[np.ndarray]) -> float:
    """Largest value that draws of an operand promise, entry by entry."""
    values = np.asarray(draws, "float64")
    with np.errstate(all="ignore"):
        far = values.mean(axis=0) + DEVIATIONS * values.std(axis=0)
    # what never was positive may well have a limit at 0: minus a square, a log-probability
    return float(np.max(far, where=values.max(axis=0) > 0, initial=-np.inf))


def _overflows(operand: Operand, values) -> tuple[Kind | str | None, float]:
    growing = GROWING[operand.operation]
    for kind in KINDS:
        if kind not in values:
            continue
        sizes = np.abs(values[kind]) if growing.both_sides else np.asarray(values[kind])
        largest = float(np.max(sizes, initial=-np.inf))
        if largest > growing.largest:
            return kind, largest
        if kind == "prior" and not is_held(operand.variable):
            promised = reach(list(sizes))
            if promised > growing.largest:
                return EXTRAPOLATED, promised
    return None, 0.0


def _vanishes(operand: Operand, values) -> tuple[Kind | str | None, float]:
    limit = LEAST_OPERAND[operand.operation]
    for kind in KINDS:
        smallest = np.min([np.min(value, initial=np.inf) for value in values.get(kind, ())] or [1])
        if smallest == limit:
            return kind, float(smallest)
    return None, 0.0


def _finding(operand: Operand, kind: str, value: float) -> Finding:
    text = Namer().text(operand.variable)
    name = plain(operand.factor.name or "")
    extrapolated = kind == EXTRAPOLATED
    place = f"within {DEVIATIONS:g} prior standard deviations" if extrapolated else at_point(kind)
    if operand.operation in GROWING:
        growing = GROWING[operand.operation]
        op = type(getattr(plain_rv(operand.factor).owner, "op", None)).__name__
        better = _ON_LOG_SCALE.get(op)
        instead = (
            f"give the distribution {better} without the exponential"
            if better
            else "stay on the log scale (pm.math.logsumexp, log1pexp, logaddexp), or standardise "
            "what goes into it and narrow the priors"
        )
        message = (
            f"{name} takes {growing.function} of {text}, which reaches {value:.4g} {place}; beyond "
            f"{int(growing.largest)} that is infinite. Better: {instead}."
        )
        remedy = growing.held(text)
    else:
        what = f"1 + {text}" if operand.operation == "Log1p" else text
        message = (
            f"{name} takes the logarithm of {what}, which is 0 {place}. Better: stay on the log "
            "scale (pm.math.logsumexp for a sum, log1mexp for 1 - exp, logit_p for a probability)."
        )
        summed = _is_sum_of_exponentials(operand.variable)
        remedy = remedies.log_sum_exp(what) if summed else remedies.safe_log(what)
    return Finding(
        "overflow-prone",
        "warning" if kind in ("initial", "jittered", "prior") else "hint",
        message,
        factor=operand.factor.name,
        quantity="logp",
        operation=operand.operation,
        expression=f"{operand.operation.lower()}({text})",
        remedy=remedy,
    )


def _is_sum_of_exponentials(variable: Variable) -> bool:
    def name(node: Apply | None) -> str:
        return operation_name(getattr(node, "op", None))

    return name(variable.owner) in ("Add", "Exp", "Sub", "Sum") and any(
        name(x.owner) == "Exp" for x in ancestors([variable])
    )
