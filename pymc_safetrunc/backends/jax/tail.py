"""The tail ratios of `pymc_safetrunc.kernels.tail` over arrays, from the same tables."""

import jax.numpy as jnp

from pymc_safetrunc.kernels.tail_table import OFFSET, PIECES, RATIO_2, RATIO_4


def _ratio_from(table, a):
    """r_n(a), 0 <= a <= inf, from its table."""
    w = 1.0 / (a + OFFSET)
    position = OFFSET * PIECES * w
    # a NaN, in a branch not taken, must not become an index
    piece = jnp.clip(jnp.nan_to_num(position), 0, PIECES - 1).astype("int32")
    v = position - piece - 0.5
    c = [jnp.asarray(column, dtype=a.dtype)[piece] for column in table.T]
    v2 = v * v
    low = (c[0] + c[1] * v) + (c[2] + c[3] * v) * v2
    high = (c[4] + c[5] * v) + (c[6] + c[7] * v) * v2
    return (low + high * (v2 * v2)) * w


def tail_ratios(a):
    """r_1(a) and r_2(a), for 0 <= a <= inf."""
    r2 = _ratio_from(RATIO_2, a)
    return 1.0 / (a + 2.0 * r2), r2


def four_tail_ratios(a):
    """r_1(a) to r_4(a), for 0 <= a <= inf."""
    r4 = _ratio_from(RATIO_4, a)
    r3 = 1.0 / (a + 4.0 * r4)
    r2 = 1.0 / (a + 3.0 * r3)
    return 1.0 / (a + 2.0 * r2), r2, r3, r4
