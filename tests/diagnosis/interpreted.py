"""A compilation mode that costs little: rewritten as usual, then run by Python."""

import pytensor
from pytensor.compile.mode import Mode
from pytensor.graph.rewriting.db import RewriteDatabaseQuery

# PyTensor's Python loops take at most 32 operands, which fusion exceeds
_REWRITES = RewriteDatabaseQuery(include=["fast_run"], exclude=["fusion", "inplace"])
_MODE = Mode("py", _REWRITES)


def interpreted():
    """Context in which nothing is compiled to machine code."""
    return pytensor.config.change_flags(mode=_MODE, linker="py", cxx="")
