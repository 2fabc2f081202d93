"""PyTensor scalar Ops over the kernels, each with its pullback.

Importing them registers Numba; JAX is registered when PyTensor's JAX backend is loaded, before or
after, in this process or in one that unpickles an Op.
"""

from pymc_safetrunc._import_hook import import_after

import_after("pytensor.link.jax.dispatch", "pymc_safetrunc.backends.jax")
