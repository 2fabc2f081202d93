"""Array form of the loops of a quadrature rule, one row each; `Blockwise` maps them.

Nothing is differentiated here: the row of a search is held fixed.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.scipy.special import i0e
from pymc.distributions.dist_math import I0e
from pytensor.link.jax.dispatch import jax_funcify

from pymc_safetrunc.kernels import quadrature as kernels
from pymc_safetrunc.ops.quadrature import (
    LogSlope,
    Node,
    NodeToUpper,
    PlaceOfShare,
    Regrid,
    StopGradient,
)


def distances(u, length):
    """From the cut, and from the end, as `kernels.quadrature.distances`."""
    small = jnp.exp(-jnp.abs(u))
    finite = jnp.isfinite(length)
    known = jnp.where(finite, length, 1.0)
    shorter = jnp.maximum(known * small / (1 + small), kernels.NEAREST)
    longer = known / (1 + small)
    unbounded = jnp.where(u < 0, small, 1 / small)
    from_cut = jnp.where(finite, jnp.where(u < 0, shorter, longer), unbounded)
    return from_cut, jnp.where(finite, jnp.where(u < 0, longer, shorter), jnp.inf)


def node(u, cut, end, length, side):
    """X at the coordinate u of a side."""
    from_cut, from_end = distances(u, length)
    return jnp.where(from_end < from_cut, end - side * from_end, cut + side * from_cut)


def node_to_upper(u, beyond, length, side):
    """Distance from there to the upper bound."""
    from_cut, from_end = distances(u, length)
    return jnp.where(side > 0, from_end, beyond + from_cut)


def log_slope(u, length):
    """Log of the derivative of x in u over the length."""
    return jnp.where(jnp.isfinite(length), -jnp.abs(u) - 2 * jnp.log1p(jnp.exp(-jnp.abs(u))), u)


def stop_gradient(x):
    """Return x."""
    return x


def mass_between(log_mass, lower, upper, log_density_lower, log_density_upper):
    """Return the log mass."""
    return log_mass


def regrid(u, seen, cells):
    """Edges as `kernels.quadrature.regrid` puts them: each is a sum of the cells before it."""
    depth = jnp.minimum(seen.max() - seen, kernels.DEPTH)
    width = jnp.diff(u)
    slope = jnp.clip(jnp.diff(depth) / (width + 1e-290), -kernels.STEEPEST, kernels.STEEPEST)
    turn = jnp.pad(jnp.abs(jnp.diff(slope)), 1)
    bend = jnp.sqrt(jnp.maximum(turn[:-1], turn[1:]) * width)
    bend = jnp.minimum(bend, kernels.MOST_BEND)
    inside = jnp.minimum(depth[:-1], depth[1:]) < kernels.DEPTH
    size = jnp.abs(jnp.diff(jnp.sqrt(depth))) + kernels.BEND * bend + kernels.FLAT
    size = jnp.where(inside, size, kernels.OUTSIDE)
    end = jnp.cumsum(size)
    goal = end[-1] * jnp.arange(cells + 1) / cells
    part = jnp.clip((goal[:, None] - (end - size)) / size, 0.0, 1.0)
    edges = u[0] + (part * width).sum(-1)
    first = jnp.where(inside, u[:-1], u[-1]).min()
    last = jnp.where(inside, u[1:], u[0]).max()
    return jnp.clip(edges, first, last)


def place_of_share(edges, series, q):
    """Coordinate and side as `kernels.quadrature.place_of_share` finds them."""
    masses = 2 * series[..., 0]
    left, right = masses.sum(-1)
    side = (q * (left + right) >= left).astype(int)
    goal = jnp.where(side == 0, q, 1 - q) * (left + right)
    within = jnp.cumsum(masses[side][::-1])[::-1]
    chosen = jnp.maximum((within >= goal).sum() - 1, 0)
    goal = goal - (within[chosen] - masses[side, chosen])
    coefficients = series[side, chosen]

    def halve(_, bracket):
        low, high = bracket
        middle = (low + high) / 2
        is_right = kernels.mass_right_of(middle, coefficients)[0] > goal
        return jnp.where(is_right, middle, low), jnp.where(is_right, high, middle)

    low, high = jax.lax.fori_loop(0, kernels.HALVINGS, halve, (-jnp.ones(()), jnp.ones(())))
    start, end = edges[side, chosen], edges[side, chosen + 1]
    u = start + (1 + (low + high) / 2) / 2 * (end - start)
    return jnp.stack([u, side.astype(u.dtype)])


UNDIFFERENTIATED = {
    StopGradient: stop_gradient,
    Node: node,
    NodeToUpper: node_to_upper,
    LogSlope: log_slope,
}


def funcify_undifferentiated(array_kernel, op, **kwargs):
    """The array kernel, of inputs that no derivative flows to."""
    return lambda *inputs: array_kernel(*map(jax.lax.stop_gradient, inputs))


def register():
    """Give PyTensor's JAX backend the rows, and the Bessel function of PyMC."""
    for op_class, array_kernel in UNDIFFERENTIATED.items():
        jax_funcify.register(op_class)(partial(funcify_undifferentiated, array_kernel))

    @jax_funcify.register(Regrid)
    def funcify_regrid(op, **kwargs):
        cells = op.cells
        return lambda u, seen: regrid(*map(jax.lax.stop_gradient, (u, seen)), cells)

    @jax_funcify.register(PlaceOfShare)
    def funcify_place_of_share(op, **kwargs):
        return lambda *row: place_of_share(*map(jax.lax.stop_gradient, (*row[:2], row[2][0])))

    @jax_funcify.register(I0e)
    def funcify_i0e(op, **kwargs):
        return i0e
