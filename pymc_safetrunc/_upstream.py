"""Private names of PyMC, PyTensor and nutpie that this package uses, each with its feature.

No other module imports one. ``tests/test_upstream.py`` says which feature breaks when a name goes.
"""

# the default transform of the safe distributions
from pymc.distributions.transforms import _default_transform as default_transform

__all__ = ["default_transform"]
