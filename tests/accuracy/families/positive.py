"""Families on the positive half line, by their distribution functions."""

from mpmath import mp

from tests.accuracy.families.family import Family

FAMILIES = (
    Family(
        "Exponential",
        kinds={"lam": "scale"},
        sets=((1.0,), (0.04,), (37.0,)),
        support=(0.0, mp.inf),
        log_density=lambda x, lam: mp.log(lam) - lam * x,
        cdf=lambda x, lam: -mp.expm1(-lam * x),
        sf=lambda x, lam: mp.exp(-lam * x),
    ),
)
