"""Models that are sick on purpose: what is wrong stands beside each."""

from tests.diagnosis.sick import (
    arithmetic,
    data,
    loops_and_ops,
    mixtures_and_matrices,
    overflow,
    truncation,
)
from tests.diagnosis.sick.case import SICK

__all__ = [
    "SICK",
    "arithmetic",
    "data",
    "loops_and_ops",
    "mixtures_and_matrices",
    "overflow",
    "truncation",
]
