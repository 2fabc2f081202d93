"""Ratios of the normal tail integrals, from which every tail quantity is built by additions.

With I_n(a) = int_0^inf s^n/n! exp(-a s - s^2/2) ds, n >= 0, so that I_0 is the Mills ratio, the
ratios r_n = I_n / I_{n-1} obey r_n = 1 / (a + (n + 1) r_{n+1}) (integration by parts; Laplace's
continued fraction). Going down in n adds positive numbers only: nothing cancels however large a
is. Going up would lose a^2 units.
"""

from pymc_safetrunc.kernels.jitable import kernel, series
from pymc_safetrunc.kernels.tail_table import OFFSET, PIECES, RATIO_2, RATIO_4


@series
def _ratio_from(table, a):
    """r_n(a), 0 <= a <= inf, from its table: one cache line of eight coefficients a piece."""
    w = 1.0 / (a + OFFSET)
    position = OFFSET * PIECES * w
    j = min(int(position), PIECES - 1)
    v = position - j - 0.5
    v2 = v * v
    low = (table[j, 0] + table[j, 1] * v) + (table[j, 2] + table[j, 3] * v) * v2
    high = (table[j, 4] + table[j, 5] * v) + (table[j, 6] + table[j, 7] * v) * v2
    return float(low + high * (v2 * v2)) * w


@kernel
def tail_ratios(a):
    """r_1(a) and r_2(a), for 0 <= a <= inf.

    The hazard phi(a)/(1 - Phi(a)) is a + r_1(a); the Mills ratio is its inverse.
    """
    r2 = _ratio_from(RATIO_2, a)
    return 1.0 / (a + 2.0 * r2), r2


@kernel
def mills_quotient(a):
    """I_0(a) = 1/(a + r_1(a)) as numerator and denominator, for 0 <= a < 1e150."""
    lead = a + 2.0 * _ratio_from(RATIO_2, a)
    return lead, a * lead + 1.0


@kernel
def four_tail_ratios(a):
    """r_1(a) to r_4(a), for 0 <= a <= inf."""
    r4 = _ratio_from(RATIO_4, a)
    r3 = 1.0 / (a + 4.0 * r4)
    r2 = 1.0 / (a + 3.0 * r3)
    return 1.0 / (a + 2.0 * r2), r2, r3, r4
