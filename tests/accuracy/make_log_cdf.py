"""Make ``log_cdf.npz``, ``log_ndtr.npz`` and ``log_ndtr_interval.npz``: the log-CDF family's truth.

    python -m tests.accuracy.make_log_cdf

``log_cdf``: rows of (x, mu, sigma, lower, upper) with lower < x < upper, and q. From mpmath: the
log CDF and log survival function at x with all gradients, the mean with its gradient, the variance,
the quantile of q. ``log_ndtr`` (of x) and ``log_ndtr_interval`` (of a < b): value and derivatives.

``*_conditioning`` is the sum over the finite inputs of |derivative| * ulp(input): what rounding the
inputs once may do to the value.

Precision is guarded as in ``make_truncated_normal``; a quantile is accepted only if the CDF, with
30 more digits, is below q just left of it and above q just right of it.
"""

import math
import sys
from pathlib import Path

import numpy as np

from tests.accuracy import exact, strata
from tests.accuracy.make_truncated_normal import INPUTS, in_parallel

SEED = 20240608
PER_STRATUM = 340
LOG_NDTR_ROWS = 2000
INTERVALS_PER_STRATUM = 200


def finite(values, row):
    """The values rounded to float64; an error if one of them is not finite there."""
    rounded = {k: float(v) for k, v in values.items()}
    for name, value in rounded.items():
        if not math.isfinite(value):
            raise OverflowError(f"{name} = {value} at {row}")
    return rounded


def conditioning(inputs, slopes):
    """Sum of |slope| * ulp(input) over the finite inputs."""
    return sum(
        abs(slope) * np.spacing(abs(v))
        for v, slope in zip(inputs, slopes, strict=True)
        if math.isfinite(v)
    )


def log_cdf_truth(row):
    x, mu, sigma, lower, upper, q = row = tuple(float(v) for v in row)
    values = exact.log_cdf_and_survival(x, mu, sigma, lower, upper)
    values |= exact.mean_and_variance(mu, sigma, lower, upper)
    values["icdf"] = exact.quantile(q, mu, sigma, lower, upper)
    for name in ("cdf", "sf"):
        slopes = [float(values[f"{name}_d_{k}"]) for k in INPUTS]
        values[f"{name}_conditioning"] = conditioning(row[:5], slopes)
    return finite(values, row)


def interval_truth(row):
    a, b = row = tuple(float(v) for v in row)
    values = exact.log_ndtr_interval(a, b)
    slopes = float(values["d_a"]), float(values["d_b"])
    return finite(values | {"conditioning": conditioning(row, slopes)}, row)


def probabilities(rng, count):
    """q over (0, 1): even, down to 1e-300, and up to the last number below 1."""
    kind = rng.choice(4, count, p=[0.5, 0.2, 0.25, 0.05])
    small = 10 ** rng.uniform(-300, -0.3, count)
    large = 1 - 10 ** rng.uniform(-16, -0.3, count)
    special = rng.choice([0.5, 1e-300, 1 - 2.0**-53, 1e-16, 1 - 1e-8], count)
    q = np.choose(kind, [rng.uniform(size=count), small, large, special])
    return np.clip(q, 1e-300, 1 - 2.0**-53)


def log_ndtr_points(rng, count):
    parts = [
        -(10 ** rng.uniform(-3, 8, count // 2)),
        rng.uniform(-40, 40, count // 4),
        rng.uniform(-3, 3, count // 4 - 10),
        [0.0, -1e8, 40.0, -1e-300, 1e-300, 5e-324, -1.0, 1.0, 8.3, -38.5],
    ]
    return np.concatenate(parts)


def intervals(rng, per_stratum):
    """Bounds (a, b), each stratum in its turn, mirrored half the time."""
    rows = []
    for stratum in strata.STRATA:
        for _ in range(per_stratum):
            a, b, width, ulps = stratum(rng)
            if ulps:
                # a bound of 0 would make the interval's width subnormal
                a = a or 1e-3
                b = a + ulps * np.spacing(a)
            elif width < abs(a):
                b = max(a + width, np.nextafter(a, math.inf))
            rows.append((a, b) if rng.uniform() < 0.5 else (-b, -a))
    return np.array(rows) + 0.0, np.repeat(np.arange(len(strata.STRATA)), per_stratum)


def save(name, inputs, labels, truth):
    path = Path(__file__).with_name(f"{name}.npz")
    np.savez_compressed(
        path,
        **inputs,
        **truth,
        stratum=labels.astype(np.uint8),
        stratum_names=np.array([s.__name__ for s in strata.STRATA]),
    )
    size = path.stat().st_size / 1e6
    print(f"{path.name}: {len(labels)} rows, {size:.2f} MB", file=sys.stderr)


def main():
    rng = np.random.default_rng(SEED)

    x = log_ndtr_points(rng, LOG_NDTR_ROWS)
    everywhere = np.full(len(x), strata.STRATA.index(strata.unbounded))
    truth = in_parallel(interval_truth, np.stack([np.full(len(x), -np.inf), x], axis=1))
    del truth["d_a"]
    truth["d_x"] = truth.pop("d_b")
    save("log_ndtr", {"x": x}, everywhere, truth)

    bounds, labels = intervals(rng, INTERVALS_PER_STRATUM)
    truth = in_parallel(interval_truth, bounds)
    save("log_ndtr_interval", {"a": bounds[:, 0], "b": bounds[:, 1]}, labels, truth)

    rows, labels = strata.parameter_sets(rng, PER_STRATUM, interior=True)
    q = probabilities(rng, len(rows))
    truth = in_parallel(log_cdf_truth, np.column_stack([rows, q]))
    save("log_cdf", dict(zip(INPUTS, rows.T, strict=True)) | {"q": q}, labels, truth)


if __name__ == "__main__":
    main()
