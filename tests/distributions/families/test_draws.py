"""Draws of ``Truncated`` of every family, in six regions, against the law by mpmath.

Cells have the pilot draws' quantiles for ends, and their masses are those of the truth's own family
(``tests.accuracy.families``), which shares nothing with the package. Chi-square for every family,
since a mass for each cell, unlike one for each draw, is cheap in many digits; more than a hundred
tests with p > 1e-4 and fixed seeds.
"""

from itertools import pairwise

import numpy as np
import pymc as pm
import pytest
from mpmath import mp, mpf
from scipy.stats import chisquare

from pymc_safetrunc.distributions.truncated import Truncated
from tests.accuracy.families import cases, families
from tests.accuracy.families.evaluation import inputs, untruncated

# Of each region the truth's names, the first that the family has.
REGIONS = {
    "body": ("body", "whole"),
    "left tail": ("left 1e-10", "left 1e-10, finite", "left 1e-05", "at the edge"),
    "right tail": ("right 1e-10, finite", "right 1e-10", "two points at 1e-10"),
    "far right tail": ("right 1e-50", "right 1e-50, finite", "two points at 1e-50"),
    "narrow": ("width 1e-06", "two points", "one point"),
    "one-sided": ("body, one-sided",),
}
# Families have different parameter sets in different regions.
STRIDE = 5
PILOT, DRAWS, CELLS = 500, 5000, 10
LEAST_P = 1e-4
# Digits of a mass: a narrow interval in a tail takes 10 from a difference of two.
DIGITS = 30

SPOKESMEN = {"Logistic", "Weibull"}


def regions(table):
    """The table's row for each region that the family has."""
    rows = {}
    for i, (region, labels) in enumerate(REGIONS.items()):
        found = [np.flatnonzero(table["label"] == label) for label in labels]
        found = [f for f in found if len(f)]
        if found:
            rows[region] = found[0][i * STRIDE % len(found[0])]
    return rows


def drawn(family, parameters, lower, upper):
    """Draws for each row; all in one function, with an axis for the rows."""
    variables, *bounds, _ = inputs(family)
    rv = Truncated.dist(untruncated(family, variables), *bounds, size=(PILOT + DRAWS, len(lower)))
    function = pm.pytensorf.compile(
        [*variables.values(), *bounds], rv, random_seed=7, on_unused_input="ignore"
    )
    return function(*parameters, lower, upper)


def cell_shares(family, parameters, lower, upper, ends):
    """Share of the law's mass up to each end, and from one to the next."""
    with mp.workdps(DIGITS):
        parameters = [mpf(p) for p in parameters]
        low, high = family.clipped(lower, upper, parameters)
        below = [family.interval_mass(low, mpf(end), parameters) for end in ends]
        whole = family.interval_mass(low, high, parameters)
        below = [mpf(0), *below, whole]
        return np.array([float((b - a) / whole) for a, b in pairwise(below)])


def cell_ends(pilot):
    """Quantiles of the pilot draws, less the greatest draw: nothing need be above it."""
    inner = np.quantile(pilot, np.arange(1, CELLS) / CELLS, method="inverted_cdf")
    return np.unique(inner[inner < pilot.max()])


def complaint(family, parameters, lower, upper, draws):
    """What is wrong with the draws, or nothing."""
    low, high = (float(edge) for edge in family.clipped(lower, upper, parameters))
    if not np.isfinite(draws).all():
        return f"{np.sum(~np.isfinite(draws))} draws are not finite"
    if draws.min() < low or draws.max() > high:
        return f"draws from {draws.min()!r} to {draws.max()!r}"
    ends = cell_ends(draws[:PILOT])
    shares = cell_shares(family, parameters, lower, upper, ends)
    if len(ends) == 0:
        return None
    cells = np.searchsorted(ends, draws[PILOT:], side="left")
    counts = np.bincount(cells, minlength=len(shares))
    p = chisquare(counts, shares * DRAWS / shares.sum()).pvalue
    return None if p > LEAST_P else f"p = {p:.1e}: counts {counts}, expected {shares * DRAWS}"


@pytest.mark.parametrize(
    "name",
    [n if n in SPOKESMEN else pytest.param(n, marks=pytest.mark.soak) for n in families()],
)
def test_law(name):
    family, _ = families()[name]
    table = cases(name)
    rows = regions(table)
    places = list(rows.values())
    columns = [table[f"parameter_{k}"][places] for k in family.kinds]
    kinds = family.kinds.values()
    columns = [
        c.astype("int64") if kind == "integer" else c
        for c, kind in zip(columns, kinds, strict=True)
    ]
    lower, upper = table["lower"][places], table["upper"][places]
    draws = drawn(family, columns, lower, upper)
    complaints = []
    for i, region in enumerate(rows):
        parameters = [float(column[i]) for column in columns]
        found = complaint(family, parameters, lower[i], upper[i], draws[:, i])
        if found:
            complaints.append(f"{region} {parameters} on [{lower[i]!r}, {upper[i]!r}]: {found}")
    assert not complaints, "\n".join(complaints)
