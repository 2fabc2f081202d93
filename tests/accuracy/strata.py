"""Random parameter sets of the truncated normal, over all that an implementation may get wrong.

A stratum draws the standardised bounds; ``place`` gives them a sigma, a position on the real line
and, half the time, a mirror; ``value`` picks x. Only float64 numbers leave this module.
"""

import math
from typing import NamedTuple

import numpy as np

INF = math.inf
# Below this the hazards, of size 1/width, come near the end of float64.
SMALLEST_WIDTH = 1e-40


class Interval(NamedTuple):
    """Standardised bounds; ``width`` is given apart, or as a number of ``ulps`` of the bound."""

    a: float
    b: float
    width: float
    ulps: int = 0


def log_uniform(rng, low, high):
    return 10 ** rng.uniform(math.log10(low), math.log10(high))


def from_delta(a, delta):
    """Interval (a, b) with log(phi(a)/phi(b)) = delta."""
    width = 2 * delta / (a + math.sqrt(a * a + 2 * delta))
    return Interval(a, a + width, width)


def tail_one_sided(rng):
    return Interval(log_uniform(rng, 1e-3, 1e8), INF, INF)


def tail_two_sided(rng):
    return from_delta(log_uniform(rng, 1e-2, 1e8), log_uniform(rng, 1e-3, 100))


def tail_wide(rng):
    a = log_uniform(rng, 1e-2, 1e8)
    width = log_uniform(rng, 1, 1e15)
    return Interval(a, a + width, width)


def ulps_apart(rng):
    a = rng.choice([0.0, log_uniform(rng, 1e-6, 1e2), log_uniform(rng, 1, 1e8)])
    ulps = int(rng.choice([1, 1, 2, 3, 4, 10, 100, 1000, 10**6]))
    return Interval(a, a, 0.0, ulps)


def narrow(rng):
    a = log_uniform(rng, 1e-3, 1e8)
    width = log_uniform(rng, 1e-12, 0.5)
    return Interval(a, a + width, width)


def straddling_narrow(rng):
    width = log_uniform(rng, 1e-10, 1)
    a = -width * rng.uniform()
    return Interval(a, a + width, width)


def straddling_wide(rng):
    a, b = -log_uniform(rng, 0.3, 1e3), log_uniform(rng, 0.3, 1e3)
    return Interval(a, b, b - a)


def straddling_mode_near_bound(rng):
    a, b = -log_uniform(rng, 1e-14, 0.1), log_uniform(rng, 0.05, 50)
    return Interval(a, b, b - a)


def nearly_symmetric(rng):
    b = log_uniform(rng, 1e-6, 40)
    a = -b * (1 + rng.choice([0.0, rng.choice([-1, 1]) * log_uniform(rng, 1e-16, 1e-3)]))
    return Interval(a, b, b - a)


def body_one_sided(rng):
    return Interval(rng.uniform(-40, 5), INF, INF)


def body_two_sided(rng):
    a = rng.uniform(-8, 4)
    width = log_uniform(rng, 0.3, 20)
    return Interval(a, a + width, width)


def far_one_sided(rng):
    """A bound so far from the mode that it hardly cuts anything."""
    return Interval(-log_uniform(rng, 5, 1e8), INF, INF)


def unbounded(rng):
    return Interval(-INF, INF, INF)


def bound_near_mode(rng):
    a = rng.choice([0.0, rng.choice([-1, 1]) * log_uniform(rng, 1e-300, 1e-1), rng.uniform(-1, 1)])
    width = rng.choice([INF, log_uniform(rng, 0.05, 30)])
    return Interval(a, a + width, width)


def delta_order_one(rng):
    width = log_uniform(rng, 0.3, 3.3)
    a = rng.uniform(0.1, 5) / width - width / 2
    return Interval(a, a + width, width)


def width_order_one(rng):
    width = rng.uniform(0.3, 3)
    a = rng.choice([rng.uniform(-3, 10), log_uniform(rng, 1, 1e3)])
    return Interval(a, a + width, width)


def delta_large(rng):
    a = log_uniform(rng, 1e-2, 1e6)
    return from_delta(a, rng.choice([rng.uniform(30, 65), rng.uniform(700, 750)]))


def delta_order_one_far(rng):
    return from_delta(log_uniform(rng, 1, 1e8), rng.uniform(0.1, 6))


STRATA = (
    tail_one_sided,
    tail_two_sided,
    tail_wide,
    ulps_apart,
    narrow,
    straddling_narrow,
    straddling_wide,
    straddling_mode_near_bound,
    nearly_symmetric,
    body_one_sided,
    body_two_sided,
    far_one_sided,
    unbounded,
    bound_near_mode,
    delta_order_one,
    width_order_one,
    delta_large,
    delta_order_one_far,
)


def place(rng, interval, sigma_range=(1e-6, 1e6)):
    """Parameters (mu, sigma, lower, upper) whose standardised bounds are near ``interval``.

    mu is 0, or the lower bound is 0 or small (so that a narrow interval keeps its width), or mu is
    up to 1e8 sigma from zero (so that lower - mu cancels).
    """
    sigma = log_uniform(rng, *sigma_range)
    sign = rng.choice([-1, 1])
    position = rng.choice(5, p=[0.3, 0.1, 0.2, 0.2, 0.2])
    a = interval.a if math.isfinite(interval.a) else 0.0
    if position == 0:
        mu = 0.0
    elif position == 1:
        mu = -sigma * a
    elif position == 2:
        mu = sign * sigma * log_uniform(rng, 1e-3, 1e3) - sigma * a
    elif position == 3:
        mu = sign * sigma * log_uniform(rng, 1e-3, 1e3)
    else:
        mu = sign * sigma * log_uniform(rng, 1e3, 1e8)
    lower = 0.0 if position == 1 and math.isfinite(interval.a) else mu + sigma * interval.a
    if interval.ulps:
        upper = lower + interval.ulps * np.spacing(abs(lower))
    elif interval.width >= abs(interval.a):
        upper = mu + sigma * interval.b
    else:
        upper = lower + sigma * interval.width
    if upper <= lower:
        upper = np.nextafter(lower, INF)
    if rng.uniform() < 0.5:
        mu, lower, upper = -mu, -upper, -lower
    # + 0.0 turns -0.0 into 0.0
    return float(mu) + 0.0, float(sigma), float(lower) + 0.0, float(upper) + 0.0


def value(rng, mu, sigma, lower, upper, interior=False):
    """A value of x: at a bound, next to one, in the bulk, or up to 30 scale lengths from it.

    With ``interior`` the bounds themselves are left out: there one of the two log CDFs is infinite.
    """
    a, b = (lower - mu) / sigma, (upper - mu) / sigma
    sign = -1.0 if a + b < 0 else 1.0
    if sign < 0:
        a, b = -b, -a
    near, far = (lower, upper) if sign > 0 else (upper, lower)
    anchored = a > 0
    length = sigma / (a + 1) if anchored else sigma
    anchor = near if anchored else mu
    room = min(sigma * 1e9, abs(far - anchor))

    kind = rng.choice(
        ["near", "far", "next to near", "next to far", "bulk", "distant", "anywhere"],
        p=[0.08, 0.06, 0.04, 0.04, 0.48, 0.2, 0.1],
    )
    if not math.isfinite(near if kind.endswith("near") else far if kind.endswith("far") else 0.0):
        kind = "bulk"
    if kind == "near":
        x = near
    elif kind == "far":
        x = far
    elif kind == "next to near":
        x = np.nextafter(near, far)
    elif kind == "next to far":
        x = np.nextafter(far, near)
    elif kind == "bulk":
        if anchored:
            x = anchor - sign * length * math.log1p(rng.uniform() * math.expm1(-room / length))
        elif upper - lower < sigma:
            x = lower + (upper - lower) * rng.uniform()
        else:
            x = anchor + length * rng.standard_normal()
    elif kind == "distant":
        x = anchor + sign * min(length * rng.uniform(0, 30), room)
    elif math.isfinite(upper - lower):
        x = lower + (upper - lower) * rng.uniform()
    else:
        x = anchor + length * rng.normal(scale=10)
    if not math.isfinite(x):
        x = mu
    x = min(max(x, lower), upper)
    if interior:
        if x in (lower, upper) and not kind.startswith("next"):
            # one ulp from a bound a log CDF has no digits to judge: keep to a distance instead
            other = upper if x == lower else lower
            reach = min(abs(other - x), 10 * length)
            x += math.copysign(reach * log_uniform(rng, 1e-6, 1), other - x)
        x = min(max(x, np.nextafter(lower, INF)), np.nextafter(upper, -INF))
    return float(x) + 0.0


def parameter_sets(rng, per_stratum, interior=False):
    """Rows (x, mu, sigma, lower, upper) and the index of each one's stratum, distinct and legal."""
    rows, labels = [], []
    for label, stratum in enumerate(STRATA):
        wanted = len(rows) + per_stratum
        while len(rows) < wanted:
            mu, sigma, lower, upper = place(rng, stratum(rng))
            too_narrow = (upper - lower) / sigma < SMALLEST_WIDTH
            if too_narrow or (interior and np.nextafter(lower, INF) >= upper):
                continue
            x = value(rng, mu, sigma, lower, upper, interior)
            if interior and min(x - lower, upper - x) / sigma < SMALLEST_WIDTH:
                continue
            rows.append((x, mu, sigma, lower, upper))
            labels.append(label)
    return np.array(rows), np.array(labels, dtype=np.uint8)
