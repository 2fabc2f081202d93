"""Draws from truncated normals, array form: the methods of `truncated_normal_draw` for many laws.

All but `draw_array` is written for any array namespace. NumPy's loop is here, JAX's in
``backends/jax``. Both proceed in rounds: propose, keep what is accepted, go on with the rest.
"""

from typing import Any, NamedTuple

import numpy as np

from pymc_safetrunc.kernels.truncated_normal_draw import FLAT, SHRINK, TAIL

# Rounds work on so many laws at a time, so that the working arrays stay small.
BLOCK = 65_536


class Frame(NamedTuple):
    """Laws ready to be drawn from: a draw is (origin + unit * t) / shrink, t what is proposed."""

    a: Any  # the bound nearer mu, in sigmas, after reflection
    b: Any
    d: Any  # the width in sigmas
    fall: Any  # largest drop of the log-density below its value at the near bound or the mode
    flat: Any  # which method; neither: central
    tail: Any
    origin: Any  # the near bound, or mu for a central law
    unit: Any  # the width for a flat law, otherwise sigma; negative where reflected
    lowest: Any  # the bounds, none infinite
    highest: Any
    shrink: Any


def is_legal(xp, mu, sigma, lower, upper):
    """Whether each set of parameters defines a law: false for a NaN among them."""
    return (abs(mu) < xp.inf) & (sigma > 0.0) & (sigma < xp.inf) & (lower < upper)


def frame_of(xp, mu, sigma, lower, upper):
    """The `Frame` of legal parameters, float arrays of one dtype that broadcast."""
    limits = xp.finfo(mu.dtype)
    largest, large = limits.max, limits.max * SHRINK
    lowest, highest = xp.maximum(lower, -largest), xp.minimum(upper, largest)
    size = xp.maximum(xp.maximum(abs(mu), sigma), xp.where(lower == -xp.inf, 0.0, abs(lower)))
    size = xp.maximum(size, xp.where(upper == xp.inf, 0.0, abs(upper)))
    is_large = size > large
    shrink = xp.where(is_large, SHRINK, 1.0).astype(mu.dtype)
    mu, lower, upper = shrink * mu, shrink * lower, shrink * upper
    sigma = xp.maximum(shrink * sigma, limits.smallest_subnormal)

    a, b = (lower - mu) / sigma, (upper - mu) / sigma
    width = upper - lower
    d = width / sigma
    reflect = a + b < 0.0
    a, b = xp.where(reflect, -b, a), xp.where(reflect, -a, b)
    fall = d * (xp.maximum(a, 0.0) + 0.5 * d)
    flat = fall < FLAT
    tail = ~flat & (a > TAIL)
    origin = xp.where(flat | tail, xp.where(reflect, upper, lower), mu)
    unit = xp.where(flat, width, sigma)
    unit = xp.where(reflect, -unit, unit)
    return Frame(a, b, d, fall, flat, tail, origin, unit, lowest, highest, shrink)


def flat_proposal(xp, a, d, uniform, exponential):
    """Fraction of the width, and whether it is rejected."""
    s = d * uniform
    x = a + s
    energy = xp.where(a > 0.0, s * (a + 0.5 * s), 0.5 * x * x)
    return uniform, exponential < energy


def tail_proposal(xp, a, fall, uniform, exponential):
    """Distance from the near bound in sigmas, and whether it is rejected."""
    first_order = exponential / a
    square = 1.0 + 2.0 * first_order / a
    rejected = (exponential > fall) | (uniform * uniform * square > 1.0)
    return 2.0 * first_order / (1.0 + xp.sqrt(square)), rejected


def central_proposal(xp, a, b, normal):
    """Distance from mu in sigmas, and whether it is rejected."""
    z = xp.where(a >= 0.0, abs(normal), normal)
    return z, (z < a) | (z > b)


def finish(xp, frame, t):
    """The draw, inside the bounds and finite."""
    draw = (frame.origin + frame.unit * t) / frame.shrink
    return xp.minimum(xp.maximum(draw, frame.lowest), frame.highest)


def cast_inside(xp, draws, lower, upper, dtype):
    """The draws in a dtype of fewer digits, stepping back where the rounding left the bounds."""
    if draws.dtype == dtype:
        return draws
    largest = float(xp.finfo(dtype).max)
    rounded = draws.astype(dtype)
    one_up = xp.nextafter(rounded, xp.asarray(xp.inf, dtype))
    one_down = xp.nextafter(rounded, xp.asarray(-xp.inf, dtype))
    # compared in the draws' own dtype, where the bounds are exact
    exact = rounded.astype(draws.dtype)
    rounded = xp.where(exact < xp.maximum(lower, -largest), one_up, rounded)
    return xp.where(exact > xp.minimum(upper, largest), one_down, rounded)


def draw_array(rng, mu, sigma, lower, upper, size=None, dtype="float64"):
    """Draws by NumPy.

    Parameters
    ----------
    rng : numpy.random.Generator
    mu, sigma, lower, upper : array_like
        Broadcast against one another and to size.
    size : tuple of int, optional
        Shape of the result; by default the parameters' joint shape.
    dtype : dtype
        Of the result, which is computed in float64.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    ValueError
        Where a set of parameters is not legal, naming the first such set.
    """
    parameters = np.broadcast_arrays(
        *(np.asarray(v, dtype="float64") for v in (mu, sigma, lower, upper))
    )
    refuse_illegal(*parameters)
    shape = parameters[0].shape if size is None else tuple(size)
    parameters = [np.broadcast_to(v, shape).reshape(-1) for v in parameters]
    draws = np.empty(parameters[0].size)
    # what overflows here is an infinite bound, or a branch that is not taken
    with np.errstate(all="ignore"):
        for start in range(0, draws.size, BLOCK):
            block = slice(start, start + BLOCK)
            draws[block] = _draw_block(rng, frame_of(np, *(v[block] for v in parameters)))
        draws = cast_inside(np, draws, *parameters[2:], np.dtype(dtype))
    return draws.reshape(shape)


def refuse_illegal(mu, sigma, lower, upper):
    """Raise where a set of parameters is not legal, naming the first such set."""
    legal = is_legal(np, mu, sigma, lower, upper)
    if legal.all():
        return
    first = np.unravel_index(np.argmin(legal), legal.shape)
    got = ", ".join(
        f"{name}={values[first]}"
        for name, values in (("mu", mu), ("sigma", sigma), ("lower", lower), ("upper", upper))
    )
    where = f" at index {tuple(int(i) for i in first)}" if first else ""
    raise ValueError(
        f"TruncatedNormal needs a finite mu, 0 < sigma < inf and lower < upper; it got {got}{where}"
    )


def _draw_block(rng, frame):
    a, b, d, fall, flat, tail, *_ = frame
    t = np.empty(a.shape)
    pair = rng.random, rng.standard_exponential
    for chosen, propose, laws, proposals in (
        (flat, flat_proposal, (a, d), pair),
        (tail, tail_proposal, (a, fall), pair),
        (~(flat | tail), central_proposal, (a, b), (rng.standard_normal,)),
    ):
        pending = np.flatnonzero(chosen)
        laws = [v[pending] for v in laws]
        while pending.size:
            # those of the rejected are written over in the next round
            t[pending], rejected = propose(np, *laws, *(draw(pending.size) for draw in proposals))
            pending = pending[rejected]
            laws = [v[rejected] for v in laws]
    return finish(np, frame, t)
