"""A model taken apart: one graph for each factor, rewritten as the compiled function has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast
from weakref import WeakKeyDictionary

import numpy as np
import pymc as pm
import pytensor
from pymc.model import Model
from pymc.pytensorf import rewrite_pregrad
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import graph_replace
from pytensor.graph.traversal import ancestors, graph_inputs
from pytensor.tensor.variable import TensorVariable

from pymc_safetrunc.diagnosis.distribution import is_array, plain_rv, tensor_of
from pymc_safetrunc.diagnosis.errors import first_line
from pymc_safetrunc.diagnosis.rewriting import inline_inner_graphs, remove_checks, rewriter

Quantity = Literal["logp", "gradient"]

__all__ = ["Factor", "factors_of", "model_data_bytes", "without_density"]


@dataclass
class Factor:
    """The log-density of one random variable or potential, with its gradients.

    `outputs` maps (quantity, name of the free variable or None) to a variable of `fgraph`.
    `inputs` holds the user's arrays, which are kept out of the graph's constants so that they
    are neither folded nor copied and can be named; `labels` says what to call them. `rv` is the
    model's variable, `plain_rv` the same of tensors, where that is a distribution.
    """

    name: str
    rv: Variable
    plain_rv: Variable
    kind: str
    fgraph: FunctionGraph
    outputs: dict[tuple[Quantity, str | None], Variable]
    inputs: dict[Variable, np.ndarray]
    labels: dict[Variable, str]
    observed: Variable | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class _Terms:
    """The log-densities of a model, and the factors that were built of them so far.

    It holds no reference to the model, whose life it must not prolong.
    """

    key: tuple[Any, ...]
    terms: tuple[Variable, ...]
    kinds: list[str]
    logps: list[TensorVariable]
    refused: dict[Variable, str]
    continuous: list[Variable]
    checked: bool
    inputs: dict[Variable, np.ndarray]
    labels: dict[Variable, str]
    observed: dict[Variable, Variable]
    built: dict[int, Factor] = field(default_factory=dict)


# What is known of a model, with the variables it had then: a model may grow.
_KNOWN: WeakKeyDictionary[Model, _Terms] = WeakKeyDictionary()


def factors_of(model: Model) -> Iterator[Factor]:
    """Build the factors of a model one after the other; a second time they are at hand.

    Values are no part of them: data may change in between. There are none where a variable has no
    log-density, see `without_density`.
    """
    known = _known(model)
    for position in range(len(known.terms)):
        if position not in known.built:
            with _without_traces():
                known.built[position] = _factor(known, position)
        yield known.built[position]


def without_density(model: Model) -> dict[Variable, str]:
    """Variables whose log-density cannot be built, each with the reason."""
    return _known(model).refused


def _known(model: Model) -> _Terms:
    terms = (*model.free_RVs, *model.observed_RVs, *model.potentials)
    key = (*terms, *model.value_vars, *model.rvs_to_values.values(), model.check_bounds)
    known = _KNOWN.get(model)
    if known is None or not (
        len(known.key) == len(key) and all(a is b for a, b in zip(known.key, key, strict=True))
    ):
        # where a variable was made is of no interest here, and takes a quarter of the time
        with _without_traces():
            known = _KNOWN[model] = _terms(model, key, terms)
    return known


def _without_traces():
    return pytensor.config.change_flags(traceback__limit=0, traceback__compile_limit=0)


def _terms(model: Model, key: tuple[Any, ...], terms: tuple[Variable, ...]) -> _Terms:
    kinds = dict.fromkeys(model.free_RVs, "free")
    kinds |= dict.fromkeys(model.observed_RVs, "observed")
    kinds |= dict.fromkeys(model.potentials, "potential")
    refused: dict[Variable, str] = {}
    logps: list[TensorVariable] = []
    try:
        logps = [tensor_of(logp) for logp in model.logp(vars=terms, sum=False)]
    except Exception:
        # of one variable that has none, though the others may have theirs: PyMC builds all or none
        refused = _without_density(model.basic_RVs)
        if not refused:
            raise
        terms = ()
    arrays, labels = _user_arrays(model, logps)
    if arrays:
        logps = cast(list[TensorVariable], graph_replace(logps, list(arrays.items()), strict=False))
    values = {rv: model.rvs_to_values[rv] for rv in model.observed_RVs}
    return _Terms(
        key=key,
        terms=terms,
        kinds=[kinds[term] for term in terms],
        logps=logps,
        refused=refused,
        continuous=list(model.continuous_value_vars),
        checked=model.check_bounds,
        inputs={variable: cast(Constant, x).data for x, variable in arrays.items()},
        labels=labels,
        observed={rv: arrays.get(value, value) for rv, value in values.items()},
    )


def _without_density(rvs: Sequence[Variable]) -> dict[Variable, str]:
    """Variables that have no log-density by themselves, each with the reason."""
    refused = {}
    for rv in rvs:
        law = plain_rv(rv)
        try:
            pm.logp(law, law.type(), warn_rvs=False)
        except Exception as error:  # a user's distribution may raise what it likes
            # the words alone: a traceback would hold the model
            refused[rv] = first_line(error)
    return refused


def _factor(known: _Terms, position: int) -> Factor:
    term = known.terms[position]
    total = rewrite_pregrad(known.logps[position].sum())
    outputs: dict[tuple[Quantity, str | None], Variable] = {("logp", None): total}
    notes = []
    reachable = set(ancestors([total]))
    for value in known.continuous:
        if value not in reachable:
            continue
        try:
            gradient = pytensor.grad(total, value, disconnected_inputs="ignore")
        except Exception as error:  # a user's Op may raise what it likes when differentiated
            notes.append(
                f"{term.name}: no gradient with respect to {value.name} ({first_line(error)})"
            )
            continue
        outputs["gradient", value.name] = tensor_of(cast(Variable, gradient))
    fgraph = FunctionGraph(outputs=list(outputs.values()), clone=True, copy_inputs=False)
    inline_inner_graphs(fgraph)
    if not known.checked:
        remove_checks(fgraph)
    rewriter().rewrite(fgraph)
    return Factor(
        name=str(term.name),
        rv=term,
        plain_rv=plain_rv(term),
        kind=known.kinds[position],
        fgraph=fgraph,
        outputs=dict(zip(outputs, fgraph.outputs, strict=True)),
        inputs=known.inputs,
        labels=known.labels,
        observed=known.observed.get(term),
        notes=notes,
    )


def _user_arrays(model: Model, logps) -> tuple[dict[Variable, Variable], dict[Variable, str]]:
    """Constants that hold the user's arrays, each with the input that takes its place."""
    observed = {
        value: rv.name
        for rv, value in model.rvs_to_values.items()
        if isinstance(value, Constant) and rv in model.observed_RVs
    }
    arrays: dict[Variable, Variable] = {}
    labels: dict[Variable, str] = {}
    for constant in graph_inputs(logps):
        if not isinstance(constant, Constant) or not is_array(constant):
            continue
        name = observed.get(constant, constant.name)
        if constant not in observed and not _is_covariate(constant):
            continue
        variable = constant.type(name=name)
        arrays[constant] = variable
        if name:
            labels[variable] = name
    return arrays, labels


def _is_covariate(constant: Constant) -> bool:
    # an array of one repeated number takes part in rewrites (1 * x, 0 * x): it stays a constant
    data = constant.data
    return (
        isinstance(data, np.ndarray)  # and no sparse matrix, whose type is a TensorType too
        and data.ndim > 0
        and data.size > 1
        and data.dtype.kind == "f"
        and not bool(np.all(data == data.flat[0]))
    )


def model_data_bytes(model: Model, point: Mapping[str, Any]) -> int:
    """Bytes of the arrays a model holds: observed values, data, covariates and the point."""
    terms = [*model.free_RVs, *model.observed_RVs, *model.potentials]
    seen = {id(x): x.nbytes for x in point.values() if isinstance(x, np.ndarray)}
    roots = [*terms, *model.rvs_to_values.values()]
    for variable in graph_inputs(roots):
        if isinstance(variable, Constant):
            data = variable.data
        elif isinstance(variable, SharedVariable):
            data = variable.get_value(borrow=True)
        else:
            continue
        seen[id(data)] = getattr(data, "nbytes", 0)
    return sum(seen.values())
