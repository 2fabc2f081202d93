"""Fit the polynomial table of ``pymc_safetrunc/kernels/tail_table.py`` with mpmath and write it.

Run ``python -m tests.accuracy.fit_tail_table`` from the top of the repository.

For r_n(a) = I_n(a) / I_{n-1}(a), I_n(a) = int_0^inf s^n/n! exp(-a s - s^2/2) ds, the function
(a + 4) r_n(a) is smooth in u = 4 / (a + 4), which maps a in [0, inf] to (0, 1]. Each of 64 equal
pieces of u is interpolated at 16 Chebyshev nodes and cut at degree 7; the sum of what is cut is
below 4e-19 (n = 2) and 8e-19 (n = 4) of the value, far below rounding.
"""

from pathlib import Path

import mpmath as mp

OFFSET = 4
PIECES = 64
DEGREE = 7
NODES = 16
TARGET = Path(__file__).parents[2] / "pymc_safetrunc" / "kernels" / "tail_table.py"

HEADER = '''"""Coefficients of the tail ratios, made by ``tests/accuracy/fit_tail_table.py``.

Row j holds the polynomial, lowest power first, of (a + 4) r_n(a) in v = u * 64 - j - 1/2 with
u = 4 / (a + 4), for j <= 64 u < j + 1.
"""

import numpy as np

# fmt: off
OFFSET = 4.0
PIECES = 64
'''


def tail_ratio(n, a):
    """r_n(a) to 50 digits: from erfc near 0, by the backward continued fraction elsewhere."""
    a = mp.mpf(a)
    if a > 6:
        depth = n + 60 + int(18000 / a**2)
        ratio = 1 / (a + mp.sqrt(depth))
        for k in range(depth, n, -1):
            ratio = 1 / (a + k * ratio)
        return ratio
    with mp.workdps(90):
        mills = mp.sqrt(mp.pi / 2) * mp.erfc(a / mp.sqrt(2)) * mp.exp(a * a / 2)
        integrals = [mills, 1 - a * mills]
        for k in range(2, n + 1):
            integrals.append((integrals[k - 2] - a * integrals[k - 1]) / k)
        return integrals[n] / integrals[n - 1]


def piece(n, j):
    """Monomial coefficients of piece j, and the relative size of what the cut leaves out."""
    values = []
    for i in range(NODES):
        v = mp.cos(mp.pi * (2 * i + 1) / (2 * NODES)) / 2
        u = (j + mp.mpf(1) / 2 + v) / PIECES
        a = OFFSET / u - OFFSET
        values.append((a + OFFSET) * tail_ratio(n, a))
    chebyshev = [
        mp.mpf(2)
        / NODES
        * sum(values[i] * mp.cos(q * mp.pi * (2 * i + 1) / (2 * NODES)) for i in range(NODES))
        for q in range(NODES)
    ]
    chebyshev[0] /= 2
    basis = [[mp.mpf(1)], [mp.mpf(0), mp.mpf(2)]]
    for _ in range(2, DEGREE + 1):
        following = [mp.mpf(0)] + [4 * c for c in basis[-1]]
        for i, c in enumerate(basis[-2]):
            following[i] -= c
        basis.append(following)
    monomial = [mp.mpf(0)] * (DEGREE + 1)
    for q in range(DEGREE + 1):
        for i, c in enumerate(basis[q]):
            monomial[i] += chebyshev[q] * c
    cut = sum(abs(c) for c in chebyshev[DEGREE + 1 :]) / abs(chebyshev[0])
    return [float(c) for c in monomial], cut


def main():
    mp.mp.dps = 60
    text = HEADER
    for n in (2, 4):
        rows, cuts = zip(*(piece(n, j) for j in range(PIECES)), strict=True)
        print(f"r_{n}: largest relative cut {mp.nstr(max(cuts), 3)}")
        body = "".join(
            f"        {list(row)!r},\n".replace("[", "(").replace("]", ")") for row in rows
        )
        text += f"\nRATIO_{n} = np.array(\n    (\n{body}    )\n)\n"
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
