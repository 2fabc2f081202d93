"""What a distribution requires of its parameters, read before rewriting folds it away."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from pymc.logprob.utils import CheckParameterValue
from pytensor.graph.basic import Variable
from pytensor.tensor.basic import ScalarFromTensor
from pytensor.tensor.elemwise import CAReduce

from pymc_safetrunc.diagnosis.conditions import Condition, explain
from pymc_safetrunc.diagnosis.steps import Operand
from pymc_safetrunc.diagnosis.walk import Walk

__all__ = ["Requirement", "first_unmet"]


@dataclass(frozen=True)
class Requirement:
    """A requirement that does not hold, such as ``sigma > 0``, with the comparison that fails."""

    text: str
    condition: Condition

    @property
    def parameter(self) -> str | None:
        """Name of the parameter, where the text names one only."""
        names = set(re.findall(r"[A-Za-z_]\w*", self.text)) - {"finite", "inf", "is"}
        return names.pop() if len(names) == 1 else None

    @property
    def operand(self) -> Operand:
        """Operand that is not as it should be: no number of the text's, and rather no constant."""
        operands = self.condition.step.operands
        limits = re.findall(r"(?<!\w)(?:\d+|inf)(?!\w)", self.text)
        given = [x for x in operands if x.text not in limits] or operands
        return next((x for x in given if not x.constant), given[0])


def first_unmet(walk: Walk, message: str | None) -> Requirement | None:
    """First requirement of a log-density that does not hold; of those with a message, if given."""
    for node in walk.evaluation.fgraph.toposort():
        if not isinstance(node.op, CheckParameterValue) or message not in (None, node.op.msg):
            continue
        for condition in node.inputs[1:]:
            value = np.asarray(walk.evaluation.value(condition))
            if value.all():
                continue
            index = tuple(int(i) for i in np.argwhere(~value)[0])
            found = explain(walk, condition, index)
            if found is not None and found.nan is None:
                return Requirement(_part(walk, node, condition), found)
    return None


def _part(walk: Walk, node, condition: Variable) -> str:
    """Of "alpha > 0, beta > 0" the part that does not hold."""
    # "0 < p < 1" is two conditions
    parts = [
        part
        for part in node.op.msg.split(", ")
        for _ in range(max(1, len(re.findall(r"[<>]=?|!=|==", part))))
    ]
    vector = condition
    while vector.owner is not None and isinstance(vector.owner.op, CAReduce | ScalarFromTensor):
        vector = vector.owner.inputs[0]
    held = np.ravel(walk.evaluation.value(vector))
    return parts[int(np.argmin(held))] if held.size == len(parts) else node.op.msg
