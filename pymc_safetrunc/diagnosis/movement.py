"""Operations that only move elements: where an element came from."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

import numpy as np
from pytensor.compile.ops import DeepCopyOp, ViewOp
from pytensor.graph.basic import Apply, Variable
from pytensor.tensor.basic import (
    Alloc,
    ExtractDiag,
    Join,
    MakeVector,
    ScalarFromTensor,
    Split,
    TensorFromScalar,
)
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.reshape import JoinDims, SplitDims
from pytensor.tensor.shape import Reshape, SpecifyShape
from pytensor.tensor.subtensor import (
    AdvancedIncSubtensor,
    AdvancedSubtensor,
    IncSubtensor,
    Subtensor,
)
from pytensor.xtensor.basic import TensorFromXTensor, XTensorFromTensor

from pymc_safetrunc.diagnosis.evaluation import evaluate_node

__all__ = ["is_increment", "is_movement", "moved_from", "reduced_part"]

# Op: how many of its first inputs are moved (None: all); the others are shapes, axes, indices
_MOVED: dict[type, slice] = {
    Alloc: slice(0, 1),
    DeepCopyOp: slice(0, 1),
    DimShuffle: slice(0, 1),
    ExtractDiag: slice(0, 1),
    Join: slice(0, None),
    JoinDims: slice(0, 1),
    MakeVector: slice(0, None),
    Reshape: slice(0, 1),
    ScalarFromTensor: slice(0, 1),
    SpecifyShape: slice(0, 1),
    Split: slice(0, 1),
    SplitDims: slice(0, 1),
    Subtensor: slice(0, 1),
    AdvancedSubtensor: slice(0, 1),
    TensorFromScalar: slice(0, 1),
    TensorFromXTensor: slice(0, 1),
    ViewOp: slice(0, 1),
    XTensorFromTensor: slice(0, 1),
}


def is_movement(node: Apply) -> bool:
    """Whether every output element is a copy of an input element."""
    return type(node.op) in _MOVED


def is_increment(node: Apply) -> bool:
    """Whether the node adds to, or sets, a part of an array."""
    return isinstance(node.op, IncSubtensor | AdvancedIncSubtensor)


def moved_from(
    node: Apply, out: Variable, index: tuple[int, ...], arguments: list
) -> tuple[int, tuple[int, ...]] | None:
    """Input number and index of the element that stands at `index` of an output.

    The operation is run on numbered elements instead of their values.
    """
    if is_increment(node):
        return _increment_from(node, index, arguments)
    if isinstance(node.op, MakeVector):  # it casts to the type of its inputs, which may be bool
        return index[0], ()
    moved = range(len(arguments))[_MOVED[type(node.op)]]
    numbered = list(arguments)
    first = {}
    count = 1
    for position in moved:
        array = np.asarray(arguments[position])
        first[position] = count
        # exact: an array has fewer than 2**53 elements
        numbers = np.arange(count, count + array.size, dtype="float64").reshape(array.shape)
        numbered[position] = numbers if array.ndim else np.asarray(numbers)
        count += array.size
    results = evaluate_node(node, numbered)
    number = int(np.asarray(results[node.outputs.index(out)])[index])
    return _locate(number, first, arguments)


def reduced_part(
    node: Apply, index: tuple[int, ...], array: np.ndarray
) -> tuple[np.ndarray, Callable[[tuple[int, ...]], tuple[int, ...]]]:
    """Entries that a reduction combines into one, and the way from theirs to the array's index."""
    axes = node.op.axis if node.op.axis is not None else tuple(range(array.ndim))
    kept = iter(index)
    place = tuple(
        slice(None) if axis in axes else slice(i := next(kept), i + 1) for axis in range(array.ndim)
    )

    def outward(found: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(i if s.start is None else s.start for i, s in zip(found, place, strict=True))

    return array[place], outward


def _locate(number, first, arguments) -> tuple[int, tuple[int, ...]] | None:
    for position, start in reversed(first.items()):
        if number >= start:
            shape = np.asarray(arguments[position]).shape
            return position, tuple(int(i) for i in np.unravel_index(number - start, shape))
    return None


def _increment_from(node, index, arguments):
    base, part, *indices = arguments
    base, part = np.asarray(base), np.asarray(part)
    if not node.op.set_instead_of_inc and not np.isfinite(base[index]):
        return 0, index
    set_op = copy(node.op)
    set_op.set_instead_of_inc = True
    set_node = Apply(set_op, node.inputs, [out.clone() for out in node.outputs])

    def landed(numbers):
        (result,) = evaluate_node(set_node, [np.zeros(base.shape), numbers, *indices])
        return int(result[index])

    numbers = np.arange(1, part.size + 1, dtype="float64").reshape(part.shape)
    if node.op.set_instead_of_inc:
        number = landed(numbers)
        return _locate(number, {1: 1}, [base, part]) if number else (0, index)
    # several entries may be added to one place: of the bad ones, halve those among which it lies
    bad = np.flatnonzero(~np.isfinite(part))
    if not len(bad) or not _reaches(node, base, part, indices, bad, index):
        return None
    while len(bad) > 1:
        half = bad[: len(bad) // 2]
        bad = half if _reaches(node, base, part, indices, half, index) else bad[len(half) :]
    return 1, tuple(int(i) for i in np.unravel_index(bad[0], part.shape))


def _reaches(node, base, part, indices, entries, index) -> bool:
    """Whether one of some entries of what is added lands at an index."""
    probe = np.zeros(part.size)
    probe[entries] = 1
    (result,) = evaluate_node(node, [np.zeros(base.shape), probe.reshape(part.shape), *indices])
    return bool(result[index])
