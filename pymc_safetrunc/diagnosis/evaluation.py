"""Evaluate a rewritten graph node by node in Python, within a bound on memory and time.

No linker takes part, so that results are the same under every one, and nothing is compiled.
Fused loops run in blocks: an array exists only where the compiled function has one too.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from pymc.logprob.utils import CheckParameterValue
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.traversal import toposort
from pytensor.scan.op import Scan
from pytensor.tensor.math import Sum

from pymc_safetrunc.diagnosis.errors import OperationFailed, OutOfTime
from pymc_safetrunc.diagnosis.loops import run_scan
from pymc_safetrunc.diagnosis.rewriting import without_compiler
from pymc_safetrunc.diagnosis.scalars import is_elementwise, scalar_program

__all__ = ["Evaluation", "evaluate_node"]

# Elements a fused loop handles at a time: small enough for 100 temporaries to stay below 8 MB,
# large enough for NumPy's overhead of about a microsecond a call not to show.
BLOCK = 8192
# Arrays below this many bytes are kept without counting.
SMALL = 1 << 16


class Evaluation:
    """Values of a graph at one point.

    Parameters
    ----------
    fgraph : FunctionGraph
        The rewritten graph.
    inputs : mapping of Variable to array
        Values of the graph's inputs that are neither constant nor shared.
    budget : int
        Bytes of intermediate arrays that may be kept for the walk back. What does not fit is
        dropped, and computed again when it is asked for.
    deadline : float
        Value of `time.monotonic` after which `OutOfTime` is raised.
    """

    def __init__(
        self,
        fgraph: FunctionGraph,
        inputs: Mapping[Variable, Any],
        budget: int,
        deadline: float,
    ):
        self.fgraph = fgraph
        self.inputs = inputs
        self.budget = budget
        self.deadline = deadline
        self._values: dict[Variable, Any] = {}
        self._failed: dict[Apply, Exception] = {}
        self._kept_bytes = 0

    def value(self, variable: Variable) -> Any:
        """Value of a variable; computes what is missing."""
        if (leaf := self._leaf(variable)) is not None:
            return leaf
        if variable not in self._values:
            self._compute([variable])
        return self._values[variable]

    def _leaf(self, variable: Variable) -> Any:
        if isinstance(variable, Constant):
            return variable.data
        if isinstance(variable, SharedVariable):
            return variable.get_value(borrow=True)
        return self.inputs.get(variable)

    def prepare(self, targets: Sequence[Variable]) -> None:
        """Compute several variables in one pass, so that what they share is computed once."""
        # a failure belongs to the targets that need it: they meet it again in `value`
        with suppress(OperationFailed):
            self._compute(targets)

    def _compute(self, targets: Sequence[Variable]) -> None:
        targets = [x for x in targets if x not in self._values and self._leaf(x) is None]
        nodes = list(toposort(targets, blockers=list(self._values)))
        waiting = Counter(variable for node in nodes for variable in node.inputs)
        waiting.update(targets)
        summed: dict[Variable, list[Apply]] = {}
        for node in nodes:
            if _sums_everything(node):
                summed.setdefault(node.inputs[0], []).append(node)
        # an array that is only summed is summed block by block and never exists
        summed = {x: sums for x, sums in summed.items() if waiting[x] == len(sums)}
        for node in nodes:
            if time.monotonic() > self.deadline:
                raise OutOfTime
            if all(out in self._values or not waiting[out] for out in node.outputs):
                continue
            self._run(node, waiting, summed)
            for variable in node.inputs:
                waiting[variable] -= 1
            self._trim(waiting)

    def _run(self, node: Apply, waiting: Counter, summed: dict[Variable, list[Apply]]) -> None:
        if node in self._failed:
            raise OperationFailed(node, self._failed[node])
        arguments = [self.value(variable) for variable in node.inputs]
        try:
            if is_elementwise(node):
                wanted = [waiting[x] > 0 and x not in self._values for x in node.outputs]
                folded = [x in summed for x in node.outputs]
                results = _evaluate_elementwise(node, arguments, wanted, folded)
            else:
                results = evaluate_node(node, arguments, self.deadline)
        except OutOfTime:
            raise
        except Exception as error:
            self._failed[node] = error
            raise OperationFailed(node, error) from error
        for variable, result in zip(node.outputs, results, strict=True):
            if result is None or variable in self._values:
                continue
            if isinstance(result, _Total):
                for sum_node in summed[variable]:
                    dtype = sum_node.outputs[0].type.dtype
                    self._values[sum_node.outputs[0]] = np.asarray(result.value, dtype)
                continue
            self._values[variable] = result
            self._kept_bytes += _size(result)

    def _trim(self, waiting: Counter) -> None:
        if self._kept_bytes <= self.budget:
            return
        droppable = [v for v, x in self._values.items() if _size(x) and waiting[v] <= 0]
        for variable in sorted(droppable, key=lambda v: -_size(self._values[v])):
            self._kept_bytes -= _size(self._values.pop(variable))
            if self._kept_bytes <= self.budget:
                return


def _size(value: Any) -> int:
    nbytes = getattr(value, "nbytes", 0)
    return nbytes if nbytes > SMALL else 0


def evaluate_node(node: Apply, arguments: Sequence[Any], deadline: float = math.inf) -> list[Any]:
    """Compute the outputs of one Apply by Python code."""
    if is_elementwise(node):
        return _evaluate_elementwise(node, arguments)
    if isinstance(node.op, CheckParameterValue) and node.op.can_be_replaced_by_ninf:
        # what pymc.compile makes of it: -inf where the parameters are not valid
        value, *conditions = arguments
        if all(np.all(condition) for condition in conditions):
            return [value]
        return [np.full_like(value, -np.inf)]
    if isinstance(node.op, Scan):
        return run_scan(node, list(arguments), deadline)
    storage_map = {variable: [x] for variable, x in zip(node.inputs, arguments, strict=True)}
    storage_map |= {variable: [None] for variable in node.outputs}
    compute_map = {variable: [variable in node.inputs] for variable in storage_map}
    with np.errstate(all="ignore"), without_compiler():
        node.op.make_thunk(node, storage_map, compute_map, [], impl="py")()
    return [storage_map[variable][0] for variable in node.outputs]


class _Total:
    """The sum of an array that was not kept."""

    def __init__(self, dtype: str):
        self.value = np.zeros((), dtype)

    def add(self, block: np.ndarray, shape: tuple[int, ...]) -> None:
        with np.errstate(all="ignore"):
            self.value = self.value + np.broadcast_to(block, shape).sum()


def _sums_everything(node: Apply) -> bool:
    if not isinstance(node.op, Sum) or node.op.acc_dtype not in (None, "float64"):
        return False
    ndim = node.inputs[0].type.ndim
    return node.op.axis is None or len(node.op.axis) == ndim


def _evaluate_elementwise(
    node: Apply,
    arguments: Sequence[Any],
    wanted: Sequence[bool] | None = None,
    folded: Sequence[bool] | None = None,
) -> list[Any]:
    """Compute an Elemwise: None for outputs not wanted, the total for those to be summed."""
    arguments = [np.asarray(x) for x in arguments]
    node.op._check_runtime_broadcast(node, arguments)
    program = scalar_program(node)
    shape = np.broadcast_shapes(*(x.shape for x in arguments))
    size = int(np.prod(shape))
    wanted = wanted or [True] * len(node.outputs)
    if size <= BLOCK:
        values = program.evaluate(arguments)
        return [_filled(values[variable], shape) for variable in program.outputs]
    folded = folded or [False] * len(node.outputs)
    results = [
        None if not want else _Total("float64") if fold else np.empty(shape, variable.type.dtype)
        for variable, want, fold in zip(node.outputs, wanted, folded, strict=True)
    ]
    axis = int(np.argmax(shape))
    length = max(1, BLOCK * shape[axis] // size)
    for start in range(0, shape[axis], length):
        block = slice(start, start + length)
        values = program.evaluate([_along(x, len(shape), axis, block) for x in arguments])
        part = (*shape[:axis], min(length, shape[axis] - start), *shape[axis + 1 :])
        for result, variable in zip(results, program.outputs, strict=True):
            if isinstance(result, _Total):
                result.add(values[variable], part)
            elif result is not None:
                _along(result, len(shape), axis, block)[...] = values[variable]
    return results


def _filled(value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    value = np.asarray(value)
    return value if value.shape == shape else np.broadcast_to(value, shape).copy()


def _along(array: np.ndarray, ndim: int, axis: int, block: slice) -> np.ndarray:
    if array.ndim < ndim or array.shape[axis] == 1:
        return array
    return array[(slice(None),) * axis + (block,)]
