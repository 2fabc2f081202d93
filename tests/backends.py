"""The compilation modes that every Op is tested under."""

import pytensor

from tests import optional

LINKERS = ("NUMBA", "CVM", "C", "JAX")


def compiled(inputs, outputs, mode):
    """A PyTensor function in the mode, which evaluates what it is given and nothing else."""
    if mode == "JAX":
        optional.require("jax")
    return pytensor.function(inputs, outputs, mode=mode, on_unused_input="ignore")
