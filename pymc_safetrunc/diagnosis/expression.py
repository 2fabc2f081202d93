"""Graphs as readable mathematics."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.raise_op import CheckAndRaise
from pytensor.tensor.elemwise import CAReduce, Elemwise
from pytensor.tensor.subtensor import AdvancedSubtensor, Subtensor

from pymc_safetrunc.diagnosis.movement import is_movement
from pymc_safetrunc.diagnosis.scalars import operation_name, scalar_program

__all__ = ["Namer", "number", "plain"]

# symbol and binding strength, as in Python
_INFIX = {
    "OR": ("or", 1),
    "AND": ("and", 2),
    "LT": ("<", 4),
    "GT": (">", 4),
    "LE": ("<=", 4),
    "GE": (">=", 4),
    "EQ": ("==", 4),
    "NEQ": ("!=", 4),
    "Add": ("+", 6),
    "Sub": ("-", 6),
    "Mul": ("*", 7),
    "TrueDiv": ("/", 7),
    "Pow": ("**", 9),
}
_TRANSPARENT = ("Cast", "Identity", "Second")
_ATOM = 10
# Characters of one operand; what is longer is cut deeper down in the graph. Three operands fit
# on a line of a terminal.
OPERAND_WIDTH = 28
DEPTH = 5


def number(value: Any) -> str:
    """Value of an operand in at most six digits; of an array, dense or sparse, its shape."""
    if shape := np.shape(value):
        return f"array of shape {shape}"
    scalar = np.asarray(value).item()
    return f"{scalar:.6g}" if isinstance(scalar, float | complex) else str(scalar)


def plain(name: str) -> str:
    """Name without line breaks and other control characters, fit for a comment in code."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


class Namer:
    """Text for variables, with the names that the user gave."""

    def __init__(self, labels: Mapping[Variable, str] | None = None):
        self.labels = labels or {}

    def leaf(self, variable: Variable) -> str:
        """Text of a variable without owner."""
        if name := self.labels.get(variable, variable.name):
            return plain(name)
        if isinstance(variable, Constant):
            return number(variable.data) if np.shape(variable.data) == () else "constant"
        return "array"

    def text(
        self,
        variable: Variable,
        depth: int = DEPTH,
        scope: Mapping[Variable, Variable] | None = None,
    ) -> str:
        """Expression for a tensor variable, or for a scalar one in the scope of its Elemwise."""
        return self._fitted(variable, depth, scope or {})[0]

    def apply(
        self, node: Apply, depth: int = DEPTH, scope: Mapping[Variable, Variable] | None = None
    ) -> str:
        """Expression for a node's operation on its operands."""
        return self._node(node, node.outputs[0], depth, scope or {}, fitted=True)[0]

    def _fitted(self, variable, depth, scope) -> tuple[str, int]:
        while True:
            text, strength = self._text(variable, depth, scope)
            if depth <= 1 or (len(text) <= OPERAND_WIDTH and text.count("…") <= 2):
                return text, strength
            depth -= 1

    def _text(self, variable, depth, scope) -> tuple[str, int]:
        if variable in scope:
            return self._text(scope[variable], depth, {})
        node = variable.owner
        if node is None:
            if isinstance(variable, Constant) and math.prod(np.shape(variable.data)) == 1:
                text = self.leaf(variable) if variable.name else number(np.squeeze(variable.data))
                return text, _ATOM if not text.startswith("-") else 8
            return self.leaf(variable), _ATOM
        if isinstance(node.op, Elemwise):
            program = scalar_program(node)
            inner = program.outputs[node.outputs.index(variable)]
            return self._text(inner, depth, dict(zip(program.inputs, node.inputs, strict=True)))
        if isinstance(node.op, Subtensor | AdvancedSubtensor):
            return f"{self._operand(node.inputs[0], depth, scope, _ATOM, self._text)}[…]", _ATOM
        if (is_movement(node) and len(node.inputs) == 1) or isinstance(node.op, CheckAndRaise):
            return self._text(node.inputs[0], depth, scope)
        if is_movement(node) and type(node.op).__name__ in ("Alloc", "Reshape", "SpecifyShape"):
            return self._text(node.inputs[0], depth, scope)
        return self._node(node, variable, depth, scope)

    def _node(self, node, out, depth, scope, fitted=False) -> tuple[str, int]:
        if depth <= 0:
            return "…", _ATOM
        name = operation_name(node.op)
        write = self._fitted if fitted else self._text
        inner = depth - 1
        if isinstance(node.op, CAReduce):
            name = type(node.op).__name__.lower()
            return f"{name}({write(node.inputs[0], inner, scope)[0]})", _ATOM
        if name in _TRANSPARENT:
            return self._text(node.inputs[-1], depth, scope)
        if name in _INFIX and len(node.inputs) >= 2:
            symbol, strength = _INFIX[name]
            parts = [self._operand(node.inputs[0], inner, scope, strength, write)]
            parts += [self._operand(x, inner, scope, strength + 1, write) for x in node.inputs[1:]]
            if name in ("Add", "Mul"):
                parts = [self._operand(x, inner, scope, strength, write) for x in node.inputs]
            return f" {symbol} ".join(parts).replace("+ -", "- "), strength
        if name == "Neg":
            return f"-{self._operand(node.inputs[0], inner, scope, 8, write)}", 8
        if name == "Sqr":
            return f"{self._operand(node.inputs[0], inner, scope, _ATOM, write)}**2", 9
        if name == "Reciprocal":
            return f"1 / {self._operand(node.inputs[0], inner, scope, 8, write)}", 7
        if name == "Invert":
            return f"not {self._operand(node.inputs[0], inner, scope, _ATOM, write)}", 3
        arguments = ", ".join(write(x, inner, scope)[0] for x in node.inputs)
        arguments = re.sub(r"…(, …)+", "…", arguments)
        return f"{name.lower()}({arguments})", _ATOM

    @staticmethod
    def _operand(variable, depth, scope, strength, write) -> str:
        text, own = write(variable, depth, scope)
        return text if own >= strength else f"({text})"
