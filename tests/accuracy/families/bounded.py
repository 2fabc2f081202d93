"""Families on an interval, by their distribution functions."""

from itertools import pairwise

from mpmath import mp, mpf

from tests.accuracy.families.family import Family
from tests.accuracy.families.location_scale import normal_cdf, normal_log_density


def logit(x):
    return mp.log(x / (1 - x))


def kumaraswamy_log_density(x, a, b):
    return mp.log(a * b) + (a - 1) * mp.log(x) + (b - 1) * mp.log(1 - x**a)


def triangular_log_density(x, lower, c, upper):
    height = 2 / (upper - lower)
    return mp.log(height * ((x - lower) / (c - lower) if x < c else (upper - x) / (upper - c)))


def triangular_cdf(x, lower, c, upper):
    if x < c:
        return (x - lower) ** 2 / ((upper - lower) * (c - lower))
    return 1 - (upper - x) ** 2 / ((upper - lower) * (upper - c))


POINTS = (0.0, 0.5, 1.0, 2.0, 3.5, 4.0)
HEIGHTS = (0.0, 1.0, 0.625, 0.75, 0.125, 0.0)


def segments():
    """(left, right, height at left, height at right) of each piece."""
    corners = [(mpf(x), mpf(h)) for x, h in zip(POINTS, HEIGHTS, strict=True)]
    return [(x0, x1, h0, h1) for (x0, h0), (x1, h1) in pairwise(corners)]


def interpolated_height(x, segment):
    x0, x1, h0, h1 = segment
    # both terms are positive: no digits are lost next to a corner of height 0
    return (h0 * (x1 - x) + h1 * (x - x0)) / (x1 - x0)


def interpolated_area():
    return sum((x1 - x0) * (h0 + h1) / 2 for x0, x1, h0, h1 in segments())


def interpolated_log_density(x):
    segment = next(s for s in segments() if x <= s[1])
    return mp.log(interpolated_height(x, segment) / interpolated_area())


def interpolated_mass(low, high):
    total = mpf(0)
    for segment in segments():
        a, b = max(low, segment[0]), min(high, segment[1])
        if a < b:
            heights = interpolated_height(a, segment) + interpolated_height(b, segment)
            total += (b - a) * heights / 2
    return total / interpolated_area()


FAMILIES = (
    Family(
        "Uniform",
        kinds={"lower": "location", "upper": "location"},
        sets=((0.0, 1.0), (-1.7, 0.3), (3.1, 120.0)),
        support=lambda lower, upper: (lower, upper),
        log_density=lambda x, lower, upper: -mp.log(upper - lower),
        cdf=lambda x, lower, upper: (x - lower) / (upper - lower),
        sf=lambda x, lower, upper: (upper - x) / (upper - lower),
    ),
    Family(
        "Triangular",
        kinds={"lower": "location", "c": "location", "upper": "location"},
        sets=((0.0, 0.5, 1.0), (-1.7, -1.2, 0.3), (0.0, 90.0, 120.0)),
        support=lambda lower, c, upper: (lower, upper),
        log_density=triangular_log_density,
        cdf=triangular_cdf,
        sf=lambda x, lower, c, upper: triangular_cdf(-x, -upper, -c, -lower),
        corners=lambda lower, c, upper: (c,),
    ),
    Family(
        "Kumaraswamy",
        kinds={"a": "shape", "b": "shape"},
        sets=((0.4, 0.3), (1.0, 2.5), (7.0, 30.0)),
        support=(0.0, 1.0),
        log_density=kumaraswamy_log_density,
        cdf=lambda x, a, b: -mp.expm1(b * mp.log1p(-(x**a))),
        sf=lambda x, a, b: mp.exp(b * mp.log(1 - x**a)),
    ),
    Family(
        "LogitNormal",
        kinds={"mu": "logarithm", "sigma": "scale"},
        sets=((0.0, 1.0), (-2.3, 0.2), (1.5, 4.0)),
        support=(0.0, 1.0),
        log_density=lambda x, mu, sigma: (
            normal_log_density(logit(x), mu, sigma) - mp.log(x) - mp.log(1 - x)
        ),
        cdf=lambda x, mu, sigma: normal_cdf((logit(x) - mu) / sigma),
        sf=lambda x, mu, sigma: normal_cdf((mu - logit(x)) / sigma),
    ),
    Family(
        "Interpolated",
        kinds={},
        sets=((),),
        support=(POINTS[0], POINTS[-1]),
        constants={"x_points": POINTS, "pdf_points": HEIGHTS},
        log_density=interpolated_log_density,
        mass=interpolated_mass,
        corners=lambda: POINTS,
    ),
)
