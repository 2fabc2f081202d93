"""Evaluate a rewritten graph node by node in Python, within a bound on memory and time.

No linker takes part, so that results are the same under every one, and nothing is compiled.
Fused loops run in blocks: an array exists only where the compiled function has one too.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pymc.logprob.utils import CheckParameterValue
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.traversal import toposort
from pytensor.scan.op import Scan

from pymc_safetrunc.diagnosis.errors import OperationFailed, OutOfTime
from pymc_safetrunc.diagnosis.loops import run_scan
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
            self._compute(variable)
        return self._values[variable]

    def _leaf(self, variable: Variable) -> Any:
        if isinstance(variable, Constant):
            return variable.data
        if isinstance(variable, SharedVariable):
            return variable.get_value(borrow=True)
        return self.inputs.get(variable)

    def _compute(self, target: Variable) -> None:
        known = {v for v in self._values if v is not target}
        nodes = toposort([target], blockers=known)
        nodes = [node for node in nodes if not all(out in known for out in node.outputs)]
        waiting = Counter(variable for node in nodes for variable in node.inputs)
        waiting[target] += 1
        for node in nodes:
            if time.monotonic() > self.deadline:
                raise OutOfTime
            self._run(node)
            for variable in node.inputs:
                waiting[variable] -= 1
            self._trim(waiting)

    def _run(self, node: Apply) -> None:
        if node in self._failed:
            raise OperationFailed(node, self._failed[node])
        arguments = [self.value(variable) for variable in node.inputs]
        try:
            results = evaluate_node(node, arguments, self.deadline)
        except OutOfTime:
            raise
        except Exception as error:
            self._failed[node] = error
            raise OperationFailed(node, error) from error
        for variable, result in zip(node.outputs, results, strict=True):
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


def evaluate_node(
    node: Apply, arguments: Sequence[Any], deadline: float = math.inf
) -> list[Any]:
    """Outputs of one Apply, computed by Python code."""
    if is_elementwise(node):
        return _evaluate_elementwise(node, [np.asarray(x) for x in arguments])
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
    thunk = node.op.make_thunk(node, storage_map, compute_map, [], impl="py")
    with np.errstate(all="ignore"):
        thunk()
    return [storage_map[variable][0] for variable in node.outputs]


def _evaluate_elementwise(node: Apply, arguments: list[np.ndarray]) -> list[np.ndarray]:
    node.op._check_runtime_broadcast(node, arguments)
    program = scalar_program(node)
    shape = np.broadcast_shapes(*(x.shape for x in arguments))
    size = int(np.prod(shape))
    if size <= BLOCK:
        values = program.evaluate(arguments)
        return [_filled(values[variable], shape) for variable in program.outputs]
    results = [np.empty(shape, variable.type.dtype) for variable in node.outputs]
    axis = int(np.argmax(shape))
    length = max(1, BLOCK * shape[axis] // size)
    for start in range(0, shape[axis], length):
        block = slice(start, start + length)
        values = program.evaluate([_along(x, len(shape), axis, block) for x in arguments])
        for result, variable in zip(results, program.outputs, strict=True):
            _along(result, len(shape), axis, block)[...] = values[variable]
    return results


def _filled(value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    value = np.asarray(value)
    return value if value.shape == shape else np.broadcast_to(value, shape).copy()


def _along(array: np.ndarray, ndim: int, axis: int, block: slice) -> np.ndarray:
    if array.ndim < ndim or array.shape[axis] == 1:
        return array
    return array[(slice(None),) * axis + (block,)]
