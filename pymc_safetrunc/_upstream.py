"""Private names of PyMC, PyTensor and nutpie that this package uses, each with its feature.

No other module imports one. ``tests/test_upstream.py`` says which feature breaks when a name goes.
"""

# the mean of the safe distributions, for pymc.distributions.moments.mean
from pymc.distributions.moments.means import _mean as distribution_mean

# the default transform of the safe distributions
from pymc.distributions.transforms import _default_transform as default_transform

# diagnosis: runs the inner graph of a Scan without compiling it
from pytensor.compile.inner_function import link_only_mode

# diagnosis: puts the inner graph of an OpFromGraph in its place, so that the walk can enter it
from pytensor.compile.rewriting import inline_ofg_node

__all__ = ["default_transform", "distribution_mean", "inline_ofg_node", "link_only_mode"]
