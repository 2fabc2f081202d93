"""One draw from a truncated normal, by rejection, as anchor + distance.

After reflecting the interval so that its near bound a >= -b, in sigmas from mu, with d its width:

flat, the density falls by less than exp(-FLAT) over the interval
    Uniform proposals on the interval.
tail, a > TAIL
    Rayleigh proposals x = sqrt(a^2 + 2E), E exponential, accepted with probability a/x (Marsaglia
    1964, Technometrics 6:101); the distance x - a is written 2E / (a + x), so that nothing
    cancels. In a = 1e8 sigmas the draws differ by 1e-8 sigmas: they are added to the bound, never
    to mu.
central, otherwise
    Normal proposals, folded to the right of mu where a >= 0.

The acceptance test of an energy e against exp(-e) is written E >= e with E exponential: the
generator's ziggurats are the only transcendental functions here. At least 0.43 of the proposals are
accepted, whatever the parameters (``tests/kernels/test_truncated_normal_draw.py`` integrates it).
A loop repeats on what is certainly to be rejected: a NaN ends it.
"""

import math

from pymc_safetrunc.kernels.jitable import kernel
from pymc_safetrunc.kernels.truncated_normal import is_legal

# Where the acceptance of the neighbouring methods is about equal.
FLAT, TAIL = 1.6, 0.65

# Parameters beyond LARGE are scaled down, so that no difference of two of them overflows, nor any
# proposal; both are powers of two, so that nothing is rounded but subnormal numbers beside them.
LARGE, SHRINK = 2.0**1019, 2.0**-5
SMALLEST, LARGEST = 2.0**-1074, 2.0**1023 * (2.0 - 2.0**-52)


@kernel
def size_if_finite(x):
    """|x|, or 0 for an infinity."""
    size = abs(x)
    return size if size < math.inf else 0.0


@kernel
def draw(rng, mu, sigma, lower, upper):
    """One number from the law, inside the bounds and finite.

    Parameters
    ----------
    rng : numpy.random.Generator
    mu, sigma, lower, upper : float
        Finite mu, 0 < sigma < inf, lower < upper.

    Raises
    ------
    ValueError
        For other parameters, a NaN among them.
    """
    if not is_legal(mu, sigma, lower, upper):
        raise ValueError(
            "TruncatedNormal needs a finite mu, 0 < sigma < inf and lower < upper; it got "
            "(mu, sigma, lower, upper) =",
            (mu, sigma, lower, upper),
        )
    lowest, highest = max(lower, -LARGEST), min(upper, LARGEST)
    shrink = 1.0
    if max(abs(mu), sigma, size_if_finite(lower), size_if_finite(upper)) > LARGE:
        shrink = SHRINK
        mu, lower, upper = shrink * mu, shrink * lower, shrink * upper
        sigma = max(shrink * sigma, SMALLEST)

    a, b = (lower - mu) / sigma, (upper - mu) / sigma
    width = upper - lower
    anchor, side = lower, 1.0
    if a + b < 0.0:
        a, b = -b, -a
        anchor, side = upper, -1.0
    d = width / sigma
    fall = d * (max(a, 0.0) + 0.5 * d)

    if fall < FLAT:
        while True:
            # the fraction, not d, makes the distance: d may be subnormal where the width is not
            fraction = rng.random()
            s = d * fraction
            energy = s * (a + 0.5 * s) if a > 0.0 else 0.5 * (a + s) * (a + s)
            if not rng.standard_exponential() < energy:
                break
        distance = width * fraction
    elif a > TAIL:
        while True:
            energy = rng.standard_exponential()
            # x = a root; in this order nothing overflows for a to the largest float
            first_order = energy / a
            square = 1.0 + 2.0 * first_order / a
            acceptance = rng.random()
            if not (energy > fall or acceptance * acceptance * square > 1.0):
                break
        distance = sigma * (2.0 * first_order / (1.0 + math.sqrt(square)))
    else:
        while True:
            z = rng.standard_normal()
            if a >= 0.0:
                z = abs(z)
            if not (z < a or z > b):
                break
        anchor = mu
        distance = sigma * z
    return min(max((anchor + side * distance) / shrink, lowest), highest)
