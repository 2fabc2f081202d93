"""Scalar Ops on NumPy arrays: what an Elemwise, fused or not, computes element by element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.traversal import toposort
from pytensor.scalar import Add, Cast, Composite, Mul, ScalarOp, get_scalar_type
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.utils import import_func_from_string
from pytensor.xtensor.vectorization import XElemwise

__all__ = ["ScalarProgram", "is_elementwise", "operation_name", "scalar_program"]


class ScalarProgram:
    """The scalar graph of an Elemwise: a fused Composite or one Op, treated alike."""

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable]):
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.nodes: list[Apply] = list(toposort(self.outputs, blockers=self.inputs))

    def evaluate(self, arguments: Sequence[np.ndarray]) -> dict[Variable, np.ndarray]:
        """Values of every scalar variable for arrays (or numbers) that broadcast together."""
        values: dict[Variable, np.ndarray] = dict(zip(self.inputs, arguments, strict=True))
        with np.errstate(all="ignore"):
            for node in self.nodes:
                operands = [
                    variable.data if isinstance(variable, Constant) else values[variable]
                    for variable in node.inputs
                ]
                results = _apply(node, operands)
                values.update(zip(node.outputs, results, strict=True))
        return values


def scalar_program(node: Apply) -> ScalarProgram:
    """Scalar graph of an Elemwise node."""
    scalar_op = node.op.scalar_op
    if isinstance(scalar_op, Composite):
        return _composite_program(scalar_op)
    return _single_program(
        scalar_op,
        tuple(variable.type.dtype for variable in node.inputs),
        tuple(variable.type.dtype for variable in node.outputs),
    )


@lru_cache(maxsize=512)
def _composite_program(scalar_op: Composite) -> ScalarProgram:
    inputs = list(scalar_op.fgraph.inputs)
    return ScalarProgram(inputs, _unfolded(scalar_op, inputs))


def _unfolded(scalar_op: Composite, inputs: Sequence[Variable]) -> list[Variable]:
    """Outputs of a Composite for inputs; a Composite inside it (a power, say) is unfolded too."""
    made: dict[Variable, Variable] = dict(zip(scalar_op.fgraph.inputs, inputs, strict=True))
    for node in scalar_op.fgraph.toposort():
        operands = [made.get(variable, variable) for variable in node.inputs]
        if isinstance(node.op, Composite):
            results = _unfolded(node.op, operands)
        else:
            results = Apply(node.op, operands, [out.type() for out in node.outputs]).outputs
        made.update(zip(node.outputs, results, strict=True))
    return [made[variable] for variable in scalar_op.fgraph.outputs]


@lru_cache(maxsize=512)
def _single_program(
    scalar_op: ScalarOp, dtypes: tuple[str, ...], out_dtypes: tuple[str, ...]
) -> ScalarProgram:
    inputs = [get_scalar_type(dtype)() for dtype in dtypes]
    node = Apply(scalar_op, inputs, [get_scalar_type(dtype)() for dtype in out_dtypes])
    return ScalarProgram(inputs, node.outputs)


def _apply(node: Apply, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    op = node.op
    out_dtypes = [variable.type.dtype for variable in node.outputs]
    if isinstance(op, Cast):
        return [np.asarray(operands[0]).astype(out_dtypes[0])]
    ufunc = _numpy_function(op)
    if ufunc is not None:
        # integers would be computed in a narrow float (log of an int8 in float16)
        if out_dtypes[0].startswith("float") and op.__class__.__name__ != "Switch":
            operands = [
                np.asarray(x, out_dtypes[0]) if np.asarray(x).dtype.kind in "iub" else x
                for x in operands
            ]
        if isinstance(op, Add | Mul):
            return [np.asarray(reduce(ufunc, operands), out_dtypes[0])]
        if len(operands) == op.nfunc_spec[1]:
            results = ufunc(*operands)
            results = results if len(out_dtypes) > 1 else [results]
            return [np.asarray(r, dtype) for r, dtype in zip(results, out_dtypes, strict=True)]
    elementwise = np.frompyfunc(_guarded(op), len(operands), len(out_dtypes))
    results = elementwise(*operands)
    results = results if len(out_dtypes) > 1 else [results]
    return [np.asarray(r, dtype) for r, dtype in zip(results, out_dtypes, strict=True)]


@lru_cache(maxsize=256)
def _numpy_function(op: ScalarOp) -> Callable | None:
    spec = getattr(op, "nfunc_spec", None)
    return import_func_from_string(spec[0]) if spec else None


def _guarded(op: ScalarOp) -> Callable:
    """`op.impl` with the results of IEEE arithmetic where Python numbers raise."""
    undefined = np.nan if op.nout == 1 else (np.nan,) * op.nout

    def impl(*arguments):
        try:
            return op.impl(*arguments)
        except (ZeroDivisionError, OverflowError, ValueError):
            pass
        try:
            return op.impl(*(np.float64(x) for x in arguments))
        except (ZeroDivisionError, OverflowError, ValueError):
            return undefined

    return impl


def is_elementwise(node: Apply) -> bool:
    """Whether the node applies a scalar Op to every element."""
    return isinstance(node.op, Elemwise)


def operation_name(op: Any) -> str:
    """Class name of an Op: that of the one it applies to every element, or along the last axes.

    A fused Elemwise has the name of its last operation.
    """
    if isinstance(op, Elemwise | XElemwise):
        return operation_name(op.scalar_op)
    if isinstance(op, Composite):
        last = op.fgraph.outputs[0].owner
        return "Identity" if last is None else operation_name(last.op)
    return type(getattr(op, "core_op", op)).__name__
