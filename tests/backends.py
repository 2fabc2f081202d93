"""The compilation modes that every Op is tested under."""

import pytensor
import pytest

from tests import optional

# These keep IEEE arithmetic to the ends of the range. XLA flushes subnormal numbers to 0 and turns
# a/b/c into a/(b c), so that on JAX scales are to be between 1e-150 and 1e150.
IEEE_LINKERS = ("NUMBA", "CVM", "C")
LINKERS = (*IEEE_LINKERS, "JAX")
# Where a graph is judged, and not what a backend makes of it: interpreted, and as sampling
# compiles it in the soak.
GRAPH_MODES = ("FAST_COMPILE", pytest.param("NUMBA", marks=pytest.mark.soak))


def compiled(inputs, outputs, mode):
    """A PyTensor function in the mode, which evaluates what it is given and nothing else."""
    if mode == "JAX":
        optional.require("jax")
    return pytensor.function(inputs, outputs, mode=mode, on_unused_input="ignore")
