"""The kernels of `pymc_safetrunc.kernels.truncated_normal` over arrays, branches by selection.

Same formulas, regions and tables; a reader should start there. Two things differ. An interval with
one bound is a tail or central one whose other end is at infinity, since skipping work for some
entries saves nothing here. And the exponentials and logarithms, which every branch would evaluate
for every entry, are taken once, of an argument that is selected first.

Nothing here is differentiated (`pymc_safetrunc.backends.jax.funcify` has the rule), but arguments
of a branch not taken are replaced by harmless ones all the same where they would make NaN.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from pymc_safetrunc.backends.jax.narrow import four_narrow_moments, narrow_moments
from pymc_safetrunc.backends.jax.tail import four_tail_ratios, tail_ratios
from pymc_safetrunc.kernels.truncated_normal import (
    FAR_DELTA,
    INV_SQRT_2PI,
    LARGEST_SCALE,
    NARROW_DELTA,
    NARROW_DELTA_2,
    NARROW_WIDTH,
    NARROW_WIDTH_2,
    SMALLEST_SCALE,
)

# In place of SMALLEST_SCALE and LARGEST_SCALE where JAX has only float32.
SMALLEST_SCALE_32, LARGEST_SCALE_32 = 1e-30, 1e30


def distance(x, origin, sigma):
    """(x - origin)/sigma."""
    return (x - origin) / sigma


def log_density(x, mu, sigma, anchor, log_mass):
    """Log-density -s (kappa + s/2) - log_mass at an x inside the bounds."""
    s = distance(x, anchor, sigma)
    kappa = distance(anchor, mu, sigma)
    return -s * (kappa + 0.5 * s) - log_mass


def keeps_digits(scale):
    """Whether the inverse of a scale keeps all its digits."""
    if scale.dtype == jnp.float32:
        return (scale > SMALLEST_SCALE_32) & (scale < LARGEST_SCALE_32)
    return (scale > SMALLEST_SCALE) & (scale < LARGEST_SCALE)


class Interval(NamedTuple):
    """An interval in sigmas from mu, reflected if necessary to lie mostly right of mu."""

    legal: Array
    is_reflected: Array
    a: Array
    """Distance of mu to the near bound, negative if mu is inside."""
    b: Array
    """To the far bound; the larger of the two in size."""
    d: Array
    """Width, from the bounds: b - a would lose the digits of a narrow interval."""
    delta: Array
    """Log of the ratio of the densities at the bounds: d (a + d/2)."""

    def is_narrow(self, delta, width):
        """Whether the series about the midpoint is to be used."""
        return (abs(self.delta) < delta) & (self.d < width)


def interval_of(mu, sigma, lower, upper):
    """`Interval` of the parameters, which are all of one shape."""
    legal = jnp.isfinite(mu) & (sigma > 0.0) & (sigma < jnp.inf) & (lower < upper)
    a = distance(lower, mu, sigma)
    b = distance(upper, mu, sigma)
    d = distance(upper, lower, sigma)
    # infinite with either bound: -inf + inf would be NaN
    delta = jnp.where(d < jnp.inf, d * (a + 0.5 * d), jnp.inf)
    is_reflected = a + b < 0.0
    return Interval(
        legal,
        is_reflected,
        jnp.where(is_reflected, -b, a),
        jnp.where(is_reflected, -a, b),
        d,
        jnp.where(is_reflected & (d < jnp.inf), -delta, delta),
    )


def middle_of(lower, upper, sigma):
    """The midpoint rounded to a float, and how far it really is from there, in sigmas."""
    middle = lower + 0.5 * (upper - lower)
    return middle, distance(0.5 * (upper - middle), 0.5 * (middle - lower), sigma)


def normalizer(mu, sigma, lower, upper):
    """Anchor, log mass, E[s], E[s^2] and the densities at the bounds."""
    return law(mu, sigma, lower, upper)[:-1]


def law(mu, sigma, lower, upper):
    """`normalizer`, and last sigma exp(-log mass): the density at the anchor, free of a unit."""
    mu, sigma, lower, upper = jnp.broadcast_arrays(mu, sigma, lower, upper)
    interval = interval_of(mu, sigma, lower, upper)
    legal, is_reflected, a, b, d, delta = interval
    narrow = interval.is_narrow(NARROW_DELTA, NARROW_WIDTH)
    tail = a >= 0.0
    close = tail & (delta < FAR_DELTA)
    side = jnp.where(is_reflected, -1.0, 1.0)

    exp_1 = jnp.exp(jnp.where(narrow, -0.125 * d * d, -0.5 * a * a))
    exp_2 = jnp.exp(jnp.where(narrow, 0.5 * delta, jnp.where(tail, -delta, -0.5 * b * b)))

    # narrow: anchor at the midpoint
    d_narrow = jnp.where(narrow, d, 0.0)
    n0, c1, c2 = narrow_moments(jnp.where(narrow, 0.5 * delta, 0.0), 0.25 * d_narrow * d_narrow)
    middle, offset = middle_of(jnp.where(narrow, lower, 0.0), jnp.where(narrow, upper, 1.0), sigma)
    kappa = distance(middle, mu, sigma)
    mass = jnp.where(narrow, upper - lower, 1.0) * n0
    step = side * d_narrow * c1
    narrow_m1 = offset + step
    narrow_m2 = d_narrow * d_narrow * c2 + offset * (2.0 * step + offset)
    at_ends = exp_1 / mass

    # tail: anchor at the near bound
    r1, r2 = tail_ratios(abs(a))
    s1, s2 = tail_ratios(abs(b))
    hazard_a, hazard_b = abs(a) + r1, abs(b) + s1
    rho = jnp.where(close, exp_2 * hazard_a / hazard_b, 0.0)
    d_close = jnp.where(close, d, 0.0)
    inverse = 1.0 / (1.0 - rho)
    tail_m1 = (r1 - rho * (s1 + d_close)) * inverse
    tail_m2 = (2.0 * r1 * r2 - rho * (2.0 * s1 * s2 + d_close * (2.0 * s1 + d_close))) * inverse

    # central: anchor at mu
    phi_a, phi_b = INV_SQRT_2PI * exp_1, INV_SQRT_2PI * exp_2
    inverse_mass = 1.0 / (1.0 - (phi_a / hazard_a + phi_b / hazard_b))
    phi_a *= inverse_mass
    phi_b *= inverse_mass
    central_m2 = (
        1.0 + jnp.where(phi_a > 0.0, a * phi_a, 0.0) - jnp.where(phi_b > 0.0, b * phi_b, 0.0)
    )

    # densities at the near and far bound, and at the anchor, all times sigma
    near = jnp.where(tail, hazard_a * inverse, phi_a)
    far = jnp.where(tail, exp_2 * near, phi_b)
    at_anchor = jnp.where(tail, near, INV_SQRT_2PI * inverse_mass)
    near, far = (
        jnp.where(narrow, at_ends * exp_2, near / sigma),
        jnp.where(narrow, at_ends / exp_2, far / sigma),
    )
    density = at_anchor / sigma
    direct = keeps_digits(density)
    log_mass = jnp.log(jnp.where(narrow, mass, jnp.where(direct, 1.0, sigma))) - jnp.log(
        jnp.where(narrow, 1.0, jnp.where(direct, density, at_anchor))
    )
    log_mass = jnp.where(narrow, log_mass - offset * (kappa + 0.5 * offset), log_mass)

    anchor = jnp.where(narrow, middle, jnp.where(tail, jnp.where(is_reflected, upper, lower), mu))
    m1 = jnp.where(narrow, narrow_m1, side * jnp.where(tail, tail_m1, phi_a - phi_b))
    m2 = jnp.where(narrow, narrow_m2, jnp.where(tail, tail_m2, central_m2))
    at_lower = jnp.where(is_reflected, far, near)
    at_upper = jnp.where(is_reflected, near, far)
    narrow_relative = jnp.exp(offset * (kappa + 0.5 * offset)) / (jnp.where(narrow, d, 1.0) * n0)
    relative = jnp.where(narrow, narrow_relative, at_anchor)
    outputs = anchor, log_mass, m1, m2, at_lower, at_upper, relative
    if_unreachable = mu, jnp.inf, 0.0, 0.0, 0.0, 0.0, 0.0
    return tuple(
        jnp.where(legal, jnp.where(a == jnp.inf, limit, output), jnp.nan)
        for output, limit in zip(outputs, if_unreachable, strict=True)
    )


def curvature(mu, sigma, lower, upper):
    """Var(s), Cov(s, s^2) and Var(s^2), s measured from the anchor of `normalizer`."""
    mu, sigma, lower, upper = jnp.broadcast_arrays(mu, sigma, lower, upper)
    interval = interval_of(mu, sigma, lower, upper)
    legal, is_reflected, a, b, d, delta = interval
    narrow = interval.is_narrow(NARROW_DELTA_2, NARROW_WIDTH_2)
    tail = a >= 0.0
    close = tail & (delta < FAR_DELTA)
    side = jnp.where(is_reflected, -1.0, 1.0)
    exp_1 = jnp.exp(-0.5 * a * a)
    exp_2 = jnp.exp(jnp.where(tail, -delta, -0.5 * b * b))

    # narrow: s = origin + d t, t from the midpoint; everything reflected until the end
    d_narrow = jnp.where(narrow, d, 0.0)
    c1, c2, c3, c4 = four_narrow_moments(
        jnp.where(narrow, 0.5 * delta, 0.0), 0.25 * d_narrow * d_narrow
    )
    d_square = d_narrow * d_narrow
    variance = c2 - c1 * c1
    skew = d_narrow * (c3 - c1 * c2)
    spread = d_square * (c4 - c2 * c2)
    _, offset = middle_of(jnp.where(narrow, lower, 0.0), jnp.where(narrow, upper, 1.0), sigma)
    origin = jnp.where(
        interval.is_narrow(NARROW_DELTA, NARROW_WIDTH),
        side * offset,
        0.5 * d_narrow + jnp.where(narrow & ~tail, a, 0.0),
    )
    narrow_11 = d_square * variance
    narrow_12 = d_square * (skew + 2.0 * origin * variance)
    narrow_22 = d_square * (spread + 4.0 * origin * (skew + origin * variance))

    # tail
    r1, r2, r3, r4 = four_tail_ratios(abs(a))
    s1, s2, s3, s4 = four_tail_ratios(abs(b))
    hazard_a, hazard_b = abs(a) + r1, abs(b) + s1
    rho = jnp.where(close, exp_2 * hazard_a / hazard_b, 0.0)
    w = jnp.where(close, d, 0.0)
    scale = 1.0 / (1.0 - rho)
    f2 = 2.0 * r1 * r2
    f3 = 3.0 * f2 * r3
    f4 = 4.0 * f3 * r4
    g2 = 2.0 * s1 * s2
    g3 = 3.0 * g2 * s3
    g4 = 4.0 * g3 * s4
    tail_moments = (
        (r1 - rho * (s1 + w)) * scale,
        (f2 - rho * (g2 + w * (2.0 * s1 + w))) * scale,
        (f3 - rho * (g3 + w * (3.0 * g2 + w * (3.0 * s1 + w)))) * scale,
        (f4 - rho * (g4 + w * (4.0 * g3 + w * (6.0 * g2 + w * (4.0 * s1 + w))))) * scale,
    )

    # central
    phi_a, phi_b = INV_SQRT_2PI * exp_1, INV_SQRT_2PI * exp_2
    mass = 1.0 - (phi_a / hazard_a + phi_b / hazard_b)
    near, far = phi_a / mass, phi_b / mass
    a0 = jnp.where(near > 0.0, a, 0.0)
    b0 = jnp.where(far > 0.0, b, 0.0)
    m1 = near - far
    m2 = 1.0 + a0 * near - b0 * far
    m3 = 2.0 * m1 + a0 * a0 * near - b0 * b0 * far
    m4 = 3.0 * m2 + a0 * a0 * a0 * near - b0 * b0 * b0 * far

    m1, m2, m3, m4 = (
        jnp.where(tail, t, c) for t, c in zip(tail_moments, (m1, m2, m3, m4), strict=True)
    )
    outputs = (
        jnp.where(narrow, narrow_11, m2 - m1 * m1),
        side * jnp.where(narrow, narrow_12, m3 - m1 * m2),
        jnp.where(narrow, narrow_22, m4 - m2 * m2),
    )
    return tuple(
        jnp.where(legal, jnp.where(a == jnp.inf, 0.0, output), jnp.nan) for output in outputs
    )
