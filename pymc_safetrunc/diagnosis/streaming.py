"""Elementwise operations on large arrays, run together over one block of elements after another.

What only feeds other elementwise operations, a parameter check or a sum of everything never exists
as an array, as in a fused loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from pymc.logprob.utils import CheckParameterValue
from pytensor.graph.basic import Apply, Variable
from pytensor.tensor.math import Sum

from pymc_safetrunc._upstream import check_broadcasting
from pymc_safetrunc.diagnosis.errors import OperationFailed
from pymc_safetrunc.diagnosis.scalars import is_elementwise, scalar_program

__all__ = [
    "BLOCK",
    "Stream",
    "checked",
    "evaluate_elementwise",
    "is_parameter_check",
    "joint_shape",
]

# Elements handled at a time: small enough for 100 temporaries to stay below 8 MB, large enough
# for NumPy's overhead of about a microsecond a call not to show.
BLOCK = 8192


class Stream:
    """Operations on arrays of one shape, in the order in which they depend on each other.

    Parameters
    ----------
    shape : tuple of int
        Shape of everything that is made, but for sums.

    Attributes
    ----------
    made : dict of Variable to None
        What exists block by block, for later nodes to take up.
    pending : set of Variable
        Outputs of all nodes, sums among them: what has no value before `run`.
    """

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape
        self.nodes: list[Apply] = []
        self.made: dict[Variable, None] = {}  # a set that keeps its order
        self.pending: set[Variable] = set()
        self._given: dict[Variable, np.ndarray] = {}

    def accepts(self, node: Apply) -> bool:
        """Whether the node can be run block by block after those that are there."""
        if self.pending.intersection(node.inputs).difference(self.made):
            return False
        if sums_everything(node):
            return node.inputs[0] in self.made
        if is_parameter_check(node):
            return node.inputs[0] in self.made and self.pending.isdisjoint(node.inputs[1:])
        return is_elementwise(node)

    def add(self, node: Apply, given: dict[Variable, np.ndarray]) -> bool:
        """Take a node in, with those of its operands that exist; False if its shape is another."""
        if is_elementwise(node):
            stand_ins = [
                np.broadcast_to(np.empty(()), self.shape) if x in self.made else given[x]
                for x in node.inputs
            ]
            if joint_shape(node, stand_ins) != self.shape:
                return False
        if not sums_everything(node):
            self.made.update(dict.fromkeys(node.outputs))
        self.pending.update(node.outputs)
        self._given.update(given)
        self.nodes.append(node)
        return True

    def uses(self) -> Counter[Variable]:
        """How often each variable is an operand here."""
        return Counter(x for node in self.nodes for x in node.inputs)

    def run(
        self, kept: Collection[Variable], before_each: Callable[[], None] = lambda: None
    ) -> dict[Variable, np.ndarray]:
        """Values of the sums, and of those variables that are to exist as arrays.

        `before_each` is called before each block, and may raise to end the run.
        """
        size = int(np.prod(self.shape))
        axis = int(np.argmax(self.shape)) if self.shape else 0
        extent = self.shape[axis] if self.shape else 1
        arrays: dict[Variable, np.ndarray] = {}
        sums = {node: np.zeros(()) for node in self.nodes if sums_everything(node)}
        length = max(1, BLOCK * extent // max(size, 1))
        for start in range(0, extent, length):
            before_each()
            block = slice(start, min(start + length, extent))
            part = tuple(block.stop - start if i == axis else n for i, n in enumerate(self.shape))
            values = {x: self._along(array, axis, block) for x, array in self._given.items()}
            for node in self.nodes:
                if node in sums:
                    with np.errstate(all="ignore"):
                        total = np.broadcast_to(values[node.inputs[0]], part).sum(dtype="float64")
                        sums[node] = sums[node] + total
                else:
                    values.update(zip(node.outputs, _block_of(node, values), strict=True))
            for variable in kept:
                value = np.asarray(values[variable], variable.type.dtype)
                if self._is_repeated(value, axis):
                    arrays[variable] = np.broadcast_to(value, self.shape)
                else:
                    if variable not in arrays:
                        arrays[variable] = np.empty(self.shape, value.dtype)
                    self._along(arrays[variable], axis, block)[...] = value
        for node, total in sums.items():
            arrays[node.outputs[0]] = np.asarray(total, node.outputs[0].type.dtype)
        return arrays

    def _along(self, array: np.ndarray, axis: int, block: slice) -> np.ndarray:
        """Part of an array; one element stands for all where they are repeated."""
        array = np.asarray(array)
        if array.ndim < max(len(self.shape), 1):
            return array
        block = slice(1) if self._is_repeated(array, axis) else block
        return array[(slice(None),) * axis + (block,)]

    def _is_repeated(self, array: np.ndarray, axis: int) -> bool:
        if array.ndim < max(len(self.shape), 1):
            return True
        return array.shape[axis] == 1 or array.strides[axis] == 0


def evaluate_elementwise(node: Apply, arguments: Sequence[Any]) -> list[np.ndarray]:
    """Compute all outputs of one Elemwise."""
    given = {x: np.asarray(value) for x, value in zip(node.inputs, arguments, strict=True)}
    stream = Stream(joint_shape(node, [given[x] for x in node.inputs]))
    stream.add(node, given)
    values = stream.run(node.outputs)
    return [values[x] for x in node.outputs]


def joint_shape(node: Apply, arguments: Sequence[np.ndarray]) -> tuple[int, ...]:
    """Shape that an Elemwise makes; raises where the Op would."""
    check_broadcasting(node, arguments)
    return np.broadcast_shapes(*(np.shape(x) for x in arguments))


def sums_everything(node: Apply) -> bool:
    """Whether the node adds up all elements of an array in double precision."""
    if not isinstance(node.op, Sum) or node.op.acc_dtype not in (None, "float64"):
        return False
    ndim = node.inputs[0].type.ndim
    return ndim > 0 and (node.op.axis is None or len(node.op.axis) == ndim)


def is_parameter_check(node: Apply) -> bool:
    """Whether the node is a check that the compiled function answers with -inf."""
    return isinstance(node.op, CheckParameterValue) and node.op.can_be_replaced_by_ninf


def checked(value: Any, conditions: Sequence[Any]) -> np.ndarray:
    """What compiling makes of a parameter check: -inf where the parameters are not valid."""
    if all(np.all(condition) for condition in conditions):
        return value
    return np.full_like(value, -np.inf)


def _block_of(node: Apply, values: dict[Variable, np.ndarray]) -> list[np.ndarray]:
    operands = [values[x] for x in node.inputs]
    if is_parameter_check(node):
        return [checked(operands[0], operands[1:])]
    program = scalar_program(node)
    try:
        results = program.evaluate(operands)
    except Exception as error:
        raise OperationFailed(node, error) from error
    return [results[variable] for variable in program.outputs]
