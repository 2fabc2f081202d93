"""What a rule may ask about a model at the point: values, requirements, and what hangs on what."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pymc.model import Model
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import graph_inputs

from pymc_safetrunc.diagnosis.distribution import is_array
from pymc_safetrunc.diagnosis.errors import OperationFailed
from pymc_safetrunc.diagnosis.evaluation import SMALL, Evaluation
from pymc_safetrunc.diagnosis.expression import Namer
from pymc_safetrunc.diagnosis.factors import Factor
from pymc_safetrunc.diagnosis.requirements import Requirement, first_unmet
from pymc_safetrunc.diagnosis.rewriting import runnable
from pymc_safetrunc.diagnosis.walk import Walk

__all__ = ["Context"]

# Bytes of intermediate arrays kept while an expression of the model is evaluated.
BUDGET = 4 << 20


class Context:
    """One factor of a model at one point.

    Parameters
    ----------
    model : Model
        The user's model.
    factor : Factor
        The factor that is examined.
    inputs : dict of Variable to array
        Values of the value variables and of the user's arrays.
    deadline : float
        Value of `time.monotonic` after which `OutOfTime` is raised.
    """

    def __init__(self, model: Model, factor: Factor, inputs: dict, deadline: float):
        self.model = model
        self.factor = factor
        self.inputs = inputs
        self.deadline = deadline
        self.namer = Namer(factor.labels)
        # several rules ask the same, about the log-density and then about each gradient
        self._values: dict[Variable, np.ndarray | None] = {}
        self._unmet: dict[str | None, Requirement | None] = {}
        self._arrays = {id(data): variable for variable, data in factor.inputs.items()}

    @property
    def own_value(self) -> Variable | None:
        """Value variable of the factor, if it is a free variable."""
        return self.model.rvs_to_values.get(self.factor.rv)

    def value(self, expression: Variable) -> np.ndarray | None:
        """Value of an expression of the model's random variables; None when it has none."""
        if expression in self._values:
            return self._values[expression]
        evaluation = self._evaluation(self._of_values(expression))
        try:
            value = np.asarray(evaluation.value(evaluation.fgraph.outputs[0]))
        except OperationFailed:
            value = None
        if value is None or value.nbytes <= SMALL:
            self._values[expression] = value
        return value

    def leaves(self, expression: Variable) -> set[Variable]:
        """Data and value variables that an expression of the random variables is made of."""
        return self.leaves_of([self._of_values(expression)])

    def leaves_of(self, variables: Iterable[Variable]) -> set[Variable]:
        """Data and value variables behind variables of a log-density's graph."""
        inputs = graph_inputs(list(variables))
        leaves = {self._arrays.get(id(x.data)) if isinstance(x, Constant) else x for x in inputs}
        return {x for x in leaves if x is not None and is_array(x)}

    def varies(self, variables: Iterable[Variable]) -> bool:
        """Whether a free variable takes part in variables of a log-density's graph."""
        return not self.leaves_of(variables).isdisjoint(self.model.value_vars)

    def name(self, leaf: Variable) -> str | None:
        """Name that the user gave to data."""
        return self.factor.labels.get(leaf, leaf.name)

    def unmet(self, message: str | None = None) -> Requirement | None:
        """First requirement on the factor's parameters that does not hold (with a message)."""
        if message not in self._unmet:
            self._unmet[message] = self._first_unmet(message) if self.model.check_bounds else None
        return self._unmet[message]

    def _first_unmet(self, message: str | None) -> Requirement | None:
        (logp,) = self.model.logp(vars=[self.factor.rv], sum=False)
        walk = Walk(self._evaluation(logp), self.namer)
        try:
            return first_unmet(walk, message)
        except OperationFailed:
            return None

    def _of_values(self, expression: Variable) -> Variable:
        (replaced,) = self.model.replace_rvs_by_values([expression])
        return replaced

    def _evaluation(self, expression: Variable) -> Evaluation:
        return Evaluation(runnable([expression]), self.inputs, BUDGET, self.deadline)
