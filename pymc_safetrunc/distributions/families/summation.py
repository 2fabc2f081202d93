"""Sums over the whole numbers of an interval, by a fixed number of terms.

Around the largest term, numbers are added one by one. Farther out, where a density changes by
little from one to the next, the sum is an integral and Gregory's end corrections:

    sum_{k=a+1}^{b} f(k) = int_a^b f + C(b) - C(a),    C(x) = sum_j G_j (backward difference)^j f(x)

with the coefficients G of -1/log(1 - z) - 1/z. The integral is by Gauss-Legendre in the logarithm
of the distance, which takes a geometric fall, a Gaussian one and a power alike. Every term's
derivative is that of its density, so the gradient comes from the same rule.

Errors measured against sums term by term are in ``benchmarks/RESULTS.md``.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad
from scipy.special import binom

from pymc_safetrunc.distributions.families.safe import constant_number

# Numbers on each side that are added one by one. From here on an end correction that is cut off at
# ten differences is below 1e-12 of the sum, for a fall by 0.8 a step and a Gaussian of any width.
BLOCK = 64
_GREGORY = np.array([
    1 / 2, 1 / 12, 1 / 24, 19 / 720, 3 / 160, 863 / 60480, 275 / 24192, 33953 / 3628800,
    8183 / 1036800, 3250433 / 479001600,
])  # fmt: skip
_PANELS, _NODES = 8, 10
# Terms below e^-42 of the largest are left out: 6e-19 of it, and fewer than 1e4 times as many.
_DROP = 42.0
# Distances at which the fall is looked at, to 64 * 2.5^34 = 2e15, where floats are whole numbers.
_REACH = np.floor(BLOCK * 2.5 ** np.arange(35))


def _differences() -> np.ndarray:
    """Weights of f(x), f(x - 1), ... in Gregory's end correction C(x)."""
    weights = np.zeros(len(_GREGORY))
    for j, g in enumerate(_GREGORY):
        weights[: j + 1] += g * binom(j, np.arange(j + 1)) * (-1.0) ** np.arange(j + 1)
    return weights


def _panel_rule() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1]."""
    x, w = np.polynomial.legendre.leggauss(_NODES)
    starts = np.arange(_PANELS)[:, None]
    return ((starts + (x + 1) / 2) / _PANELS).ravel(), np.tile(w / 2 / _PANELS, _PANELS)


_END = _differences()
_BLOCK_END = np.concatenate([np.zeros(2 * BLOCK + 1 - len(_END)), _END[::-1]])
_U, _W = _panel_rule()


def few_numbers(lower, upper) -> np.ndarray | None:
    """The numbers between constant bounds, if they are no more than are added one by one."""
    first, last = constant_number(lower), constant_number(upper)
    if first is None or last is None or not 0 <= last - first <= 2 * BLOCK:
        return None
    return np.arange(first, last + 1)


def log_sum_exp(terms):
    """Log of a sum of exponentials over the last axis, from its largest term."""
    largest = disconnected_grad(terms.max(axis=-1))
    return largest + pt.log(pt.exp(terms - largest[..., None]).sum(axis=-1))


class Window(NamedTuple):
    """Where the terms are: the largest one's place, and the reach to either side of it."""

    center: pt.TensorVariable
    below: pt.TensorVariable
    above: pt.TensorVariable


def window(log_density, mode, lower, upper) -> Window:
    """Find the terms that count among lower, lower + 1, ..., upper."""
    center = pt.minimum(pt.maximum(mode, lower), upper)
    room = pt.stack([center - lower, upper - center], axis=-1)[..., None]
    sides = np.array([[-1.0], [1.0]])
    distance = sides * pt.minimum(_REACH, room)
    # both sides and the centre itself in one evaluation
    steps = [pt.zeros_like(room[..., 0, :]), distance[..., 0, :], distance[..., 1, :]]
    logs = log_density(center[..., None] + pt.concatenate(steps, axis=-1))
    n = len(_REACH)
    fall = logs[..., :1, None] - pt.stack([logs[..., 1 : n + 1], logs[..., n + 1 :]], axis=-1)
    fall = fall.swapaxes(-1, -2)
    counts = pt.and_(fall < _DROP, room > _REACH).sum(axis=-1)
    reach = pt.as_tensor_variable(_REACH)[pt.minimum(counts, len(_REACH) - 1)]
    reach = pt.minimum(reach, room[..., 0])
    return Window(*(disconnected_grad(x) for x in (center, reach[..., 0], reach[..., 1])))


def log_sum(log_density: Callable, mode, lower, upper):
    """
    Log of the sum of a density over lower, lower + 1, ..., upper.

    Parameters
    ----------
    log_density : callable
        Takes real numbers, with one axis more than the bounds or as many, and gives logs of a
        density with a single peak, defined between the bounds.
    mode, lower, upper : tensor of float64
        Place of the peak to within one, and the bounds: whole numbers, upper may be infinite.
    """
    if (numbers := few_numbers(lower, upper)) is not None:
        batch_ndim = pt.clip(mode, lower, upper).ndim
        return log_sum_exp(log_density(numbers.reshape((1,) * batch_ndim + (-1,))))
    center, below, above = window(log_density, mode, lower, upper)
    offsets = np.arange(-BLOCK, BLOCK + 1.0)
    known = pt.and_(offsets >= -below[..., None], offsets <= above[..., None])
    places, far_weights = [pt.switch(known, offsets, 0.0)], []
    weights = known.astype("float64")
    for sign, reach in ((-1.0, below), (1.0, above)):
        farther, reach = (reach > BLOCK)[..., None], reach[..., None]
        weights = weights - pt.switch(farther, _BLOCK_END[:: int(sign)], 0.0)
        distance = BLOCK * pt.exp(pt.log(pt.switch(farther, reach / BLOCK, 1.0)) * _U)
        span = pt.log(pt.switch(farther, reach / BLOCK, 1.0))
        end = pt.switch(farther, reach - np.arange(len(_END)), 0.0)
        places += [sign * pt.minimum(distance, reach), sign * end]
        far_weights += [_W * distance * span, pt.switch(farther, _END, 0.0)]
    terms = log_density(center[..., None] + pt.concatenate(places, axis=-1))
    largest = terms[..., BLOCK]
    weights = pt.concatenate([weights, *far_weights], axis=-1)
    total = (weights * pt.exp(terms - largest[..., None])).sum(axis=-1)
    return largest + pt.log(total)
