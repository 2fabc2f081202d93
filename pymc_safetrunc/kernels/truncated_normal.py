"""The truncated normal, measured from an anchor so that nothing large is subtracted.

The density on [lower, upper] of X ~ N(mu, sigma^2) is written about an anchor c: the midpoint of a
narrow interval, the bound nearer the mode in a tail, mu when the mode is inside a wide interval.
With s = (x - c)/sigma and kappa = (c - mu)/sigma,

    log p(x) = -s (kappa + s/2) - log_mass,    log_mass = log int exp(-s (kappa + s/2)) dx,

where the terms of the product add, or are small. (The textbook form, the normal log-density minus
log(Phi(b) - Phi(a)), subtracts two numbers of size kappa^2/2.)

The anchor is a frame, not a parameter: every derivative here is taken with c held fixed, and what
does not depend on c (the log-density, the mean) has the right derivatives of every order.
`normalizer` and `curvature` depend on the parameters alone; `log_density` is the work for each
observation.
"""

import math

from pymc_safetrunc.kernels.jitable import kernel
from pymc_safetrunc.kernels.narrow import four_narrow_moments, narrow_moments
from pymc_safetrunc.kernels.tail import four_tail_ratios, mills_quotient, tail_ratios

SQRT_2PI = math.sqrt(2.0 * math.pi)
INV_SQRT_2PI = 1.0 / SQRT_2PI

# Region "narrow": delta = log of the densities' ratio at the bounds, d = width/sigma. Below, the
# series; above, differences of tail functions, which lose 1/delta^2 (moments) or 1/d^3. At these
# values they lose two digits (measured 2e-14 in units of the natural scale), and 20 terms of the
# series suffice. The second-order quantities lose more, so their region is larger.
NARROW_DELTA, NARROW_WIDTH = 0.5, 1.0
NARROW_DELTA_2, NARROW_WIDTH_2 = 2.0, 2.0

# exp(-60) d^4 is below rounding beside the anchor's own term, for every d that delta = 60 allows.
FAR_DELTA = 60.0
# Phi(-9) = 1e-19: beyond it a bound changes the mass by less than rounding.
FAR_BOUND = 9.0

# exp(-746) is 0 in double precision.
UNDERFLOW = 746.0
# Between these an inverse keeps all its digits, and so does a quotient by a hazard or density.
SMALLEST_SCALE, LARGEST_SCALE = 1e-290, 1e290


@kernel
def is_legal(mu, sigma, lower, upper):
    """Whether the parameters define a law: false for a NaN among them."""
    return abs(mu) < math.inf and 0.0 < sigma < math.inf and lower < upper


@kernel
def distance(x, origin, sigma):
    """(x - origin)/sigma, kept apart from fastmath, which would reorder its neighbours into it.

    By the inverse of sigma, which is computed once where sigma is a scalar; by division where the
    inverse would overflow or lose digits, and of halves where x - origin may overflow though the
    quotient does not.
    """
    if SMALLEST_SCALE < sigma < LARGEST_SCALE:
        return (x - origin) * (1.0 / sigma)
    if sigma < 1.0:
        return (x - origin) / sigma
    return (0.5 * x - 0.5 * origin) / (0.5 * sigma)


@kernel
def log_mass_from(density_at_anchor, relative, sigma):
    """-log(density), where density = relative/sigma may have left the range of floats."""
    if SMALLEST_SCALE < density_at_anchor < LARGEST_SCALE:
        return -math.log(density_at_anchor)
    return math.log(sigma) - math.log(relative)


@kernel
def density(z):
    """Density of the standard normal."""
    square = z * z
    if square < 2.0 * UNDERFLOW:
        return math.exp(-0.5 * square) * INV_SQRT_2PI
    return 0.0


@kernel
def one_sided(mu, sigma, bound, side):
    """`normalizer` with one bound, below the interval (side 1) or above it (side -1).

    Returns anchor, log mass, E[s], E[s^2], the density at the bound and sigma exp(-log mass).
    """
    a = side * distance(bound, mu, sigma)
    if a >= 0.0:
        if a == math.inf:
            return mu, math.inf, 0.0, 0.0, 0.0, 0.0
        r1, r2 = tail_ratios(a)
        hazard = a + r1
        near = distance(hazard, 0.0, sigma)
        return bound, log_mass_from(near, hazard, sigma), side * r1, 2.0 * r1 * r2, near, hazard
    near = density(a)
    inverse_mass = 1.0
    m2 = 1.0
    if near > 0.0:
        part, whole = mills_quotient(-a)
        inverse_mass = whole / (whole - near * part)
        near *= inverse_mass
        m2 += a * near
    mode = INV_SQRT_2PI * inverse_mass
    log_mass = log_mass_from(distance(mode, 0.0, sigma), mode, sigma)
    return mu, log_mass, side * near, m2, distance(near, 0.0, sigma), mode


@kernel
def middle_of(lower, upper, sigma):
    """The midpoint rounded to a float, and how far it really is from there, in sigmas."""
    middle = lower + 0.5 * (upper - lower)
    return middle, 0.5 * distance(upper - middle, middle - lower, sigma)


@kernel
def two_sided(mu, sigma, lower, upper):
    """`normalizer` with two finite bounds, and last sigma exp(-log mass)."""
    a = distance(lower, mu, sigma)
    b = distance(upper, mu, sigma)
    # from the bounds: b - a would lose the digits of a narrow interval
    d = distance(upper, lower, sigma)
    delta = d * (a + 0.5 * d)

    if abs(delta) < NARROW_DELTA and d < NARROW_WIDTH:
        n0, c1, c2 = narrow_moments(0.5 * delta, 0.25 * d * d)
        anchor, offset = middle_of(lower, upper, sigma)
        kappa = distance(anchor, mu, sigma)
        mass = (upper - lower) * n0  # sigma d n0, without the rounding of d where d is subnormal
        log_mass = math.log(mass) - offset * (kappa + 0.5 * offset)
        step = d * c1
        m2 = d * d * c2 + offset * (2.0 * step + offset)
        at_ends = math.exp(-0.125 * d * d) / mass
        tilt = math.exp(0.5 * delta)
        relative = math.exp(offset * (kappa + 0.5 * offset)) / (d * n0)
        return anchor, log_mass, offset + step, m2, at_ends * tilt, at_ends / tilt, relative

    anchor = lower
    side = 1.0
    if a + b < 0.0:
        a, b = -b, -a
        delta = d * (a + 0.5 * d)
        anchor = upper
        side = -1.0
    if a >= 0.0:
        if a == math.inf:
            return mu, math.inf, 0.0, 0.0, 0.0, 0.0, 0.0
        r1, r2 = tail_ratios(a)
        hazard = a + r1
        m1 = r1
        m2 = 2.0 * r1 * r2
        e = 0.0
        if delta < UNDERFLOW:
            e = math.exp(-delta)
        if delta < FAR_DELTA:
            s1, s2 = tail_ratios(b)
            rho = e * hazard / (b + s1)
            inverse = 1.0 / (1.0 - rho)
            m1 = (m1 - rho * (s1 + d)) * inverse
            m2 = (m2 - rho * (2.0 * s1 * s2 + d * (2.0 * s1 + d))) * inverse
            hazard *= inverse
        near = distance(hazard, 0.0, sigma)
        far = distance(e * hazard, 0.0, sigma)  # 0, not 0 * inf, where near overflows
        relative = hazard
    else:
        near = density(a)
        far = density(b)
        mass = 1.0
        if a > -FAR_BOUND:
            part, whole = mills_quotient(-a)
            mass -= near * (part / whole)
        if b < FAR_BOUND:
            part, whole = mills_quotient(b)
            mass -= far * (part / whole)
        inverse = 1.0 / mass
        near *= inverse
        far *= inverse
        m1 = near - far
        m2 = 1.0
        if near > 0.0:
            m2 += a * near
        if far > 0.0:
            m2 -= b * far
        anchor = mu
        relative = INV_SQRT_2PI * inverse
        near = distance(near, 0.0, sigma)
        far = distance(far, 0.0, sigma)
    log_mass = log_mass_from(distance(relative, 0.0, sigma), relative, sigma)
    if side < 0.0:
        near, far = far, near
    return anchor, log_mass, side * m1, m2, near, far, relative


@kernel
def law(mu, sigma, lower, upper):
    """`normalizer`, and last sigma exp(-log mass): the density at the anchor, free of a unit."""
    if not is_legal(mu, sigma, lower, upper):
        return math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, math.nan
    if upper == math.inf or lower == -math.inf:
        # one call, since each is inlined
        bound, side = lower, 1.0
        if upper != math.inf:
            bound, side = upper, -1.0
        anchor, log_mass, m1, m2, near, relative = one_sided(mu, sigma, bound, side)
        if side > 0.0:
            return anchor, log_mass, m1, m2, near, 0.0, relative
        return anchor, log_mass, m1, m2, 0.0, near, relative
    return two_sided(mu, sigma, lower, upper)


@kernel
def normalizer(mu, sigma, lower, upper):
    """Anchor, log mass and moments of a truncated normal: all that its parameters determine.

    Returns
    -------
    anchor
        c, in the unit of x.
    log_mass
        log int_lower^upper exp(-s (kappa + s/2)) dx.
    m1, m2
        E[s] and E[s^2], s = (X - c)/sigma.
    density_lower, density_upper
        p(lower) and p(upper), 0 at an infinite bound. With these,
        d log_mass = (m1/sigma, (2 kappa m1 + m2)/sigma, -density_lower, density_upper)
        with respect to (mu, sigma, lower, upper).
    All NaN where `is_legal` fails; log_mass is inf, so the log-density -inf, where the near bound
    is more than 1.8e308 sigmas away.

    Regions
        narrow
            anchor at the midpoint: Hermite series (`narrow_moments`).
        tail, a >= 0 after reflecting the interval to the right of mu
            anchor at the near bound: with the hazard h = a + r_1(a), e = exp(-delta) and
            rho = e h(a)/h(b), the mass is (1 - rho)/h(a) and E[s] = (r_1(a) - rho (r_1(b) + d)) /
            (1 - rho).
        central
            anchor at mu: 1 minus the two tails.

    Measured error
        24,000 parameter sets against mpmath (``tests/accuracy``), see benchmarks/RESULTS.md.
    """
    anchor, log_mass, m1, m2, density_lower, density_upper, _ = law(mu, sigma, lower, upper)
    return anchor, log_mass, m1, m2, density_lower, density_upper


@kernel
def curvature(mu, sigma, lower, upper):
    """Var(s), Cov(s, s^2) and Var(s^2), s = (X - c)/sigma with the anchor of `normalizer`.

    They give the second derivatives of log_mass. Regions as in `normalizer`, with the series
    reaching further: the differences here lose 1/delta^4.
    """
    if not is_legal(mu, sigma, lower, upper):
        return math.nan, math.nan, math.nan
    a = distance(lower, mu, sigma)
    b = distance(upper, mu, sigma)
    d = distance(upper, lower, sigma)
    delta = d * (a + 0.5 * d)

    if abs(delta) < NARROW_DELTA_2 and d < NARROW_WIDTH_2:
        c1, c2, c3, c4 = four_narrow_moments(0.5 * delta, 0.25 * d * d)
        variance = c2 - c1 * c1
        skew = d * (c3 - c1 * c2)
        spread = d * d * (c4 - c2 * c2)
        # s = origin + d t, t from the midpoint: the anchor is the one that `normalizer` takes
        if abs(delta) < NARROW_DELTA and d < NARROW_WIDTH:
            _, origin = middle_of(lower, upper, sigma)
        elif a >= 0.0:
            origin = 0.5 * d
        elif b <= 0.0:
            origin = -0.5 * d
        else:
            origin = a + 0.5 * d
        return (
            d * d * variance,
            d * d * (skew + 2.0 * origin * variance),
            d * d * (spread + 4.0 * origin * (skew + origin * variance)),
        )

    side = 1.0
    if a + b < 0.0:
        a, b = -b, -a
        delta = d * (a + 0.5 * d)
        side = -1.0

    if a >= 0.0:
        if a == math.inf:
            return 0.0, 0.0, 0.0
        r1, r2, r3, r4 = four_tail_ratios(a)
        m1 = r1
        m2 = 2.0 * m1 * r2
        m3 = 3.0 * m2 * r3
        m4 = 4.0 * m3 * r4
        if delta < FAR_DELTA:
            s1, s2, s3, s4 = four_tail_ratios(b)
            g2 = 2.0 * s1 * s2
            g3 = 3.0 * g2 * s3
            g4 = 4.0 * g3 * s4
            rho = math.exp(-delta) * (a + r1) / (b + s1)
            scale = 1.0 / (1.0 - rho)
            m1 = (m1 - rho * (s1 + d)) * scale
            m2 = (m2 - rho * (g2 + d * (2.0 * s1 + d))) * scale
            m3 = (m3 - rho * (g3 + d * (3.0 * g2 + d * (3.0 * s1 + d)))) * scale
            m4 = (m4 - rho * (g4 + d * (4.0 * g3 + d * (6.0 * g2 + d * (4.0 * s1 + d))))) * scale
    else:
        near = density(a)
        far = density(b)
        mass = 1.0
        if near > 0.0:
            mass -= near / (tail_ratios(-a)[0] - a)
        else:
            a = 0.0
        if far > 0.0:
            mass -= far / (tail_ratios(b)[0] + b)
        else:
            b = 0.0
        near /= mass
        far /= mass
        m1 = near - far
        m2 = 1.0 + a * near - b * far
        m3 = 2.0 * m1 + a * a * near - b * b * far
        m4 = 3.0 * m2 + a * a * a * near - b * b * b * far
    return m2 - m1 * m1, side * (m3 - m1 * m2), m4 - m2 * m2


@kernel
def log_density(x, mu, sigma, anchor, log_mass):
    """Log-density -s (kappa + s/2) - log_mass at an x inside the bounds.

    Its gradient in (x, mu, sigma, log_mass), the anchor fixed, is
    (-(x - mu)/sigma^2, s/sigma, s (2 kappa + s)/sigma, -1).
    """
    s = distance(x, anchor, sigma)
    kappa = distance(anchor, mu, sigma)
    return -s * (kappa + 0.5 * s) - log_mass
