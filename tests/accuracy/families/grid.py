"""Where a family is looked at: intervals at given tail probabilities, and values inside them.

Only float64 numbers leave this module.
"""

import math
from itertools import accumulate, pairwise

from mpmath import mp, mpf

from tests.accuracy.families import pieces

INF = math.inf
LEVELS = (1e-5, 1e-10, 1e-20, 1e-50, 1e-300)
# A narrow interval's width in interquartile ranges.
WIDTHS = (1e-6, 1e-10)
# Closer to an edge of the support than this a bound is left out: its density may overflow.
NEAREST = 1e-290
LARGEST = 1e300
# Positions need no digits.
DIGITS = 30
INTEGRAL_DIGITS = 20
HALVINGS = 18
# Nats of a tail: enough for all LEVELS.
DEEPEST = 720


class Line:
    """A map of the real line onto the support of a family: a tail is reached in few steps."""

    def __init__(self, family, parameters):
        self.family, self.parameters = family, [mpf(p) for p in parameters]
        self.left, self.right = (mpf(e) for e in family.edges(self.parameters))

    def x(self, t):
        if mp.isfinite(self.left) and mp.isfinite(self.right):
            share = 1 / (1 + mp.exp(-t))
            if t > 0:
                return self.right - (self.right - self.left) / (1 + mp.exp(t))
            return self.left + (self.right - self.left) * share
        if mp.isfinite(self.left):
            return self.left + mp.exp(t)
        return mp.sinh(t)

    def mass(self, low, high):
        low, high = self.family.clipped(low, high, self.parameters)
        return self.family.interval_mass(low, high, self.parameters)

    def solve(self, increasing, start, step):
        """t where increasing(t) crosses 0; None where the line ends first."""
        low = high = mpf(start)
        while increasing(high) < 0:
            low, high, step = high, high + step, 2 * step
            if high > 720:
                return None
        while increasing(low) > 0:
            high, low, step = low, low - step, 2 * step
            if low < -720:
                return None
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if increasing(middle) < 0 else (low, middle)
        return (low + high) / 2

    def quantile(self, p, right):
        """The point beyond which, on the one side, there is mass p; None if it is no float."""

        def excess(t):
            x = self.x(t)
            m = self.mass(x, self.right) if right else self.mass(self.left, x)
            if m == 0:
                return mpf(INF if right else -INF)
            log_ratio = mp.log(m / mpf(p))
            return -log_ratio if right else log_ratio

        t = self.solve(excess, 0, mpf(1))
        if t is None:
            return None
        x = float(self.x(t))
        distances = [abs(x - float(e)) for e in (self.left, self.right) if mp.isfinite(e)]
        if abs(x) > LARGEST or min([1.0, *distances]) < NEAREST:
            return None
        # rounding must not have moved it to another part of the tail
        m = self.mass(mpf(x), self.right) if right else self.mass(self.left, mpf(x))
        return x if m > 0 and abs(mp.log(m / mpf(p))) < 1 else None

    def conditional(self, lower, upper, u):
        """About the u-quantile of the law between the bounds."""
        low, high = self.family.clipped(lower, upper, self.parameters)
        total = self.mass(low, high)
        if mp.isfinite(low) and mp.isfinite(high):
            return self.between(low, high, total, u)
        if mp.isfinite(low):
            origin, sign, part = low, 1, mpf(u)
        elif mp.isfinite(high):
            origin, sign, part = high, -1, 1 - mpf(u)
        else:
            return self.quantile(u, right=False)

        def missing(t):
            x = origin + sign * mp.exp(t)
            m = self.mass(low, x) if sign > 0 else self.mass(x, high)
            return m / total - part

        start = mp.log(max(abs(origin), mpf(1)) * mpf("1e-3"))
        return self.moved(origin, sign, self.solve(missing, start, mpf(1)))

    def between(self, low, high, total, u):
        """The same between finite bounds, by the logarithm of the way from the fuller end."""
        half = self.mass(low, (low + high) / 2) / total
        origin, sign, part = (low, 1, mpf(u)) if half > 0.5 else (high, -1, 1 - mpf(u))

        def missing(t):
            x = min(max(origin + sign * mp.exp(t), low), high)
            m = self.mass(low, x) if sign > 0 else self.mass(x, high)
            return m / total - part

        end = mp.log(high - low)
        return self.moved(origin, sign, self.solve(missing, end, mpf(1)))

    @staticmethod
    def moved(origin, sign, t):
        # at a point of probability there is no way small enough
        return float(origin if t is None else origin + sign * mp.exp(t))


class IntegralLine(Line):
    """The same from the pieces of an integral, each taken once: positions are a few nats off."""

    def __init__(self, family, parameters):
        super().__init__(family, parameters)
        self.whole = self.shares(self.left, self.right, DEEPEST)

    def shares(self, low, high, nats=None):
        """Points, the mass below each, and the mass above each."""
        digits = None if nats is None else nats / math.log(10)
        points = self.family.pieces(low, high, self.parameters, digits)
        masses = [
            mp.fsum(w * mp.exp(self.family.log_density(x, *self.parameters)) for x, w in nodes)
            for nodes in pieces.rule(points)
        ]
        below = list(accumulate(masses, initial=mpf(0)))
        above = list(accumulate(reversed(masses), initial=mpf(0)))[::-1]
        return points, below, above

    def quantile(self, p, right):
        points, below, above = self.whole
        tail = above if right else below
        pairs = [
            (mp.log(m / mpf(p)) if m else -mp.inf, x) for m, x in zip(tail, points, strict=True)
        ]
        if not right:
            pairs.reverse()
        # from the body outwards: the first piece over which the tail becomes smaller than p
        for (n0, x0), (n1, x1) in pairwise(pairs):
            if n0 >= 0 > n1:
                # next to an edge the density is about constant
                part = n0 / (n0 - n1) if mp.isfinite(n1) else 1 - mp.exp(-n0)
                x = float(x0 + (x1 - x0) * part)
                ways = [abs(x - float(e)) for e in (self.left, self.right) if mp.isfinite(e)]
                return x if min([1.0, *ways]) >= NEAREST else None
        return None

    def conditional(self, lower, upper, u):
        low, high = self.family.clipped(lower, upper, self.parameters)
        points, below, _ = self.shares(low, high)
        total = below[-1]
        for k, (x0, x1) in enumerate(pairwise(points)):
            if below[k + 1] >= u * total:
                return float(x0 + (x1 - x0) * (u * total - below[k]) / (below[k + 1] - below[k]))
        return float(points[-1])


def intervals(line):
    """(label, lower, upper), float64, each with mass."""
    q = {
        (p, right): line.quantile(p, right)
        for p in (*LEVELS, *(p * 1e-2 for p in LEVELS), 0.1, 0.2, 0.25, 0.4)
        for right in (False, True)
    }
    left, right = float(line.left), float(line.right)
    found = []
    for p in LEVELS:
        found += [
            (f"right {p:g}", q[p, True], INF),
            (f"right {p:g}, finite", q[p, True], q[p * 1e-2, True]),
            (f"left {p:g}", -INF, q[p, False]),
            (f"left {p:g}, finite", q[p * 1e-2, False], q[p, False]),
            (f"all but {p:g}", q[p, False], q[p, True]),
        ]
    found += [
        ("body", q[0.1, False], q[0.2, True]),
        ("body, one-sided", q[0.2, False], INF),
        ("body, one-sided", -INF, q[0.2, True]),
        ("whole", -INF, INF),
    ]
    if math.isfinite(left):
        found += [
            ("at the edge", left, q[0.2, True]),
            ("at the edge", left, INF),
            ("beyond the edge", left - 1, q[0.4, True]),
        ]
    if math.isfinite(right):
        found += [
            ("at the edge", q[0.2, False], right),
            ("at the edge", -INF, right),
            ("beyond the edge", q[0.4, False], right + 1),
        ]
    iqr = q[0.25, True] - (left if q[0.25, False] is None else q[0.25, False])
    for width in WIDTHS:
        for p, side in ((0.4, False), (0.2, True), (1e-5, False), (1e-5, True), (1e-20, True)):
            start = q[p, side]
            if start is not None:
                found.append((f"width {width:g}", start, start + width * iqr))
    return iqr, [
        (label, lower, upper)
        for label, lower, upper in found
        if lower is not None and upper is not None and lower < upper
    ]


def discrete_intervals(line):
    """As ``intervals``, with single points and fractional bounds in the place of narrow ones."""
    q = {
        (p, right): integer_quantile(line, p, right)
        for p in (*LEVELS, *(p * 1e-2 for p in LEVELS), 0.1, 0.2, 0.25, 0.4)
        for right in (False, True)
    }
    left, right = float(line.left), float(line.right)
    found = []
    for p in LEVELS:
        low, high = q[p, False], q[p, True]
        found += [
            (f"right {p:g}", high, INF),
            (f"right {p:g}, finite", high, q[p * 1e-2, True]),
            (f"left {p:g}", -INF, low),
            (f"left {p:g}, finite", q[p * 1e-2, False], low),
            (f"all but {p:g}", low, high),
            (f"one point at {p:g}", high, high),
            (f"two points at {p:g}", low, None if low is None else low + 1),
            (f"fractional at {p:g}", None if high is None else high - 0.5, INF),
        ]
    found += [
        ("body", q[0.1, False], q[0.2, True]),
        ("body, one-sided", q[0.2, False], INF),
        ("body, one-sided", -INF, q[0.2, True]),
        ("fractional", q[0.1, False] - 0.5, q[0.1, True] + 0.75),
        ("whole", -INF, INF),
        ("at the edge", left, q[0.2, True]),
        ("at the edge", left, INF),
        ("beyond the edge", left - 3, q[0.4, True]),
        ("one point", q[0.4, False], q[0.4, False]),
        ("two points", q[0.4, False], q[0.4, False] + 1),
    ]
    if math.isfinite(right):
        found += [
            ("at the edge", q[0.2, False], right),
            ("at the edge", -INF, right),
            ("beyond the edge", q[0.4, False], right + 3),
            ("one point", right, right),
        ]
    iqr = max(q[0.25, True] - q[0.25, False], 1.0)
    seen, kept = set(), []
    for label, lower, upper in found:
        if lower is None or upper is None or (lower, upper) in seen:
            continue
        low, high = line.family.clipped(lower, upper, line.parameters)
        if low <= high:
            seen.add((lower, upper))
            kept.append((label, lower, upper))
    return iqr, kept


def integer_quantile(line, p, right):
    """The first integer beyond which, on the one side, there is at most mass p."""
    family, parameters = line.family, line.parameters
    low, high = int(line.left), line.right

    def beyond(k):
        k = mpf(k)
        ends = (k, line.right) if right else (line.left, k)
        return family.interval_mass(*ends, parameters)

    if not right:
        if beyond(low) > p:
            return float(low) if p > 0.05 else None
        step = 1
        while beyond(min(low + step, high)) <= p and low + step < high:
            step *= 2
        bottom, top = low, int(min(low + step, high))
        while top - bottom > 1:
            middle = (bottom + top) // 2
            bottom, top = (middle, top) if beyond(middle) <= p else (bottom, middle)
        return float(bottom)
    step = 1
    while low + step < high and beyond(low + step) > p:
        step *= 2
    top = int(min(low + step, high))
    if beyond(top) > p:
        return float(top) if p > 0.05 else None
    bottom = low
    while top - bottom > 1:
        middle = (bottom + top) // 2
        bottom, top = (middle, top) if beyond(middle) > p else (bottom, middle)
    return float(top)


def values(line, lower, upper, turn):
    """One value near or on a bound, by turns, and one in the middle."""
    low, high = line.family.clipped(lower, upper, line.parameters)
    if line.family.discrete:
        return discrete_values(line, low, high, turn)
    near = (0.001, 0.999) if len(line.family.sets) == 1 else ((0.001, 0.999)[turn % 2],)
    x = [line.conditional(lower, upper, u) for u in (*near, 0.43)]
    on_bound = (lower, upper)[turn // 2 % 2]
    if turn % 4 > 1 and line.left < on_bound < line.right:
        x[0] = on_bound
    x = [min(max(v, lower), upper) for v in x if v is not None]
    inside = [v for v in dict.fromkeys(x) if line.left < v < line.right]
    if line.family.atom is not None and lower <= line.family.atom <= upper:
        inside.append(line.family.atom)
    return [v + 0.0 for v in inside]


def discrete_values(line, low, high, turn):
    ends = [e for e in (low, high) if mp.isfinite(e)]
    near = ends[turn % len(ends)] if ends else mpf(0)
    if mp.isfinite(high) and mp.isfinite(low) and high - low < 50:
        middle = (low + high) // 2
    else:
        # the middle of the mass: not far from the bound in a tail
        total = line.family.interval_mass(low, high, line.parameters)
        a, step = low, 1
        b = a + 1
        while line.family.interval_mass(low, min(b, high), line.parameters) < total / 2:
            a, b, step = b, b + step, 2 * step
        while b - a > 1:
            c = (a + b) // 2
            less = line.family.interval_mass(low, c, line.parameters) < total / 2
            a, b = (c, b) if less else (a, c)
        middle = min(b, high)
    return [float(v) for v in dict.fromkeys((near, middle))]
