"""Make ``truncated_normal.npz``: the truth for the log-density of the truncated normal.

    python -m tests.accuracy.make_truncated_normal

Each row is one parameter set (x, mu, sigma, lower, upper) of float64 numbers, taken as exact, with
the index of its stratum and, from mpmath, the log-density, its gradient, its second derivatives in
mu and sigma, and the standard deviations of X and of (X - mu)^2 under the truncated law, each
rounded once to float64.

How precision is guarded: the working precision of a row is 40 digits more than its formulas can
lose by cancellation (``exact.working_digits``); every number is then computed again with 30 digits
more, and the two must agree to 25 digits (``exact.settled``), relative to the number itself or, for
logp and the derivatives in mu and sigma, which pass through zero, to its natural scale. A number
that is not finite in float64 stops the run. ``test_truth.py`` recomputes rows by quadrature.
"""

import math
import sys
import time
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from tests.accuracy import exact, strata

PATH = Path(__file__).with_name("truncated_normal.npz")
SEED = 20240607
PER_STRATUM = 1340
INPUTS = ("x", "mu", "sigma", "lower", "upper")


def truth(row):
    """Every truth column of one row, rounded to float64."""
    row = tuple(float(v) for v in row)
    values = {k: float(v) for k, v in exact.density_and_derivatives(*row).items()}
    for name, value in values.items():
        if not math.isfinite(value):
            raise OverflowError(f"{name} = {value} at {row}")
    return values


def in_parallel(function, rows):
    """``function`` of each row in two processes, with a line of progress every few seconds."""
    results, start, said = [], time.monotonic(), 0.0
    with Pool(2) as pool:
        for result in pool.imap(function, rows, chunksize=20):
            results.append(result)
            elapsed = time.monotonic() - start
            if elapsed - said > 5 or len(results) == len(rows):
                said = elapsed
                print(f"{len(results)}/{len(rows)} rows, {elapsed:.0f} s", file=sys.stderr)
    return {name: np.array([r[name] for r in results]) for name in results[0]}


def main():
    rows, labels = strata.parameter_sets(np.random.default_rng(SEED), PER_STRATUM)
    columns = in_parallel(truth, rows)
    np.savez_compressed(
        PATH,
        **dict(zip(INPUTS, rows.T, strict=True)),
        stratum=labels,
        stratum_names=np.array([s.__name__ for s in strata.STRATA]),
        **columns,
    )
    print(f"{PATH.name}: {len(rows)} rows, {PATH.stat().st_size / 1e6:.2f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
