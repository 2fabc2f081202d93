"""Families whose mass is an integral of the density."""

import math
from functools import cache

from mpmath import mp

from tests.accuracy.families.family import Family
from tests.accuracy.families.location_scale import normal_cdf, normal_log_density


def skew_normal_log_density(x, alpha, mu, sigma):
    skewed = mp.log(2 * normal_cdf(alpha * (x - mu) / sigma))
    return normal_log_density(x, mu, sigma) + skewed


def steep_turn(alpha, mu, sigma):
    """Where the normal CDF turns from 0 to 1; one that is not steep needs no pieces of its own."""
    return tuple(mu + t * sigma / alpha for t in (0, 4, 12)) if abs(alpha) > 50 else ()


@cache
def log_bessel(kappa, digits):
    """log I_0(kappa), which does not change along an integral, to the working digits."""
    return mp.log(mp.besseli(0, kappa))


def von_mises_log_density(x, mu, kappa):
    return kappa * mp.cos(x - mu) - mp.log(2 * mp.pi) - log_bessel(kappa, mp.dps)


FAMILIES = (
    Family(
        "SkewNormal",
        kinds={"alpha": "shape", "mu": "location", "sigma": "scale"},
        sets=((0.5, 0.0, 1.0), (-3.0, -1.7, 0.3), (12.0, 3.1, 12.0), (-250.0, 0.6, 2.0)),
        log_density=skew_normal_log_density,
        corners=steep_turn,
    ),
    Family(
        "VonMises",
        kinds={"mu": "location", "kappa": "shape"},
        sets=((0.0, 0.5), (0.7, 4.0), (-0.2, 500.0)),
        # the float64 number next to pi, as in PyMC
        support=(-math.pi, math.pi),
        log_density=von_mises_log_density,
        corners=lambda mu, kappa: (mu - mp.pi, mu, mu + mp.pi),
    ),
)
