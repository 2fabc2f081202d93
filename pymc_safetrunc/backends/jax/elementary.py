"""The kernels of `pymc_safetrunc.kernels.elementary` over arrays."""

import jax.numpy as jnp


def exp_minus(x, one):
    """exp(x) - one for a one of 0 or 1."""
    return jnp.where(one == 0, jnp.exp(x), jnp.expm1(x))
