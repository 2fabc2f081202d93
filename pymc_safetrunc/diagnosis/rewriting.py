"""Bring a graph into the form that the compiled function has."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import pytensor
from pymc.logprob.utils import CheckParameterValue
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import optdb
from pytensor.graph.basic import Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import GraphRewriter
from pytensor.graph.rewriting.db import RewriteDatabaseQuery
from pytensor.xtensor.basic import XOp

from pymc_safetrunc._upstream import inline_ofg_node

__all__ = ["inline_inner_graphs", "remove_checks", "rewriter", "runnable", "without_compiler"]


@lru_cache
def rewriter(*excluded: str) -> GraphRewriter:
    """Rewrites that change a compiled function's arithmetic, the same whatever the linker.

    Left out are those that only exist for one linker (C code, BLAS) or save memory (inplace).
    """
    return optdb.query(
        RewriteDatabaseQuery(
            include=["fast_run"],
            exclude=["inplace", "cxx_only", "BlasOpt", "scan_make_inplace", *excluded],
        )
    )


def without_compiler():
    """Context in which Ops with a loop or a graph inside run it in Python, not in C."""
    return pytensor.config.change_flags(cxx="")


def remove_checks(fgraph: FunctionGraph) -> None:
    """Drop PyMC's parameter checks, as compiling does under ``check_bounds=False``."""
    for node in fgraph.toposort():
        if isinstance(node.op, CheckParameterValue):
            fgraph.replace(node.outputs[0], node.inputs[0], reason="diagnosis")


def runnable(outputs: Sequence[Variable]) -> FunctionGraph:
    """Graph of its own whose every node can be run: no graphs inside, no named dimensions."""
    fgraph = FunctionGraph(outputs=outputs, clone=True, copy_inputs=False)
    inline_inner_graphs(fgraph)
    if any(isinstance(node.op, XOp) for node in fgraph.apply_nodes):
        optdb.query(RewriteDatabaseQuery(include=["lower_xtensor"])).rewrite(fgraph)
        inline_inner_graphs(fgraph)
    return fgraph


def inline_inner_graphs(fgraph: FunctionGraph) -> None:
    """Put the inner graph of every OpFromGraph in its place, so that the walk can enter it."""
    while True:
        nodes = [node for node in fgraph.toposort() if isinstance(node.op, OpFromGraph)]
        if not nodes:
            return
        for node in reversed(nodes):
            if node in fgraph.apply_nodes:
                fgraph.replace_all(
                    zip(node.outputs, inline_ofg_node(node), strict=True),
                    reason="diagnosis",
                    import_missing=True,
                )
