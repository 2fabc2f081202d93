"""Log of the normal probability of an interval, relative to itself.

In a tail or a narrow interval the mass relative to the density at the anchor (`normalizer`) and the
log-density there are both negative and add. Around the mode the probability is near 1 and its log
near 0: there it is log1p of minus the two tails.
"""

import math

from pymc_safetrunc.kernels.jitable import kernel
from pymc_safetrunc.kernels.tail import tail_ratios
from pymc_safetrunc.kernels.truncated_normal import density, normalizer

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
# The tails of a wider interval around 0 add to less than 0.75, where log1p loses nothing.
CENTRAL_WIDTH = 0.7


@kernel
def upper_tail(z):
    """P(N(0, 1) > z), z >= 0, inf included: density over hazard."""
    return density(z) / (z + tail_ratios(z)[0])


@kernel
def log_interval(a, b):
    """log(Phi(b) - Phi(a)) for a <= b, infinite ones included; NaN for a > b.

    Its derivatives are -p(a) and p(b), the densities of the law truncated to [a, b].
    """
    if a == b:
        return -math.inf
    if a < 0.0 < b and b - a > CENTRAL_WIDTH:
        return math.log1p(-(upper_tail(-a) + upper_tail(b)))
    anchor, log_mass, _, _, _, _ = normalizer(0.0, 1.0, a, b)
    return log_mass - HALF_LOG_2PI - 0.5 * anchor * anchor
