"""The kernels of `pymc_safetrunc.kernels.counts` over arrays."""

import jax.numpy as jnp
from jax.scipy.special import gammaln

from pymc_safetrunc.kernels.counts import HALF_LOG_2PI, NEAR, SERIES_FROM


def stirling_error(x):
    """Log of Gamma(x) over Stirling's formula for it, x > 0."""
    large = x >= SERIES_FROM
    w = 1 / jnp.where(large, x, SERIES_FROM)
    s = w * w
    tail = 1 / 1188 + s * (-691 / 360360 + s / 156)
    series = w * (1 / 12 + s * (-1 / 360 + s * (1 / 1260 + s * (-1 / 1680 + s * tail))))
    x = jnp.where(large, 1, x)
    exact = gammaln(x + 1) - (x + 0.5) * jnp.log(x) + x - HALF_LOG_2PI
    return jnp.where(large, series, exact)


def near_deviance(x, mean):
    """Whether x and mean are near each other, and the deviance as a series where they are."""
    v = (x - mean) / (x + mean)
    s = v * v
    tail = 1 / 11 + s * (1 / 13 + s * (1 / 15 + s * (1 / 17 + s / 19)))
    series = 1 / 3 + s * (1 / 5 + s * (1 / 7 + s * (1 / 9 + s * tail)))
    return jnp.abs(v) < NEAR, (x - mean) * v + 2 * x * v * s * series


def deviance(x, mean):
    """The deviance x log(x/mean) + mean - x, for x and mean > 0."""
    is_near, near = near_deviance(x, mean)
    ratio = x / mean
    known = ratio > 0
    far = jnp.where(known, x * jnp.log(jnp.where(known, ratio, 1)) + mean - x, mean)
    return jnp.where(is_near, near, far)


def relative_gamma(alpha, z, log_ratio):
    """Log of a Gamma density at z over that at alpha, where log(alpha/z) is at hand."""
    is_near, near = near_deviance(alpha, z)
    far = (1 - alpha) * log_ratio + alpha - z
    return jnp.where((alpha > SERIES_FROM) & is_near, log_ratio - near, far)
