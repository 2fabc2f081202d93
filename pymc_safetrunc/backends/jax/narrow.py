"""The narrow-interval moments of `pymc_safetrunc.kernels.narrow` over arrays."""

from pymc_safetrunc.kernels import narrow


def _sums(u, q, terms, weights):
    """Sum y_j weights[k][j] over j < terms of the parity of k, for each k."""
    y_before, y = 1.0, u
    sums = [float(w[0]) if k % 2 == 0 else u * float(w[1]) for k, w in enumerate(weights)]
    for j in range(2, terms):
        y_before, y = y, u * y - (j - 1) * q * y_before
        for k in range(j % 2, len(weights), 2):
            sums[k] = sums[k] + y * float(weights[k][j])
    return sums


def narrow_moments(u, q):
    """N_0, N_1/N_0 and N_2/N_0, for |u| <= 0.25 and 0 <= q <= 0.25."""
    weights = narrow.WEIGHT_0, narrow.WEIGHT_1, narrow.WEIGHT_2
    n0, n1, n2 = _sums(u, q, narrow.TERMS, weights)
    return n0, -0.5 * n1 / n0, 0.25 * n2 / n0


def four_narrow_moments(u, q):
    """N_k/N_0 for k = 1, 2, 3, 4, for |u| <= 1 and 0 <= q <= 1."""
    weights = narrow.WEIGHT_0, narrow.WEIGHT_1, narrow.WEIGHT_2, narrow.WEIGHT_3, narrow.WEIGHT_4
    n0, n1, n2, n3, n4 = _sums(u, q, narrow.MANY_TERMS, weights)
    return -0.5 * n1 / n0, 0.25 * n2 / n0, -0.125 * n3 / n0, 0.0625 * n4 / n0
