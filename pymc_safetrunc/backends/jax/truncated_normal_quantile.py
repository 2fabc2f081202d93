"""The kernels of `pymc_safetrunc.kernels.truncated_normal_quantile` over arrays.

Same starts, same iteration, same limits. Newton runs until the last entry has settled; one that has
settled stays where it is.
"""

import jax.numpy as jnp
from jax import lax

from pymc_safetrunc.backends.jax.log_interval import upper_tail
from pymc_safetrunc.backends.jax.truncated_normal import distance, law
from pymc_safetrunc.kernels.truncated_normal import UNDERFLOW
from pymc_safetrunc.kernels.truncated_normal_quantile import (
    LARGEST_SQUARED,
    MAX_STEPS,
    SMALLEST_SQUARED,
    log_density_ratio,
)


def rough_normal_quantile(p):
    """Phi^-1(p) to 5e-4 for 0 < p <= 1/2 (Abramowitz and Stegun 26.2.23)."""
    t = jnp.sqrt(-2.0 * jnp.log(p))
    top = 2.515517 + t * (0.802853 + t * 0.010328)
    return top / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t


def start_of(q, mu, sigma, lower, upper):
    """A start for Newton, perhaps outside the bounds."""
    a, b = distance(lower, mu, sigma), distance(upper, mu, sigma)
    d = distance(upper, lower, sigma)
    is_reflected = a + b < 0.0
    a, b = jnp.where(is_reflected, -b, a), jnp.where(is_reflected, -a, b)
    near = jnp.where(is_reflected, upper, lower)
    side = jnp.where(is_reflected, -1.0, 1.0)
    below = jnp.where(is_reflected, 1.0 - q, q)
    above = jnp.where(is_reflected, q, 1.0 - q)

    delta = jnp.where(d < jnp.inf, d * (a + 0.5 * d), jnp.inf)
    reach = -jnp.expm1(-delta)
    drop = jnp.where(reach < 1.0, -jnp.log1p(-below * reach), -jnp.log(above))
    length = 2.0 * drop / (a + jnp.sqrt(a * a + 2.0 * drop))
    in_tail = near + side * sigma * jnp.where(drop == 0.0, 0.0, length)

    in_narrow = near + side * below * (upper - lower)

    left, right = upper_tail(abs(a)), upper_tail(abs(b))
    inside = 1.0 - left - right
    p = left + below * inside
    low = p <= 0.5
    z = rough_normal_quantile(jnp.where(low, p, right + above * inside))
    around_mode = mu + side * sigma * jnp.where(low, z, -z)
    return jnp.where(a >= 0.0, in_tail, jnp.where(d < 1.0, in_narrow, around_mode))


def quantile(q, mu, sigma, lower, upper):
    """The x with P(X <= x) = q, always inside the bounds; NaN for q outside [0, 1]."""
    q, mu, sigma, lower, upper = jnp.broadcast_arrays(q, mu, sigma, lower, upper)
    in_range = (sigma > SMALLEST_SQUARED) & (sigma < LARGEST_SQUARED)
    anchor = jnp.where(in_range, 0.0, law(mu, sigma, lower, upper)[0])
    unit = jnp.where(in_range, 1.0, sigma)
    shifted = [jnp.where(in_range, v, distance(v, anchor, unit)) for v in (mu, lower, upper)]
    x = solve(q, shifted[0], jnp.where(in_range, sigma, 1.0), *shifted[1:])
    return jnp.where(in_range, x, jnp.clip(anchor + unit * x, lower, upper))


def solve(q, mu, sigma, lower, upper):
    """`quantile` for a sigma whose square is in range."""
    anchor, log_mass, mean_step, _, at_lower, at_upper, whole = law(mu, sigma, lower, upper)
    low_side = q <= 0.5
    tail = jnp.where(low_side, q, 1.0 - q)

    x = start_of(q, mu, sigma, lower, upper)
    linear = jnp.where(low_side, lower + tail / at_lower, upper - tail / at_upper)
    rising = jnp.where(low_side, lower < mu, upper > mu)
    beside_bound = jnp.where(low_side == rising, jnp.minimum(x, linear), jnp.maximum(x, linear))
    has_bound = jnp.where(low_side, at_lower, at_upper) > 0.0
    x = jnp.where(has_bound, beside_bound, x)
    x = jnp.where((lower < x) & (x < upper), x, anchor + sigma * mean_step)

    def one_step(state):
        count, x, low, high, running = state
        part_lower = jnp.where(low_side, lower, x)
        part_upper = jnp.where(low_side, x, upper)
        part_anchor, _, _, _, p_lower, p_upper, part = law(mu, sigma, part_lower, part_upper)
        slope = jnp.where(low_side, p_upper, -p_lower)
        ratio, rest = log_density_ratio(part_anchor, anchor, mu, sigma)
        rest = jnp.where(jnp.isfinite(rest), rest, 0.0)
        relative = whole / part / tail * jnp.exp(jnp.maximum(ratio, -UNDERFLOW))
        by_ratio = (relative > 1e-8) & (relative < 1e8)
        by_logs = (part < jnp.inf) & (abs(slope) < jnp.inf)
        excess = jnp.where(
            by_ratio,
            jnp.log(jnp.where(by_ratio, relative, 1.0)) + rest,
            jnp.log(whole) - jnp.log(part) + ratio - jnp.log(tail),
        )
        step = -excess / slope
        following = x + step
        falls = step < 0.0
        low, high = jnp.where(falls, low, x), jnp.where(falls, x, high)
        following = jnp.where(following > low, following, 0.5 * (low + x))
        following = jnp.where(following < high, following, 0.5 * (high + x))
        following = jnp.where(slope == 0.0, 0.5 * (x + anchor), following)
        usable = (slope == 0.0) | by_ratio | by_logs
        following = jnp.where(running & usable, following, x)
        running &= usable & (following != x) & (lower < following) & (following < upper)
        return count + 1, following, low, high, running

    def unsettled(state):
        return (state[0] < MAX_STEPS) & jnp.any(state[4])

    running = (lower < x) & (x < upper) & (log_mass < jnp.inf) & (tail > 0.0)
    _, x, *_ = lax.while_loop(unsettled, one_step, (0, x, lower, upper, running))
    x = jnp.where(log_mass == jnp.inf, mu, x)
    x = jnp.where(q == 0.0, lower, jnp.where(q == 1.0, upper, jnp.clip(x, lower, upper)))
    return jnp.where(jnp.isnan(log_mass) | ~((q >= 0.0) & (q <= 1.0)), jnp.nan, x)
