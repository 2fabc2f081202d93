"""One operation with its operands and value, at one element of an array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.scalar import Switch

from pymc_safetrunc.diagnosis.expression import Namer, number
from pymc_safetrunc.diagnosis.nonfinite import Index, is_bad, numbers
from pymc_safetrunc.diagnosis.scalars import ScalarProgram, operation_name

__all__ = ["Inside", "Operand", "Step", "with_values"]


@dataclass(frozen=True)
class Operand:
    """One operand of an operation, at the element that is looked at."""

    text: str
    value: Any
    variable: Variable
    constant: bool


@dataclass(frozen=True)
class Step:
    """An operation on the way from the output to the origin."""

    op: Any
    node: Apply
    operands: tuple[Operand, ...]
    value: Any
    index: Index
    shape: tuple[int, ...]
    expression: str
    followed: int | None = None
    tensor: Variable | None = None
    moved: bool = False
    inside: Inside | None = None

    @property
    def operation(self) -> str:
        """Class name of the Op."""
        return operation_name(self.op)

    def tensors(self, operands: Sequence[Variable] | None = None) -> list[Variable]:
        """Tensors that the operands, or some of them, are made of."""
        pending = list(self.node.inputs if operands is None else operands)
        if self.inside is None:
            return pending
        found = []
        while pending:
            scalar = pending.pop()
            if scalar in self.inside.scope:
                found.append(self.inside.scope[scalar])
            elif scalar.owner is not None:
                pending += scalar.owner.inputs
        return found

    def made_nan_from_infinity(self) -> bool:
        """Whether the operation turned an infinite operand into a NaN."""
        return (
            self.followed is not None
            and bool(np.any(np.isnan(self.value)))
            and not np.any(np.isnan(numbers(self.operands[self.followed].value)))
        )


@dataclass(frozen=True)
class Inside:
    """One element of an Elemwise: its scalar graph, with values."""

    namer: Namer
    tensor: Variable
    index: Index
    shape: tuple[int, ...]
    program: ScalarProgram
    values: dict[Variable, np.ndarray]
    scope: dict[Variable, Variable]
    places: dict[Variable, Index]

    def value(self, scalar: Variable) -> Any:
        """Value of a scalar of the graph."""
        return scalar.data if isinstance(scalar, Constant) else self.values[scalar]

    def step(self, scalar: Variable) -> tuple[Step, list[int]]:
        """Operation that made a scalar, and which of its operands the walk may follow."""
        node = scalar.owner
        assert node is not None
        operands = tuple(
            Operand(
                self.namer.text(x, scope=self.scope),
                self.value(x),
                self.scope.get(x, x),
                isinstance(self.scope.get(x, x), Constant),
            )
            for x in node.inputs
        )
        choices = _choices(node.op, operands, self.value(scalar))
        text = self.namer.apply(node, scope=self.scope)
        step = Step(
            node.op,
            node,
            operands,
            self.value(scalar),
            self.index,
            self.shape,
            with_values(text, operands, self.value(scalar)),
            choices[0] if choices else None,
            self.tensor,
            inside=self,
        )
        return step, choices


def with_values(text: str, operands: tuple[Operand, ...], value: Any) -> str:
    """Expression, its value and those of its operands."""
    known = dict.fromkeys(
        f"{operand.text} = {number(operand.value)}"
        for operand in operands
        if operand.text != number(operand.value)
    )
    where = ", ".join(known)
    return f"{text} = {number(value)}" + (f", where {where}" if where else "")


def _choices(op: Any, operands: tuple[Operand, ...], value: Any) -> list[int]:
    """Operands that the walk may follow, the best first."""
    if isinstance(op, Switch):
        chosen = 1 if operands[0].value else 2
        return [chosen] if is_bad(operands[chosen].value) else []
    bad = [i for i, operand in enumerate(operands) if is_bad(operand.value)]
    nans = [i for i in bad if np.isnan(operands[i].value)]
    infinities = [i for i in bad if i not in nans]
    return nans[:1] or infinities if np.isnan(value) else infinities or nans
