"""Evaluate a rewritten graph node by node in Python, within a bound on memory and time.

No linker takes part, so that results are the same under every one, and nothing is compiled.
Elementwise operations run in blocks, see `streaming`.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.conditional.op import IfElse
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.traversal import toposort, walk_toposort
from pytensor.scan.op import Scan
from pytensor.tensor.basic import Alloc

from pymc_safetrunc.diagnosis import streaming
from pymc_safetrunc.diagnosis.errors import OperationFailed, OutOfTime
from pymc_safetrunc.diagnosis.loops import run_scan
from pymc_safetrunc.diagnosis.rewriting import without_compiler
from pymc_safetrunc.diagnosis.scalars import is_elementwise
from pymc_safetrunc.diagnosis.streaming import (
    Stream,
    checked,
    evaluate_elementwise,
    is_parameter_check,
    joint_shape,
)

__all__ = ["Evaluation", "branch_taken", "evaluate_node"]

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
        self._branches = any(isinstance(node.op, IfElse) for node in fgraph.apply_nodes)

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
        targets = [x for x in targets if not self._known(x)]
        nodes = self._in_order(targets)
        waiting = Counter(variable for node in nodes for variable in self._needed(node))
        waiting.update(targets)
        # elementwise nodes wait here until something needs the whole of what they make
        stream: Stream | None = None
        for node in nodes:
            self._check_time()
            if all(out in self._values or not waiting[out] for out in node.outputs):
                continue
            if node in self._failed:
                raise OperationFailed(node, self._failed[node])
            if stream is not None and not stream.pending.isdisjoint(node.inputs):
                if stream.accepts(node) and self._join(stream, node):
                    continue
                self._flush(stream, waiting)
                stream = None
            if (shape := self._large(node)) is not None:
                if stream is not None and stream.shape != shape:
                    self._flush(stream, waiting)
                    stream = None
                stream = stream or Stream(shape)
                self._join(stream, node)
                continue
            self._run(node, waiting)
        if stream is not None:
            self._flush(stream, waiting)

    def _known(self, variable: Variable) -> bool:
        return variable in self._values or self._leaf(variable) is not None

    def _in_order(self, targets: Sequence[Variable]) -> list[Apply]:
        """Nodes that lead to the targets; through an IfElse only those of the branch it takes."""
        if not self._branches:
            return list(toposort(targets, blockers=list(self._values)))
        while True:
            found: Iterator[Any] = walk_toposort(targets, self._behind)
            nodes = [node for node in found if isinstance(node, Apply)]
            conditions = [node.inputs[0] for node in nodes if isinstance(node.op, IfElse)]
            undecided = [condition for condition in conditions if not self._known(condition)]
            if not undecided:
                return nodes
            self._compute(undecided)

    def _behind(self, node: Apply | Variable) -> list[Any]:
        if isinstance(node, Apply):
            return self._needed(node)
        return [] if node.owner is None or self._known(node) else [node.owner]

    def _needed(self, node: Apply) -> list[Variable]:
        """Inputs that a node needs: an IfElse at first its condition, then the branch it takes."""
        if not isinstance(node.op, IfElse):
            return node.inputs
        condition = node.inputs[0]
        if not self._known(condition):
            return [condition]
        return [condition, *branch_taken(node, self.value(condition))]

    def _check_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise OutOfTime

    def _large(self, node: Apply) -> tuple[int, ...] | None:
        """Shape of what an Elemwise makes if that takes more than one block."""
        if not is_elementwise(node):
            return None
        with self._blamed(node):
            shape = joint_shape(node, [np.asarray(self.value(x)) for x in node.inputs])
        return shape if np.prod(shape) > streaming.BLOCK else None

    def _join(self, stream: Stream, node: Apply) -> bool:
        with self._blamed(node):
            given = {x: np.asarray(self.value(x)) for x in node.inputs if x not in stream.made}
            return stream.add(node, given)

    def _flush(self, stream: Stream, waiting: Counter) -> None:
        """Run a stream; keep what is needed outside, and as much else as the budget allows."""
        uses = stream.uses()
        made = [x for x in stream.made if x not in self._values and waiting[x]]
        size = int(np.prod(stream.shape))
        room = self.budget - self._kept_bytes
        kept = []
        for variable in sorted(made, key=lambda x: waiting[x] <= uses[x]):  # the needed first
            nbytes = size * variable.type.numpy_dtype.itemsize
            if waiting[variable] > uses[variable] or nbytes <= room:
                kept.append(variable)
                room -= nbytes
        try:
            values = stream.run(kept, self._check_time)
        except OperationFailed as failure:
            self._failed[failure.node] = failure.error
            raise
        for variable, value in values.items():
            self._keep(variable, value)
        waiting.subtract(uses)
        self._trim(waiting)

    def _run(self, node: Apply, waiting: Counter) -> None:
        arguments = [self.value(variable) for variable in self._needed(node)]
        if isinstance(node.op, IfElse):
            results = arguments[1:]
        else:
            with self._blamed(node):
                results = evaluate_node(node, arguments, self.deadline)
        for variable, result in zip(node.outputs, results, strict=True):
            if variable not in self._values:
                self._keep(variable, result)
        waiting.subtract(self._needed(node))
        self._trim(waiting)

    def _keep(self, variable: Variable, value: Any) -> None:
        self._values[variable] = value
        self._kept_bytes += _size(value)

    @contextmanager
    def _blamed(self, node: Apply) -> Iterator[None]:
        """Lay what is raised inside at the node's door."""
        try:
            yield
        except (OutOfTime, OperationFailed):
            raise
        except Exception as error:
            self._failed[node] = error
            raise OperationFailed(node, error) from error

    def _trim(self, waiting: Counter) -> None:
        if self._kept_bytes <= self.budget:
            return
        droppable = [v for v, x in self._values.items() if _size(x) and waiting[v] <= 0]
        for variable in sorted(droppable, key=lambda v: -_size(self._values[v])):
            self._kept_bytes -= _size(self._values.pop(variable))
            if self._kept_bytes <= self.budget:
                return


def branch_taken(node: Apply, condition: Any) -> list[Variable]:
    """Inputs that an IfElse hands on, by the value of its condition."""
    start = 1 if condition else 1 + node.op.n_outs
    return node.inputs[start : start + node.op.n_outs]


def _size(value: Any) -> int:
    """Bytes that an array takes: none for what is repeated."""
    if not isinstance(value, np.ndarray):
        return 0
    lengths = (n for n, stride in zip(value.shape, value.strides, strict=True) if stride)
    nbytes = value.itemsize * math.prod(lengths)
    return nbytes if nbytes > SMALL else 0


def evaluate_node(node: Apply, arguments: Sequence[Any], deadline: float = math.inf) -> list[Any]:
    """Compute the outputs of one Apply by Python code."""
    if is_elementwise(node):
        return evaluate_elementwise(node, arguments)
    if is_parameter_check(node):
        return [checked(arguments[0], arguments[1:])]
    if isinstance(node.op, Alloc):
        value, *shape = arguments
        return [np.broadcast_to(value, [int(n) for n in shape])]
    if isinstance(node.op, Scan):
        return run_scan(node, list(arguments), deadline)
    storage_map = {variable: [x] for variable, x in zip(node.inputs, arguments, strict=True)}
    storage_map |= {variable: [None] for variable in node.outputs}
    compute_map = {variable: [variable in node.inputs] for variable in storage_map}
    with np.errstate(all="ignore"), without_compiler():
        node.op.make_thunk(node, storage_map, compute_map, [], impl="py")()
    return [storage_map[variable][0] for variable in node.outputs]
