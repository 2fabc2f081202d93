"""Moments of a normal density over a narrow interval, about the interval's midpoint.

exp(-2ut - 2qt^2) on [-1/2, 1/2] is the density of a normal law between two bounds, scaled to unit
width: with a = (lower - mu)/sigma and d = (upper - lower)/sigma, u = d(a + d/2)/2 and q = d^2/4.
Its Taylor coefficients follow the Hermite recurrence y_{j+1} = u y_j - j q y_{j-1}, y_0 = 1,
y_1 = u (generating function exp(us - qs^2/2)), and integrate term by term:

    N_k = int t^k exp(-2ut - 2qt^2) dt = (-1/2)^k sum y_j / (j! (j + k + 1)),  j + k even.

The leading terms are positive and the rest are small: no difference of nearly equal numbers is
formed, whatever the width, down to one unit in the last place.
"""

from math import factorial

import numpy as np

from pymc_safetrunc.kernels.jitable import series

# With |u| <= 0.25 and q <= 0.25 (the caller's region) term 20 is below 2e-17 of the first.
TERMS = 20
# With |u| <= 1 and q <= 1 (the second-order caller's region) term 40 is below 1e-17 of the first.
MANY_TERMS = 40


def _weights(k: int) -> np.ndarray:
    """1 / (j! (j + k + 1)) for j = 0, 1, ..."""
    return np.array([1 / (factorial(j) * (j + k + 1)) for j in range(MANY_TERMS)])


WEIGHT_0, WEIGHT_1, WEIGHT_2, WEIGHT_3, WEIGHT_4 = (_weights(k) for k in range(5))


@series
def narrow_moments(u, q):
    """N_0, N_1/N_0 and N_2/N_0, for |u| <= 0.25 and 0 <= q <= 0.25.

    Measured error
        relative to N_0, sd and variance: 5e-16 (120 intervals against mpmath).
    """
    y_even = 1.0
    y_odd = u
    n0 = 1.0
    n1 = u * WEIGHT_1[1]
    n2 = WEIGHT_2[0]
    jq = q
    for j in range(2, TERMS, 2):
        y_even = u * y_odd - jq * y_even
        jq += q
        n0 += y_even * WEIGHT_0[j]
        n2 += y_even * WEIGHT_2[j]
        y_odd = u * y_even - jq * y_odd
        jq += q
        n1 += y_odd * WEIGHT_1[j + 1]
    return float(n0), float(-0.5 * n1 / n0), float(0.25 * n2 / n0)


@series
def four_narrow_moments(u, q):
    """N_k/N_0 for k = 1, 2, 3, 4, for |u| <= 1 and 0 <= q <= 1."""
    y_even = 1.0
    y_odd = u
    n0 = 1.0
    n1 = u * WEIGHT_1[1]
    n2 = WEIGHT_2[0]
    n3 = u * WEIGHT_3[1]
    n4 = WEIGHT_4[0]
    jq = q
    for j in range(2, MANY_TERMS, 2):
        y_even = u * y_odd - jq * y_even
        jq += q
        n0 += y_even * WEIGHT_0[j]
        n2 += y_even * WEIGHT_2[j]
        n4 += y_even * WEIGHT_4[j]
        y_odd = u * y_even - jq * y_odd
        jq += q
        n1 += y_odd * WEIGHT_1[j + 1]
        n3 += y_odd * WEIGHT_3[j + 1]
    return (
        float(-0.5 * n1 / n0),
        float(0.25 * n2 / n0),
        float(-0.125 * n3 / n0),
        float(0.0625 * n4 / n0),
    )
