"""A compilation mode that costs little: rewritten as usual, then run by Python."""

import pytensor
from pytensor.compile.mode import Mode
from pytensor.graph.rewriting.db import RewriteDatabaseQuery
from pytensor.link.vm import VMLinker

# PyTensor's Python loops take at most 32 operands, which fusion exceeds
_REWRITES = RewriteDatabaseQuery(include=["fast_run"], exclude=["fusion", "inplace"])
# lazy, as the linkers are that sampling uses
_MODE = Mode(VMLinker(use_cloop=False, c_thunks=False), _REWRITES)


def interpreted():
    """Context in which nothing is compiled to machine code."""
    return pytensor.config.change_flags(mode=_MODE, linker="py", cxx="")
