"""The integral of a density given by its logarithm: Gauss-Legendre, piece by piece from its top.

A piece ends where the density has fallen by a few nats, and is at most twice as long as the one
before it. The density is taken to have one top between the limits.
"""

from itertools import pairwise

from mpmath import mp, mpf
from mpmath.calculus.quadrature import GaussLegendre

RULE = GaussLegendre(mp)
# 3 * 2^(degree - 1) nodes a piece
DEGREE = 4
# Nats that the density falls by over a piece, about, and in all before the rest is left out.
FALL = 7
# The top is looked for between these points: parameters are of order one.
REACH = 1000


def top(log_density, low, high):
    """A point near the largest density between the limits, by golden section in asinh x."""
    with mp.workdps(20):
        a, b = mp.asinh(max(low, -REACH)), mp.asinh(min(high, REACH))
        part = (mp.sqrt(5) - 1) / 2

        def at(t):
            return log_density(min(max(mp.sinh(t), low), high))

        left, right = b - part * (b - a), a + part * (b - a)
        f_left, f_right = at(left), at(right)
        for _ in range(50):
            if f_left > f_right:
                b, right, f_right = right, left, f_left
                left = b - part * (b - a)
                f_left = at(left)
            else:
                a, left, f_left = left, right, f_right
                right = a + part * (b - a)
                f_right = at(right)
        x = mp.sinh((a + b) / 2)
    return min(max(x, low), high)


def breakpoints(log_density, start, end, digits):
    """Points from start towards end, where the density has fallen by ``FALL`` more each time."""
    points, step = [start], abs(end - start) if mp.isfinite(end) else mpf(1)
    sign = 1 if end > start else -1
    with mp.workdps(20):
        peak = last = log_density(start)
        step = min(step, mpf(1))
        # the first piece: a fifth of the fall of the others
        while last - log_density(start + sign * step) > FALL / 5 or step > mpf(1):
            step /= 2
        while (end - points[-1]) * sign > 0 and peak - last < digits * mp.ln10 + 5:
            step *= 2
            while True:
                x = points[-1] + sign * step
                if (end - x) * sign < step / 4:
                    x = end
                if last - log_density(x) < FALL or abs(x - points[-1]) < mpf(10) ** -400:
                    break
                step = abs(x - points[-1]) * mpf("0.7")
            points.append(x)
            last = log_density(x)
    return [end if x == end else +x for x in points]


def split(log_density, low, high, corners=(), digits=None):
    """Points from low to high between which the density is smooth and falls by a few nats."""
    ends = [low, *sorted(c for c in corners if low < c < high), high]
    points = set()
    for left, right in pairwise(ends):
        peak = top(log_density, left, right)
        for end in (left, right):
            points.update(breakpoints(log_density, peak, end, digits or mp.dps))
    return sorted(points)


def rule(points):
    """Nodes and weights between each two points, at the working precision."""
    return [RULE.get_nodes(left, right, DEGREE, mp.prec) for left, right in pairwise(points)]
