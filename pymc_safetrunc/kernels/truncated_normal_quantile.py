"""Quantile of the truncated normal, by Newton's method on the log of the smaller tail.

The log CDF and the log survival function of a log-concave law are concave, so Newton's iterates on
either approach the root from one side: they converge from any start. The tail's mass at a float x
is the mass of one truncated law in another (`law`), a ratio that keeps all its digits if the log
ratio of the densities at the two anchors does; that one is computed in doubled precision.
"""

import math

from pymc_safetrunc.kernels.jitable import kernel
from pymc_safetrunc.kernels.log_interval import upper_tail
from pymc_safetrunc.kernels.truncated_normal import UNDERFLOW, distance, law

# Newton takes 3 to 6 steps from the starts below; a bound on what rounding could make of it.
MAX_STEPS = 100
# 2^27 + 1 splits a double into two halves whose products are exact (Veltkamp 1968, Dekker 1971).
SPLITTER = 134217729.0
# Between these sigma squared, times the square of a distance in sigmas, stays in range.
SMALLEST_SQUARED, LARGEST_SQUARED = 1e-140, 1e140


@kernel
def two_sum(a, b):
    """Sum as a float and its rounding error (Knuth)."""
    total = a + b
    rest = total - a
    return total, (a - (total - rest)) + (b - rest)


@kernel
def two_product(a, b):
    """Product as a float and its rounding error (Dekker)."""
    product = a * b
    scaled = SPLITTER * a
    a_high = scaled - (scaled - a)
    a_low = a - a_high
    scaled = SPLITTER * b
    b_high = scaled - (scaled - b)
    b_low = b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@kernel
def log_density_ratio(x, origin, mu, sigma):
    """Log of phi((x - mu)/sigma) / phi((origin - mu)/sigma), as a float and what it lacks.

    -(x - origin)((x - mu) + (origin - mu)) / (2 sigma^2), the error below 1e-30 of the value. Where
    something is out of range what it lacks is not finite, and is to be ignored.
    """
    step, step_rest = two_sum(x, -origin)
    right, right_rest = two_sum(x, -mu)
    left, left_rest = two_sum(origin, -mu)
    both, both_rest = two_sum(right, left)
    both_rest += right_rest + left_rest
    top, top_rest = two_product(-step, both)
    top_rest -= step * both_rest + step_rest * both
    bottom, bottom_rest = two_product(2.0 * sigma, sigma)
    ratio = top / bottom
    product, product_rest = two_product(ratio, bottom)
    rest = (((top - product) - product_rest) + top_rest - ratio * bottom_rest) / bottom
    return ratio, rest


@kernel
def rough_normal_quantile(p):
    """Phi^-1(p) to 5e-4 for 0 < p <= 1/2 (Hastings 1955; Abramowitz and Stegun 26.2.23)."""
    t = math.sqrt(-2.0 * math.log(p))
    top = 2.515517 + t * (0.802853 + t * 0.010328)
    return top / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t


@kernel
def start_of(q, mu, sigma, lower, upper):
    """A start for Newton, perhaps outside the bounds.

    Exact in an exponential or a Rayleigh tail, linear in a narrow interval, the rough normal
    quantile around the mode.
    """
    a, b, d = distance(lower, mu, sigma), distance(upper, mu, sigma), distance(upper, lower, sigma)
    near, side, below, above = lower, 1.0, q, 1.0 - q
    if a + b < 0.0:
        a, b = -b, -a
        near, side, below, above = upper, -1.0, above, below
    if a >= 0.0:
        delta = d * (a + 0.5 * d)
        reach = -math.expm1(-delta) if delta < UNDERFLOW else 1.0
        drop = -math.log1p(-below * reach) if reach < 1.0 else -math.log(above)
        if drop == 0.0:
            return near
        return near + side * sigma * (2.0 * drop / (a + math.sqrt(a * a + 2.0 * drop)))
    if d < 1.0:
        return near + side * below * (upper - lower)
    left, right = upper_tail(-a), upper_tail(b)
    inside = 1.0 - left - right
    if left + below * inside <= 0.5:
        return mu + side * sigma * rough_normal_quantile(left + below * inside)
    return mu - side * sigma * rough_normal_quantile(right + above * inside)


@kernel
def beside_bound(x, bound, distance_at_constant_density, rising):
    """Improve a start by the distance from a lower bound that the density there would need.

    Where the density rises away from the bound that is too far, where it falls not far enough.
    """
    linear = bound + distance_at_constant_density
    return min(x, linear) if rising else max(x, linear)


@kernel
def solve(q, mu, sigma, lower, upper):
    """`quantile` for 0 < q < 1, legal parameters and a sigma whose square is in range."""
    anchor, _, mean_step, _, at_lower, at_upper, whole = law(mu, sigma, lower, upper)
    low, high = lower, upper
    x = start_of(q, mu, sigma, lower, upper)
    if q <= 0.5:
        tail = q
        if at_lower > 0.0:
            x = beside_bound(x, lower, tail / at_lower, lower < mu)
    else:
        tail = 1.0 - q
        if at_upper > 0.0:
            x = -beside_bound(-x, -upper, tail / at_upper, upper > mu)
    if not low < x < high:
        x = anchor + sigma * mean_step
    for _ in range(MAX_STEPS):
        if not low < x < high:  # no float between what the root was narrowed down to
            break
        if q <= 0.5:
            part_anchor, _, _, _, _, slope, part = law(mu, sigma, lower, x)
        else:
            part_anchor, _, _, _, slope, _, part = law(mu, sigma, x, upper)
            slope = -slope
        if slope == 0.0:  # far beyond the law, where a tail is flat
            x = 0.5 * (x + anchor)
            continue
        ratio, rest = log_density_ratio(part_anchor, anchor, mu, sigma)
        if not abs(rest) < math.inf:
            rest = 0.0
        relative = whole / part / tail * math.exp(max(ratio, -UNDERFLOW))
        if 1e-8 < relative < 1e8:
            step = -(math.log(relative) + rest) / slope
        elif part < math.inf and abs(slope) < math.inf:
            step = -(math.log(whole) - math.log(part) + ratio - math.log(tail)) / slope
        else:  # a subnormal distance from a bound: the start is as exact as it gets
            break
        following = x + step
        if step < 0.0:
            high = x
            if not following > low:
                following = 0.5 * (low + x)
        else:
            low = x
            if not following < high:
                following = 0.5 * (high + x)
        if following == x:
            break
        x = following
    return min(max(x, lower), upper)


@kernel
def quantile(q, mu, sigma, lower, upper):
    """The x with P(X <= x) = q, always inside the bounds; NaN for q outside [0, 1].

    Measured error
        in units of max(ulp(x), eps sd): see benchmarks/RESULTS.md (6,120 stored mpmath results).
    """
    anchor, log_mass, _, _, _, _, _ = law(mu, sigma, lower, upper)
    if math.isnan(log_mass) or not 0.0 <= q <= 1.0:
        return math.nan
    if q == 0.0:
        return lower
    if q == 1.0:
        return upper
    if log_mass == math.inf:  # the near bound is out of reach: all mass is at it
        return min(max(mu, lower), upper)
    if SMALLEST_SQUARED < sigma < LARGEST_SQUARED:
        return solve(q, mu, sigma, lower, upper)
    # elsewhere in sigmas from the anchor
    mean = distance(mu, anchor, sigma)
    low, high = distance(lower, anchor, sigma), distance(upper, anchor, sigma)
    return min(max(anchor + sigma * solve(q, mean, 1.0, low, high), lower), upper)
