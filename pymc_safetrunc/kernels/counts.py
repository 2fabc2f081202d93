"""The parts of which log-densities of counts are made, small where the density is large.

C. Loader (2000), "Fast and accurate computation of binomial probabilities": what Stirling's formula
leaves over, and deviances.
"""

import math

from pymc_safetrunc.kernels.jitable import kernel
from pymc_safetrunc.kernels.log_interval import HALF_LOG_2PI

# Stirling's series: relative to its first term, below 1e-17 from here on.
SERIES_FROM = 16.0
# Where |x - m| < 0.1 (x + m), the deviance is a series in v = (x - m)/(x + m).
NEAR = 0.1


@kernel
def stirling_error(x):
    """Log of Gamma(x) over Stirling's formula for it, x > 0."""
    if x >= SERIES_FROM:
        w = 1.0 / x
        s = w * w
        tail = 1.0 / 1188.0 + s * (-691.0 / 360360.0 + s / 156.0)
        head = -1.0 / 360.0 + s * (1.0 / 1260.0 + s * (-1.0 / 1680.0 + s * tail))
        return w * (1.0 / 12.0 + s * head)
    if x > 0.0:
        # Gamma(x + 1)/x, as the log of Gamma has a pole at 0
        return math.lgamma(x + 1.0) - (x + 0.5) * math.log(x) + x - HALF_LOG_2PI
    return math.inf if x == 0.0 else math.nan


@kernel
def near_deviance(x, mean, v):
    """The deviance as a series in v."""
    s = v * v
    tail = 1.0 / 11.0 + s * (1.0 / 13.0 + s * (1.0 / 15.0 + s * (1.0 / 17.0 + s / 19.0)))
    series = 1.0 / 3.0 + s * (1.0 / 5.0 + s * (1.0 / 7.0 + s * (1.0 / 9.0 + s * tail)))
    return (x - mean) * v + 2.0 * x * v * s * series


@kernel
def deviance(x, mean):
    """The deviance x log(x/mean) + mean - x, for x and mean > 0."""
    v = (x - mean) / (x + mean)
    if abs(v) < NEAR:
        return near_deviance(x, mean, v)
    ratio = x / mean
    if ratio > 0.0:
        return x * math.log(ratio) + mean - x
    return mean if ratio == 0.0 else math.nan


@kernel
def relative_gamma(alpha, z, log_ratio):
    """Log of a Gamma density at z over that at alpha, where log(alpha/z) is at hand.

    That is log(alpha/z) less the deviance; a small alpha takes the formula as it stands.
    """
    if alpha > SERIES_FROM:
        v = (alpha - z) / (alpha + z)
        if abs(v) < NEAR:
            return log_ratio - near_deviance(alpha, z, v)
    return (1.0 - alpha) * log_ratio + alpha - z
