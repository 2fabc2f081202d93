"""Draws from truncated normals, array form: the methods of `truncated_normal_draw` for many laws.

`frame_of`, the three proposals and `finish` are written for any array namespace; NumPy's loop is
here, JAX's in ``backends/jax``. Both proceed in rounds: propose, keep what is accepted, go on with
the rest.
"""

from typing import Any, NamedTuple

import numpy as np

from pymc_safetrunc.kernels.truncated_normal_draw import FLAT, SHRINK, TAIL

# Rounds work on so many elements at a time: their arrays stay in the processor's cache.
BLOCK = 16_384


class Frame(NamedTuple):
    """Laws ready to be drawn from; lengths are scaled by `shrink`, a and b in sigmas."""

    mu: Any
    sigma: Any
    a: Any  # the bound nearer mu, after reflection
    b: Any
    d: Any  # the width in sigmas
    width: Any
    fall: Any  # largest drop of the log-density below its value at the anchor or mode
    anchor: Any
    side: Any  # -1 where reflected
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
    sizes = (xp.where(abs(v) < xp.inf, abs(v), 0.0) > large for v in (mu, sigma, lower, upper))
    is_large = next(sizes)
    for more in sizes:
        is_large = is_large | more
    shrink = xp.where(is_large, SHRINK, 1.0).astype(mu.dtype)
    mu, lower, upper = shrink * mu, shrink * lower, shrink * upper
    sigma = xp.maximum(shrink * sigma, limits.smallest_subnormal)

    a, b = (lower - mu) / sigma, (upper - mu) / sigma
    width = upper - lower
    d = width / sigma
    reflect = a + b < 0.0
    a, b = xp.where(reflect, -b, a), xp.where(reflect, -a, b)
    fall = d * (xp.maximum(a, 0.0) + 0.5 * d)
    anchor = xp.where(reflect, upper, lower)
    side = xp.where(reflect, -1.0, 1.0).astype(mu.dtype)
    return Frame(mu, sigma, a, b, d, width, fall, anchor, side, lowest, highest, shrink)


def methods(frame):
    """Which laws are flat and which are tails; the others are central."""
    flat = frame.fall < FLAT
    return flat, ~flat & (frame.a > TAIL)


def flat_proposal(xp, frame, uniform, exponential):
    """Distance from the anchor, and whether it is rejected."""
    s = frame.d * uniform
    x = frame.a + s
    energy = xp.where(frame.a > 0.0, s * (frame.a + 0.5 * s), 0.5 * x * x)
    return frame.width * uniform, exponential < energy


def tail_proposal(xp, frame, uniform, exponential):
    """Distance from the anchor, and whether it is rejected."""
    first_order = exponential / frame.a
    square = 1.0 + 2.0 * first_order / frame.a
    rejected = (exponential > frame.fall) | (uniform * uniform * square > 1.0)
    return frame.sigma * (2.0 * first_order / (1.0 + xp.sqrt(square))), rejected


def central_proposal(xp, frame, normal):
    """Distance from mu, and whether it is rejected."""
    z = xp.where(frame.a >= 0.0, abs(normal), normal)
    return frame.sigma * z, (z < frame.a) | (z > frame.b)


def finish(xp, frame, anchor, distance):
    """The draw, inside the bounds and finite."""
    draw = (anchor + frame.side * distance) / frame.shrink
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
    flat, tail = methods(frame)
    draws = np.empty(frame.mu.shape)
    for chosen, propose, anchored in (
        (flat, flat_proposal, True),
        (tail, tail_proposal, True),
        (~flat & ~tail, central_proposal, False),
    ):
        pending = np.flatnonzero(chosen)
        while pending.size:
            part = Frame(*(v[pending] for v in frame))
            if anchored:
                proposal = rng.random(pending.size), rng.standard_exponential(pending.size)
            else:
                proposal = (rng.standard_normal(pending.size),)
            distance, rejected = propose(np, part, *proposal)
            found = finish(np, part, part.anchor if anchored else part.mu, distance)
            draws[pending[~rejected]] = found[~rejected]
            pending = pending[rejected]
    return draws
