"""Families of a location and a scale, by their distribution functions."""

from mpmath import mp

from tests.accuracy.families.family import Family

LOCATION_SCALE = {"location": "location", "scale": "scale"}


def standardised(function):
    return lambda x, mu, sigma: function((x - mu) / sigma)


def logistic(z):
    return 1 / (1 + mp.exp(-z))


FAMILIES = (
    Family(
        "Logistic",
        kinds={"mu": "location", "s": "scale"},
        sets=((0.0, 1.0), (-1.7, 0.3), (3.1, 12.0)),
        log_density=lambda x, mu, s: (
            -(x - mu) / s - mp.log(s) - 2 * mp.log1p(mp.exp(-(x - mu) / s))
        ),
        cdf=standardised(logistic),
        sf=standardised(lambda z: logistic(-z)),
    ),
)
