"""The tail ratios against mpmath, and their table against the script that made it."""

import math

import numpy as np
import pytest
from mpmath import mp, mpf

from pymc_safetrunc.kernels import tail, tail_table
from tests.accuracy import fit_tail_table

# The table's own cut is below 1e-18; evaluating a piece and each step down costs a rounding or two.
LIMIT = 4 * 2.0**-53


@pytest.fixture(scope="module")
def arguments():
    rng = np.random.default_rng(1)
    edges = [4 * 64 / j - 4 for j in range(1, 65)]  # where one piece takes over from the next
    far = 10.0 ** np.array([3, 6, 10, 30, 100, 200, 300])
    near = 10 ** rng.uniform(-300, -3, 20)
    return [0.0, *edges, *near, *(10 ** rng.uniform(-3, 3, 150)), *far]


def test_ratios(arguments):
    with mp.workdps(50):
        for a in map(float, arguments):
            truth = [fit_tail_table.tail_ratio(n, a) for n in (1, 2, 3, 4)]
            for got in (tail.tail_ratios(a), tail.four_tail_ratios(a)):
                for value, exact in zip(got, truth, strict=False):
                    assert abs(mpf(value) - exact) <= LIMIT * exact, a


def test_at_infinity():
    assert tail.tail_ratios(math.inf) == (0.0, 0.0)
    assert tail.four_tail_ratios(math.inf) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("n", [2, 4])
@pytest.mark.parametrize("j", [0, 31, 63])
def test_table_is_what_its_script_makes(n, j):
    with mp.workdps(60):
        row, cut = fit_tail_table.piece(n, j)
    assert row == getattr(tail_table, f"RATIO_{n}")[j].tolist()
    assert cut < 1e-18
