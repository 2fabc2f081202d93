"""The compilation modes that every Op is tested under."""

import pytensor

LINKERS = ("NUMBA", "CVM", "C")


def compiled(inputs, outputs, mode):
    """A PyTensor function in the mode, which evaluates what it is given and nothing else."""
    return pytensor.function(inputs, outputs, mode=mode, on_unused_input="ignore")
