"""Quantiles of a law of whole numbers, from its density alone.

The numbers that count (`summation.window`) are laid out in cells: one number each around the
largest term, and farther out as many as grow with the distance from it, so that a density with a
pole beside its mode has as good cells as a bell. A cell's share of the sum is by a two-point rule
with the variance of its numbers, (n^2 - 1)/12, which is exact for one and for two of them. Within
a cell the density is exponential between the rule's points.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytensor.tensor as pt

from pymc_safetrunc.distributions.families.summation import log_sum, window

# Cells to each side of the largest term: of one number, and beyond. Where every draw has a law of
# its own, the few first ones are cut once more.
SHARED_UNITS, SHARED_GROWING = 1024, 1024
UNITS, GROWING = 16, 48
SECOND_CELLS = 128
# By Gauss-Legendre in the few cells, which are wide.
_WIDE_POINTS, _WIDE_WEIGHTS = np.polynomial.legendre.leggauss(4)
_POINTS, _WEIGHTS = np.array([-1.0, 1.0]) / np.sqrt(3), np.array([1.0, 1.0])
# Of the logs of two shares that are the same but for the rounding of two sums.
_ROUNDING = np.float64(1e-13)


def approximate_quantile(log_density: Callable, q, mode, lower, upper, *, shared: bool):
    """
    Smallest whole number at or below which a share q of the sum over the interval is.

    Exact where the numbers that count are near the largest term (1024 to each side, or 16 and 128
    more where the draws do not share a law); farther out there are about a hundredth of a number
    and a thousandth of a cell between it and the exact place.

    Parameters
    ----------
    log_density, mode, lower, upper
        As in `summation.log_sum`.
    q : tensor of float64
        Between 0 and 1.
    shared : bool
        Whether every q belongs to the same law, whose cells are then added up once.
    """
    reach = window(log_density, mode, lower, upper)
    at_center = log_density(reach.center)
    if shared:
        starts, sizes = _layout(reach, SHARED_UNITS, SHARED_GROWING)
        cells = _cells(log_density, at_center, reach.center, starts, sizes, _POINTS, _WEIGHTS)
        return _found(cells, q, shared).number()
    starts, sizes = _layout(reach, UNITS, GROWING)
    cells = _cells(log_density, at_center, reach.center, starts, sizes, _WIDE_POINTS, _WIDE_WEIGHTS)
    found = _found(cells, q, shared)
    size = pt.maximum(pt.ceil(found.size / SECOND_CELLS), 1.0)[..., None]
    starts = found.start[..., None] + size * np.arange(float(SECOND_CELLS))
    sizes = pt.clip(found.start[..., None] + found.size[..., None] - starts, 0.0, size)
    cells = _cells(log_density, at_center, reach.center, starts, sizes, _POINTS, _WEIGHTS)
    return _found(cells, found.share, shared).number()


def quantile(log_density: Callable, q, mode, lower, upper, *, shared: bool):
    """
    The same, moved by one where the sums up to it say so.

    The smaller of the two shares decides, so that a q near 1 is placed as well as one near 0.
    """
    x = approximate_quantile(log_density, q, mode, lower, upper, shared=shared)
    whole = log_sum(log_density, mode, lower, upper)
    low_side = q <= 0.5
    log_share = pt.log(pt.switch(low_side, q, 1 - q))

    def reaches_q(number):
        """Whether the share at or below a number is q or more."""
        first = pt.switch(low_side, lower, pt.minimum(number + 1, upper))
        last = pt.switch(low_side, pt.maximum(number, lower), upper)
        log_part = log_sum(log_density, mode, first, last) - whole
        enough = pt.switch(
            low_side, log_part >= log_share - _ROUNDING, log_part <= log_share + _ROUNDING
        )
        return pt.and_(number >= lower, pt.or_(number >= upper, enough))

    step_down = reaches_q(x - 1)
    step_up = pt.invert(reaches_q(x))
    return x + pt.switch(step_down, -1.0, pt.switch(step_up, 1.0, 0.0))


class _Cells(NamedTuple):
    """Cells along the last axis."""

    start: pt.TensorVariable  # first number
    size: pt.TensorVariable  # how many numbers
    cumulative: pt.TensorVariable  # sum up to the end of the cell, in the largest term
    fall: pt.TensorVariable  # log of the density at the end of the cell over that at its start


class _Place(NamedTuple):
    """The cell in which a quantile is, and where in it."""

    start: pt.TensorVariable
    size: pt.TensorVariable
    share: pt.TensorVariable  # of the cell's sum below the quantile
    fall: pt.TensorVariable

    def number(self):
        """The whole number there, of a density that is exponential in the cell."""
        steep = abs(self.fall) > 1e-6
        fall = pt.switch(steep, self.fall, 1.0)
        part = pt.switch(steep, pt.log1p(self.share * pt.expm1(fall)) / fall, self.share)
        return self.start + pt.clip(pt.floor(part * self.size), 0.0, self.size - 1)


def _layout(reach, units, growing):
    """First numbers and sizes of the cells of a window: below the largest term, then from it on."""
    sides = []
    for length in (reach.below, reach.above + 1):
        length = length[..., None]
        growth = pt.log(pt.maximum(length / units, 1.0)) / growing
        far = pt.floor(units * pt.exp(growth * np.arange(1.0, growing)))
        near = pt.minimum(np.arange(1.0, units + 1), length)
        sides.append(pt.concatenate([near, pt.minimum(far, length), length], axis=-1))
    below, above = sides
    center = reach.center[..., None]
    edges = pt.concatenate([center - below[..., ::-1], center, center + above], axis=-1)
    return edges[..., :-1], pt.diff(edges, axis=-1)


def _cells(log_density, at_center, center, starts, sizes, points, weights) -> _Cells:
    some = sizes > 0
    half_width = pt.sqrt(pt.maximum(sizes**2 - 1, 0.0)) / 2
    middle = starts + (sizes - 1) / 2
    logs = [
        log_density(pt.switch(some, middle + point * half_width, center[..., None]))
        - at_center[..., None]
        for point in points
    ]
    heights = sum(w * pt.exp(log) for w, log in zip(weights, logs, strict=True))
    cumulative = pt.cumsum(pt.switch(some, sizes * heights / weights.sum(), 0.0), axis=-1)
    slope = (logs[-1] - logs[0]) / (points[-1] - points[0])
    fall = pt.switch(half_width > 0, slope / pt.maximum(half_width, 0.5) * sizes, 0.0)
    return _Cells(starts, sizes, cumulative, fall)


def _found(cells, q, shared) -> _Place:
    """The cell in which the sum reaches the share q of it."""
    target = q * cells.cumulative[..., -1]
    if shared:
        index = pt.searchsorted(cells.cumulative.ravel(), target)
    else:
        index = (cells.cumulative < target[..., None]).sum(axis=-1)
    index = pt.minimum(index, cells.cumulative.shape[-1] - 1)
    before = _take(cells.cumulative, pt.maximum(index - 1, 0), shared)
    before = pt.switch(index > 0, before, 0.0)
    amount = _take(cells.cumulative, index, shared) - before
    share = pt.clip((target - before) / pt.switch(amount > 0, amount, 1.0), 0.0, 1.0)
    start, size, fall = (_take(x, index, shared) for x in (cells.start, cells.size, cells.fall))
    return _Place(start, size, share, fall)


def _take(values, index, shared):
    """Entry of the last axis."""
    if shared:
        return values.ravel()[index]
    return pt.take_along_axis(values, index[..., None], axis=-1)[..., 0]
