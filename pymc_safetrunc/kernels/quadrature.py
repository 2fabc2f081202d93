"""Where a quadrature rule puts its panels, and where in them a share of the mass lies.

The method is told in `pymc_safetrunc.distributions.families.quadrature`. These are loops over one
row, for Numba; the array form for JAX is in `pymc_safetrunc.backends.jax.quadrature`.
"""

import math

import numpy as np
from numba.extending import register_jitable
from numpy.polynomial.legendre import leg2poly, leggauss, legint, legvander

from pymc_safetrunc.kernels.jitable import kernel

# Nodes of the Gauss-Legendre rule of a panel.
NODES = 12
POINTS, WEIGHTS = leggauss(NODES)
# Row j: the integrand's j-th Legendre coefficient from its values times their weights.
LEGENDRE = np.ascontiguousarray((legvander(POINTS, NODES - 1) * (np.arange(NODES) + 0.5)).T)
# Column k: coefficients of the powers of s in what node k is of the integral over [s, 1].
RIGHT_OF = np.stack([-leg2poly(legint(series, lbnd=1)) for series in LEGENDRE.T], axis=-1)
# Of the recurrence (j + 1) P_{j+1} = (2j + 1) s P_j - j P_{j-1}, and of the integral of P_j.
RISE = (2 * np.arange(NODES) + 1) / (np.arange(NODES) + 1)
INTEGRAL = 1 / (2 * np.arange(NODES) + 1)

# Mass at a point that is e^-40 of the highest does not count in double precision, nor in a draw.
DEPTH = 40.0
# A cell is as large as the change of the root of its depth, plus this much of what it bends ...
BEND = 0.3
# ... where more than that says that the cell is too wide to know.
MOST_BEND = 2.0
STEEPEST = 40.0
# Least sizes: of a cell inside the window, and of one outside.
FLAT = 1e-9
OUTSIDE = 1e-12
# Halvings that bring a panel's width down to the spacing of doubles.
HALVINGS = 54
# Newton's method, after a step of this size, is at that spacing.
CLOSE = 1e-9


# Nothing is looked for nearer to an end than this, nor further out than its reciprocal.
NEAREST = 1e-300


@kernel
def distances(u, length):
    """From the cut, and from the end, of the point of a side that has the coordinate u."""
    small = math.exp(-abs(u))
    if length < math.inf:
        shorter = max(length * small / (1.0 + small), NEAREST)
        longer = length / (1.0 + small)
        return (shorter, longer) if u < 0.0 else (longer, shorter)
    return (small if u < 0.0 else 1.0 / small), math.inf


@kernel
def node(u, cut, end, length, side):
    """X at the coordinate u of a side, which runs leftwards (-1) or rightwards (1) from the cut."""
    from_cut, from_end = distances(u, length)
    return end - side * from_end if from_end < from_cut else cut + side * from_cut


@kernel
def node_to_upper(u, beyond, length, side):
    """Distance from there to the upper bound, which the cut has `beyond` to."""
    from_cut, from_end = distances(u, length)
    return from_end if side > 0.0 else beyond + from_cut


@kernel
def log_slope(u, length):
    """log(dx/du/length) there, or log(dx/du) if the length is infinite."""
    return -abs(u) - 2.0 * math.log1p(math.exp(-abs(u))) if length < math.inf else u


@kernel
def stop_gradient(x):
    """Return x."""
    return x


@kernel
def mass_between(log_mass, lower, upper, log_density_lower, log_density_upper):
    """Return the log mass."""
    return log_mass


@register_jitable(fastmath=False, error_model="numpy")
def regrid(u, seen, cells):
    """Edges of `cells` cells over the window, each with the same share of what there is to see.

    `seen` is the log of the integrand at the edges u: a cell's size is by how much the root of the
    depth below its highest point changes over it, and how much it bends.
    """
    count = u.size - 1
    top = seen.max()
    depth = np.empty(count + 1)
    for i in range(count + 1):
        depth[i] = min(top - seen[i], DEPTH)
    slope = np.empty(count)
    for i in range(count):
        fall = (depth[i + 1] - depth[i]) / (u[i + 1] - u[i] + 1e-290)
        slope[i] = min(max(fall, -STEEPEST), STEEPEST)
    end = np.empty(count)
    total = 0.0
    first = u[count]
    last = u[0]
    for i in range(count):
        size = OUTSIDE
        if min(depth[i], depth[i + 1]) < DEPTH:
            bend = 0.0
            if i > 0:
                bend = abs(slope[i] - slope[i - 1])
            if i + 1 < count:
                bend = max(bend, abs(slope[i + 1] - slope[i]))
            bend = min(np.sqrt(bend * (u[i + 1] - u[i])), MOST_BEND)
            change = abs(np.sqrt(depth[i + 1]) - np.sqrt(depth[i]))
            size = change + BEND * bend + FLAT
            first = min(first, u[i])
            last = max(last, u[i + 1])
        total += size
        end[i] = total
    edges = np.empty(cells + 1)
    i = 0
    for j in range(cells + 1):
        goal = total * j / cells
        while i + 1 < count and end[i] < goal:
            i += 1
        start = end[i - 1] if i > 0 else 0.0
        part = min(max((goal - start) / (end[i] - start), 0.0), 1.0)
        edges[j] = min(max(u[i] + part * (u[i + 1] - u[i]), first), last)
    return edges


@register_jitable(fastmath=False, error_model="numpy")
def mass_right_of(s, coefficients):
    """Integral over [s, 1] of a Legendre series, and the series at s."""
    before, now = 1.0, s
    total = coefficients[0] * (1.0 - s)
    height = coefficients[0]
    for j in range(1, NODES):
        after = RISE[j] * s * now - (RISE[j] - 1.0) * before
        total += coefficients[j] * (before - after) * INTEGRAL[j]
        height += coefficients[j] * now
        before, now = now, after
    return total, height


@register_jitable(fastmath=False, error_model="numpy")
def place_of_share(edges, series, q):
    """Coordinate and side of a quantile: side 0 is left of the cut, the mass beyond u is q there.

    `series` are the Legendre coefficients of the integrand in each panel. On the right the mass
    beyond is 1 - q: both are counted from the far end, where the smallest are.
    """
    # the first coefficient is a panel's mean, over a width of 2
    left, right = 2.0 * series[0, :, 0].sum(), 2.0 * series[1, :, 0].sum()
    side = 0 if q * (left + right) < left else 1
    goal = (left + right) * (q if side == 0 else 1.0 - q)
    chosen = series.shape[1] - 1
    while chosen > 0:
        mass = 2.0 * series[side, chosen, 0]
        if goal <= mass:
            break
        goal -= mass
        chosen -= 1
    coefficients = series[side, chosen]
    low, high = -1.0, 1.0
    place = 0.0
    for _ in range(HALVINGS):
        beyond, height = mass_right_of(place, coefficients)
        if beyond > goal:
            low = place
        else:
            high = place
        # a step of Newton's, or where that leaves the bracket a halving
        before = place
        place += (beyond - goal) / height if height > 0.0 else 2.0
        if not low < place < high:
            place = (low + high) / 2
        if abs(place - before) < CLOSE:
            break
    start, end = edges[side, chosen], edges[side, chosen + 1]
    return np.array([start + (1.0 + place) / 2 * (end - start), float(side)])
