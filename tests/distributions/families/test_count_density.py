"""Log-densities of counts by mpmath, where a part of the total is small beside it."""

import numpy as np
import pytensor
import pytest
from mpmath import mp, mpf

from pymc_safetrunc.distributions.families import count_density

PLAIN = pytensor.compile.mode.Mode(linker="py", optimizer=None)
# Relative to the larger of 1 and the log-density.
LIMIT = 1e-14


def log_binomial(k, n, p):
    """Log of n!/(k! (n - k)!) p^k (1 - p)^(n - k)."""
    return mp.log(mp.binomial(n, k)) + k * mp.log(p) + (n - k) * mp.log1p(-p)


def log_negative_binomial(k, alpha, p):
    """Log of Gamma(k + alpha)/(k! Gamma(alpha)) p^alpha (1 - p)^k."""
    choose = mp.loggamma(k + alpha) - mp.loggamma(k + 1) - mp.loggamma(alpha)
    return choose + alpha * mp.log(p) + k * mp.log1p(-p)


# (count, n or alpha, p): no part, small and large ones, and one that is lost in the total
BINOMIAL = [(0, 9, 0.25), (9, 9, 0.25), (1, 10**6, 0.5), (10**6 - 1, 10**6, 2.0**-20), (5, 9, 0.75)]
NEGATIVE = [(0, 0.5, 0.25), (1, 1e-9, 0.5), (10**6, 1e-12, 0.5), (10**8, 1e-9, 0.25), (7, 1e9, 0.5)]


@pytest.mark.parametrize(
    ("name", "cases"), [("binomial", BINOMIAL), ("negative_binomial", NEGATIVE)]
)
def test_log_density(name, cases):
    k, second, p = (np.array(column, dtype=float) for column in zip(*cases, strict=True))
    found = getattr(count_density, f"log_{name}")(k, second, p, 1 - p).eval(mode=PLAIN)
    with mp.workdps(50):
        exact = [
            globals()[f"log_{name}"](*map(mpf, case)) for case in zip(k, second, p, strict=True)
        ]
        errors = [abs(mpf(x) - y) / max(1, abs(y)) for x, y in zip(found, exact, strict=True)]
    assert max(errors) < LIMIT, errors
