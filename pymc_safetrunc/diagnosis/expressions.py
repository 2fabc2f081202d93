"""Values of a model's expressions at a point, without compiling."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from pymc.model import Model
from pytensor.graph.basic import Variable

from pymc_safetrunc.diagnosis.errors import OperationFailed
from pymc_safetrunc.diagnosis.evaluation import Evaluation
from pymc_safetrunc.diagnosis.rewriting import rewriter, runnable

__all__ = ["Expressions"]

# Bytes of intermediate arrays that are kept: what does not fit is computed again.
BUDGET = 16 << 20


class Expressions:
    """Expressions of a model's random variables as functions of a point.

    With `rewritten` they are brought into the form that compiling gives them, elementwise
    operations apart; `outputs` are the variables of that graph.
    """

    def __init__(self, model: Model, expressions: Sequence[Variable], *, rewritten: bool = False):
        replaced = model.replace_rvs_by_values(list(expressions))
        self._values = model.value_vars
        self.fgraph = runnable(replaced)
        if rewritten:
            rewriter("fusion").rewrite(self.fgraph)

    @property
    def outputs(self) -> list[Variable]:
        """The expressions as variables of the graph."""
        return list(self.fgraph.outputs)

    def at(
        self,
        point: Mapping[str, np.ndarray],
        wanted: Sequence[Variable] | None = None,
        deadline: float = math.inf,
    ) -> list[np.ndarray | None]:
        """Values of the outputs, or of other variables of the graph; None where one fails."""
        inputs = {value: point[value.name] for value in self._values}
        evaluation = Evaluation(self.fgraph, inputs, BUDGET, deadline)
        wanted = self.outputs if wanted is None else wanted
        evaluation.prepare(list(wanted))
        return [_value(evaluation, variable) for variable in wanted]


def _value(evaluation: Evaluation, variable: Variable) -> np.ndarray | None:
    try:
        return np.asarray(evaluation.value(variable))
    except OperationFailed:
        return None
