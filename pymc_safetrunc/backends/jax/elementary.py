"""The kernels of `pymc_safetrunc.kernels.elementary` over arrays."""

import jax.numpy as jnp

from pymc_safetrunc.kernels.elementary import LOG_2, SQUARE_IS_ALL


def exp_minus(x, one):
    """exp(x) - one for a one of 0 or 1."""
    return jnp.where(one == 0, jnp.exp(x), jnp.expm1(x))


def log_plus(x, one):
    """log(x + one) for a one of 0 or 1."""
    return jnp.where(one == 0, jnp.log(x), jnp.log1p(x))


def log1mexp(x):
    """log(1 - exp(-x)) for x >= 0."""
    return jnp.where(x > LOG_2, jnp.log1p(-jnp.exp(-x)), jnp.log(-jnp.expm1(-x)))


def log1p_square(z):
    """log(1 + z^2)."""
    far, near_z, far_z = _sides(z)
    return jnp.where(far, 2 * jnp.log(jnp.abs(far_z)), jnp.log1p(near_z * near_z))


def log1p_square_slope(z):
    """2 z/(1 + z^2)."""
    far, near_z, far_z = _sides(z)
    return jnp.where(far, 2 / far_z, 2 * near_z / (1 + near_z * near_z))


def _sides(z):
    """Whether 1 + z^2 is z^2, and z with a harmless number in place of it on either side."""
    far = jnp.abs(z) > min(SQUARE_IS_ALL, float(jnp.finfo(z.dtype).max) ** 0.3)
    return far, jnp.where(far, 0, z), jnp.where(far, z, 1)
