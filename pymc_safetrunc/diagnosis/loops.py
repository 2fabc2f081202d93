"""Inside a Scan: which of its operations made the value, and at which step of the loop."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.link.vm import VMLinker
from pytensor.scan.op import Scan

from pymc_safetrunc._upstream import link_only_mode, link_scan
from pymc_safetrunc.diagnosis.errors import OutOfTime
from pymc_safetrunc.diagnosis.nonfinite import first_bad
from pymc_safetrunc.diagnosis.rewriting import inline_inner_graphs, rewriter, without_compiler

if TYPE_CHECKING:
    from pymc_safetrunc.diagnosis.evaluation import Evaluation
    from pymc_safetrunc.diagnosis.expression import Namer
    from pymc_safetrunc.diagnosis.steps import Step

__all__ = ["LoopOrigin", "first_inside", "run_scan"]


@dataclass(frozen=True)
class LoopOrigin:
    """An operation inside a loop; `argument` numbers the Scan's input that is to blame, if any."""

    step: Step
    argument: int | None


def run_scan(node: Apply, arguments: list[Any], deadline: float = math.inf) -> list[Any]:
    """Run a Scan with its inner graph in Python; nothing is compiled."""
    return _Loop(node).run(arguments, deadline)


# When the loop that runs has to end. The link of a loop within a loop is kept from one run to
# another, and cannot hold it.
_DEADLINE: ContextVar[float] = ContextVar("deadline", default=math.inf)


def _check_time(**_: Any) -> None:
    if time.monotonic() > _DEADLINE.get():
        raise OutOfTime


class _Loop:
    """A Scan that calls back after each operation of its inner graph."""

    def __init__(
        self,
        node: Apply,
        watch: Callable[[Apply, dict[Variable, list]], None] | None = None,
    ):
        def after_each(node, thunk, storage_map, compute_map):
            _check_time()
            if watch is not None:
                watch(node, storage_map)

        self.node = node
        self.op = copy(_rewritten(node.op))
        # a watcher looks at operands after the fact: they must not have been freed
        linker = VMLinker(
            use_cloop=False, c_thunks=False, lazy=False, allow_gc=watch is None, callback=after_each
        )
        with without_compiler():
            self.inner = link_scan(self.op, linker)

    def run(self, arguments: list[Any], deadline: float) -> list[Any]:
        storage: list[list[Any]] = [[None] for _ in self.node.outputs]
        token = _DEADLINE.set(deadline)
        try:
            with np.errstate(all="ignore"), without_compiler():
                self.op.perform(self.node, list(arguments), storage)
        finally:
            _DEADLINE.reset(token)
        return [cell[0] for cell in storage]

    def labels(self, namer: Namer) -> dict[Variable, str]:
        """Names for what an iteration is given."""
        op, inner, outer = self.op, list(self.inner.inputs), self.node.inputs
        labels = dict.fromkeys(inner, "state")
        for variable, of in zip(op.inner_seqs(inner), op.outer_seqs(outer), strict=True):
            labels[variable] = f"{namer.text(of)}[t]"
        for variable, of in zip(op.inner_non_seqs(inner), op.outer_non_seqs(outer), strict=True):
            labels[variable] = namer.text(of)
        return labels


@lru_cache(maxsize=64)
def _rewritten(op: Scan) -> Scan:
    """Rewrite the inner graph as compiling does, unfused so that its operations stay apart."""
    inner = op.fgraph.unfreeze()
    inline_inner_graphs(inner)
    rewriter("fusion").rewrite(inner)
    for node in inner.toposort():
        if isinstance(node.op, Scan):
            nested = copy(_rewritten(node.op))
            nested.__class__ = _PythonScan
            inner.replace_all(
                zip(node.outputs, nested.make_node(*node.inputs).outputs, strict=True),
                reason="diagnosis",
            )
    return op.clone_with_inner_graph(inner)


class _PythonScan(Scan):
    """A loop within a loop: it is linked by PyTensor, and must not be linked to C."""

    def link_mode(self, impl):
        return link_only_mode(VMLinker(use_cloop=False, c_thunks=False, callback=_check_time))


def first_inside(
    node: Apply, arguments: list[Any], namer: Namer, deadline: float
) -> LoopOrigin | None:
    """Origin of the first non-finite value that an iteration of a loop hands on."""
    from pymc_safetrunc.diagnosis.walk import Walk

    found: list[LoopOrigin] = []
    iterations: Counter[Apply] = Counter()

    def watch(inner_node: Apply, storage_map: dict[Variable, list]) -> None:
        if found:
            return
        iterations[inner_node] += 1
        for out in inner_node.outputs:
            value = storage_map[out][0]
            if out not in handed_on or value is None or (index := first_bad(value)) is None:
                continue
            path, end, _ = Walk(
                cast("Evaluation", _Stored(storage_map, deadline)), inner_namer
            ).back(out, index)
            path = [step for step in path if not step.moved]
            if not path:
                continue
            turned = [step for step in path if step.made_nan_from_infinity()]
            step = turned[-1] if turned and end != "operation" else path[-1]
            step = replace(step, index=(iterations[inner_node] - 1, *step.index), shape=(2,))
            bad = [i for i, x in enumerate(arguments) if first_bad(x) is not None]
            found.append(LoopOrigin(step, bad[0] if bad and end != "operation" else None))
            return

    loop = _Loop(node, watch=watch)
    handed_on = set(loop.inner.outputs)
    inner_namer = type(namer)({**namer.labels, **loop.labels(namer)})
    loop.run(arguments, deadline)
    return found[0] if found else None


class _Stored:
    """Values of a running loop, as `Evaluation` gives them."""

    def __init__(self, storage_map: dict, deadline: float):
        self.storage_map = storage_map
        self.deadline = deadline

    def value(self, variable: Variable) -> Any:
        return variable.data if isinstance(variable, Constant) else self.storage_map[variable][0]
