"""Families under truncation: one module a group, each registered in `dispatch`."""

from pymc_safetrunc.distributions.families import (
    bounded,
    by_quadrature,
    cauchy,
    counts,
    discrete,
    exponential_like,
    extreme_value,
    general,
    interpolated,
    logistic,
    mixtures,
    normal_like,
    refused,
)

__all__ = [
    "bounded",
    "by_quadrature",
    "cauchy",
    "counts",
    "discrete",
    "exponential_like",
    "extreme_value",
    "general",
    "interpolated",
    "logistic",
    "mixtures",
    "normal_like",
    "refused",
]
