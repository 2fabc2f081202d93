"""`diagnose`: which operation made the NaN."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from pymc.model import Model
from pytensor.graph.basic import Variable

from pymc_safetrunc.diagnosis.context import Context
from pymc_safetrunc.diagnosis.distribution import is_pymc, is_truncation, plain_rv
from pymc_safetrunc.diagnosis.errors import OperationFailed, OutOfTime
from pymc_safetrunc.diagnosis.evaluation import Evaluation
from pymc_safetrunc.diagnosis.expression import Namer, plain
from pymc_safetrunc.diagnosis.factors import (
    Factor,
    factors_of,
    model_data_bytes,
    without_density,
)
from pymc_safetrunc.diagnosis.nonfinite import first_bad
from pymc_safetrunc.diagnosis.point import resolve, shown
from pymc_safetrunc.diagnosis.provenance import trace
from pymc_safetrunc.diagnosis.rules import UNKNOWN, Case, Match, recognise, same_cause
from pymc_safetrunc.diagnosis.rules.truncation import safe_remedy
from pymc_safetrunc.diagnosis.scalars import is_elementwise, operation_name
from pymc_safetrunc.findings import Diagnosis, Finding
from pymc_safetrunc.report.words import by_severity

__all__ = ["diagnose", "examine"]

# Rule of a variable for which PyMC has no log-density.
NO_DENSITY = "no-logp"
# Seconds after which what was found so far is returned.
TIME_LIMIT = 30.0
# Intermediate arrays may take as much as the model's own data, and never less than this.
SMALLEST_BUDGET = 4 << 20


def diagnose(point: Mapping[str, Any] | None = None, model: Model | None = None) -> Diagnosis:
    """Find the operation that makes a log-density or a gradient of a model non-finite.

    Every factor (free variable, observed variable, potential) is evaluated at the point, with
    its gradient by each free variable, in the form that compiling gives it; nothing is compiled.
    From each value that is not finite the walk goes back to the operation that made it.

    Parameters
    ----------
    point : dict, optional
        Values of the model's value variables, as ``model.initial_point()`` returns them (on the
        unconstrained scale, so ``sigma_log__`` and not ``sigma``). Further entries that belong
        to the model are ignored. The initial point when None.
    model : Model, optional
        The model in context when None.

    Returns
    -------
    Diagnosis
        ``.ok``, ``.findings``, ``str()``, a face for notebooks and ``.to_dict()``.

    Raises
    ------
    ValueError
        The point lacks a variable, names one that the model does not have, or gives one an array
        of another shape.
    TypeError
        The point is no dictionary or the model none of PyMC's, or no model was given and none is
        in context.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc as pm
    >>> from pymc_safetrunc.diagnosis import diagnose
    >>> with pm.Model() as model:
    ...     s = pm.InverseGamma("s", 2, 3)
    ...     up = pm.Data("up", np.inf)
    ...     V = pm.TruncatedNormal("V", 0, s, lower=0, upper=up, observed=[0.5, 1.5])
    >>> finding = diagnose(model=model).findings[0]
    >>> finding.rule, finding.factor, finding.variable, finding.source
    ('runtime-infinite-bound', 'V', 's_log__', 'up')
    """
    model, values = resolve(point, model, "diagnose")
    return examine(model, values)


def examine(model: Model, values: Mapping[str, np.ndarray], gradients: bool = True) -> Diagnosis:
    """Diagnosis of a model at a complete point; of its log-densities alone without `gradients`."""
    started = time.monotonic()
    deadline = started + TIME_LIMIT
    budget = max(model_data_bytes(model, values), SMALLEST_BUDGET)
    findings: list[Finding] = []
    notes: list[str] = []
    examined: list[str] = []
    complete = True
    for term, reason in without_density(model).items():
        findings.append(_no_density(term, reason))
        examined.append(str(term.name))
        notes.append("No other factor was examined: PyMC builds all log-densities, or none.")
    for factor in factors_of(model):
        if time.monotonic() > deadline:
            complete = False
            break
        notes += factor.notes
        try:
            # one by one: what is found before the time runs out is kept
            for finding in _examine(factor, model, values, budget, deadline, gradients):
                findings.append(finding)
        except OutOfTime:
            complete = False
            break
        examined.append(factor.name)
    if not complete:
        terms = [*model.free_RVs, *model.observed_RVs, *model.potentials]
        left = [term.name for term in terms if term.name not in examined]
        notes.append(f"Stopped after {TIME_LIMIT:g} s; not examined in full: {', '.join(left)}.")
    return Diagnosis(
        findings=by_severity(findings),
        point=shown(values),
        factors=tuple(examined),
        complete=complete,
        notes=tuple(dict.fromkeys(notes)),
        seconds=time.monotonic() - started,
    )


def _examine(
    factor: Factor, model: Model, values, budget: int, deadline: float, gradients: bool
) -> Iterator[Finding]:
    inputs = dict(factor.inputs)
    inputs.update({value: values[value.name] for value in model.value_vars})
    evaluation = Evaluation(factor.fgraph, inputs, budget, deadline)
    context = Context(model, factor, inputs, deadline)
    namer = Namer(factor.labels)
    outputs = {key: out for key, out in factor.outputs.items() if gradients or key[0] == "logp"}
    evaluation.prepare(list(outputs.values()))
    density: tuple[Case, Match] | None = None
    failed = False
    for (quantity, variable), output in outputs.items():
        try:
            value = np.asarray(evaluation.value(output))
        except OperationFailed as failure:
            failed = failed or quantity == "logp"
            yield _failed(factor, quantity, variable, failure, namer)
            continue
        bad = first_bad(value)
        if bad is None:
            continue
        case = Case(
            factor,
            quantity,
            variable,
            float(value[bad]),
            trace(evaluation, output, namer, _observed(factor)),
            tuple(model.value_vars),
            density is None and not failed,
            context,
        )
        match = recognise(case)
        if quantity == "logp":
            density = case, match
        elif density is not None and same_cause(case, match, *density):
            match = replace(match, remedy=density[1].remedy)
        yield _finding(case, match)


def _finding(case: Case, match: Match) -> Finding:
    step = case.origin.step
    return Finding(
        rule=match.rule,
        severity=match.severity,
        message=match.message,
        factor=case.factor.name,
        variable=case.variable,
        quantity=case.quantity,
        operation=step.operation if step else None,
        expression=match.expression or (step.expression if step else None),
        index=match.index if match.index is not UNKNOWN else case.origin.index,
        source=match.source or case.origin.source,
        remedy=match.remedy,
    )


def _no_density(term: Variable, reason: str) -> Finding:
    law = plain_rv(term)
    safe = is_truncation(law) and is_pymc(law)
    return Finding(
        rule=NO_DENSITY,
        severity="error",
        message=f"PyMC has no log-density for {plain(term.name or '')}: {reason}."
        + " This package's distribution has one." * safe,
        factor=term.name,
        quantity="logp",
        remedy=safe_remedy(term) if safe else None,
    )


def _observed(factor: Factor) -> Variable | None:
    """Variable that holds the observed values; None when they are computed."""
    if factor.observed is None or factor.observed.owner is not None:
        return None
    return factor.observed


def _failed(factor, quantity, variable, failure: OperationFailed, namer: Namer) -> Finding:
    node, error = failure.node, failure.error
    operation = operation_name(node.op)
    reason = str(error).strip().partition("\n")[0]
    return Finding(
        rule="operation-failed",
        severity="error",
        message=f"{operation} raised {type(error).__name__}: {reason}",
        factor=factor.name,
        variable=variable,
        quantity=quantity,
        operation=operation,
        expression=namer.text(node.outputs[0]) if is_elementwise(node) else namer.apply(node),
    )
