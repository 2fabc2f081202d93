"""The parts of log-densities of counts against mpmath, with derivatives, on every backend."""

import numpy as np
import pytensor.tensor as pt
import pytest
from mpmath import mp, mpf
from pytensor.tensor.elemwise import Elemwise

from pymc_safetrunc.ops import counts
from tests.backends import LINKERS, compiled

# on either side of 16, where the series begins
STIRLING = np.array([1e-300, 1e-9, 0.3, 1.0, 2.5, 15.0, 15.999, 16.0, 40.0, 1e3, 1e8, 1e15, 1e300])
# the same, near each other (also where the series of one becomes the other's), and far apart
PAIRS = np.array(
    [
        (3.0, 3.0),
        (100.0, 100.0 + 1e-9),
        (1e6, 1e6 + 700),
        (11.0, 9.0),
        (11.1, 9.0),
        (5.0, 2.0),
        (2.0, 5.0),
        (1e-9, 1e9),
        (1e-300, 1e300),
        (5e-324, 1e10),
        (1e12, 3.0),
    ]
)


def stirling_error(x):
    return mp.loggamma(x) - (x - mpf(1) / 2) * mp.log(x) + x - mp.log(2 * mp.pi) / 2


def stirling_slope(x):
    return mp.digamma(x) - mp.log(x) + 1 / (2 * x)


def deviance(x, mean):
    return x * mp.log(x / mean) + mean - x


@pytest.mark.parametrize("linker", LINKERS)
def test_value_and_derivative(linker):
    x, mean, z = pt.dvectors(3)
    left_over, apart = Elemwise(counts.stirling_error)(z), Elemwise(counts.deviance)(x, mean)
    slopes = pt.grad(left_over.sum() + apart.sum(), [z, mean])
    with np.errstate(all="ignore"):
        got = compiled([z, x, mean], [left_over, apart, *slopes], linker)(STIRLING, *PAIRS.T)
    with mp.workdps(700):
        z_exact = [mpf(v) for v in STIRLING]
        pairs = [(mpf(a), mpf(b)) for a, b in PAIRS]
        exact = [
            [float(stirling_error(v)) for v in z_exact],
            [float(deviance(a, b)) for a, b in pairs],
            [float(stirling_slope(v)) for v in z_exact],
            [float((b - a) / b) for a, b in pairs],
        ]
    # a few roundings of the parts, the largest of which are about 30 below 16
    np.testing.assert_allclose(got[0], exact[0], rtol=1e-15, atol=1e-14)
    np.testing.assert_allclose(got[1], exact[1], rtol=2e-14, atol=0)
    np.testing.assert_allclose(got[2], exact[2], rtol=2e-15, atol=1e-15)
    np.testing.assert_allclose(got[3], exact[3], rtol=2e-15, atol=0)
