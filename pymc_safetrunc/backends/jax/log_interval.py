"""The kernels of `pymc_safetrunc.kernels.log_interval` over arrays."""

import jax.numpy as jnp

from pymc_safetrunc.backends.jax.tail import tail_ratios
from pymc_safetrunc.backends.jax.truncated_normal import normalizer
from pymc_safetrunc.kernels.log_interval import CENTRAL_WIDTH, HALF_LOG_2PI
from pymc_safetrunc.kernels.truncated_normal import INV_SQRT_2PI


def upper_tail(z):
    """P(N(0, 1) > z), z >= 0, inf included."""
    return INV_SQRT_2PI * jnp.exp(-0.5 * z * z) / (z + tail_ratios(z)[0])


def log_interval(a, b):
    """log(Phi(b) - Phi(a))."""
    a, b = jnp.broadcast_arrays(a, b)
    central = (a < 0.0) & (b > 0.0) & (b - a > CENTRAL_WIDTH)
    outside = upper_tail(jnp.where(central, -a, 1.0)) + upper_tail(jnp.where(central, b, 1.0))
    anchor, log_mass, *_ = normalizer(jnp.zeros_like(a), jnp.ones_like(a), a, b)
    beside = log_mass - HALF_LOG_2PI - 0.5 * anchor * anchor
    result = jnp.where(central, jnp.log1p(-outside), beside)
    return jnp.where(a == b, -jnp.inf, result)
