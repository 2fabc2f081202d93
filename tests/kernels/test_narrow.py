"""The narrow series against integrals by quadrature, over the region its callers use."""

import pytest
from mpmath import mp, mpf

from pymc_safetrunc.kernels import narrow
from pymc_safetrunc.kernels import truncated_normal as kernels

# A sum of at most twenty positive-led terms: a few roundings.
LIMIT = 8 * 2.0**-53

GRID = (-1.0, -0.37, 0.0, 1e-9, 0.5, 1.0)


def moment(k, u, q):
    return mp.quad(lambda t: t**k * mp.exp(-2 * u * t - 2 * q * t * t), [-0.5, 0, 0.5])


@pytest.mark.parametrize("u_share", GRID)
@pytest.mark.parametrize("q_share", [0.0, 1e-12, 0.3, 1.0])
def test_moments(u_share, q_share):
    for function, delta, width in (
        (narrow.narrow_moments, kernels.NARROW_DELTA, kernels.NARROW_WIDTH),
        (narrow.four_narrow_moments, kernels.NARROW_DELTA_2, kernels.NARROW_WIDTH_2),
    ):
        u, q = u_share * delta / 2, q_share * width**2 / 4
        got = function(u, q)
        with mp.workdps(40):
            n = [moment(k, mpf(u), mpf(q)) for k in range(5)]
            ratios = [v / n[0] for v in n[1:]]
            expected = [n[0], *ratios[:2]] if len(got) == 3 else ratios
            for k, (value, exact) in enumerate(zip(got, expected, strict=True)):
                # odd moments pass through zero; their natural size is that of |t|^k
                assert abs(value - exact) <= LIMIT * max(abs(exact), mpf(1) / 2 ** (k + 2))
