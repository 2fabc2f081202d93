"""Names of PyMC and PyTensor that are not part of their public interface.

Each is imported here alone, with the feature that breaks when it goes.
"""

# diagnosis: puts the inner graph of an OpFromGraph in its place, so that the walk can enter it
from pytensor.compile.rewriting import inline_ofg_node

# diagnosis: runs the inner graph of a Scan without compiling it
from pytensor.compile.inner_function import link_only_mode  # isort: skip

__all__ = ["inline_ofg_node", "link_only_mode"]
