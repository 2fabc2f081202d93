"""Families on the integers."""

from mpmath import mp

from tests.accuracy.families.family import Family

FAMILIES = (
    Family(
        "Poisson",
        kinds={"mu": "scale"},
        sets=((0.4,), (3.0,), (75.0,)),
        support=(0.0, mp.inf),
        discrete=True,
        log_density=lambda k, mu: k * mp.log(mu) - mu - mp.loggamma(k + 1),
        ratio=lambda k, mu: mu / (k + 1),
    ),
)
