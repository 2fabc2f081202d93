"""A family from its definition, in mpmath: its log-density, its mass over an interval, gradients.

A family is its log-density and one way to its mass:

* ``cdf`` and ``sf``, each of which holds its digits where it is small; the mass is a difference on
  the side where both are small, or
* ``mass`` itself, a function (low, high, *parameters) that includes both ends, or
* neither: a discrete family is then summed term by term (``ratio`` gives the next term, where that
  is quicker than the log-density), a continuous one integrated, piece by piece.

Every gradient is a central difference at the working precision, save those in the bounds, which
are the density at the bound over the mass. Bounds, values and parameters are float64 numbers and
are taken as exact.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from mpmath import mp, mpf

from tests.accuracy.families import pieces

# A derivative is differenced over this part of its parameter, in decimal digits of the precision.
STEP = mpf(1) / 3
# Of a sum, relative: digits beyond the working ones that the last term is below.
SPARE_DIGITS = 3


@dataclass(frozen=True)
class Family:
    name: str
    # each parameter as the user writes it: location, scale, shape, logarithm (of order one), or
    # integer (which has no gradient)
    kinds: dict[str, str]
    sets: tuple[tuple[float, ...], ...]
    log_density: Callable
    support: tuple[float, float] | Callable = (-mp.inf, mp.inf)
    cdf: Callable | None = None
    sf: Callable | None = None
    mass: Callable | None = None
    ratio: Callable | None = None
    discrete: bool = False
    # what pymc takes beside the parameters and the truth does not vary
    constants: dict = field(default_factory=dict)
    # parameters -> keyword arguments of pymc, where these are not the parameters
    keywords: Callable | None = None
    # points where the density turns or has a corner; an integral is split there
    corners: Callable | None = None
    # a point of probability in a continuous law; bounds are then closed on it
    atom: float | None = None

    @property
    def closed(self):
        return self.cdf is not None or self.mass is not None

    def smooth(self):
        """The parameters that have a gradient."""
        return [name for name, kind in self.kinds.items() if kind != "integer"]

    def edges(self, parameters):
        return self.support(*parameters) if callable(self.support) else self.support

    def clipped(self, lower, upper, parameters):
        """The bounds, no further than the support; for a discrete family the integers inside."""
        low, high = self.edges(parameters)
        if self.discrete:
            lower = mp.ceil(lower) if mp.isfinite(lower) else lower
            upper = mp.floor(upper) if mp.isfinite(upper) else upper
        return max(mpf(lower), mpf(low)), min(mpf(upper), mpf(high))

    def interval_mass(self, low, high, parameters):
        """Mass from low to high, both inside the support and included."""
        if low > high or (low == high and not self.discrete and self.atom is None):
            return mpf(0)
        if self.mass is not None:
            return self.mass(low, high, *parameters)
        if self.cdf is None:
            if self.discrete:
                return self.summed(low, high, parameters)
            nodes = self.nodes(low, high, parameters)
            return mp.fsum(w * mp.exp(self.log_density(x, *parameters)) for x, w in nodes)
        left, right = self.edges(parameters)
        # of a discrete family the left end is included, and the distribution function jumps there
        low, cut = low - int(self.discrete), low > left
        below = self.cdf(high, *parameters) if high < right else mpf(1)
        if below < 0.5:
            return below - (self.cdf(low, *parameters) if cut else 0)
        above = self.sf(low, *parameters) if cut else mpf(1)
        return above - (self.sf(high, *parameters) if high < right else 0)

    def density_at(self, parameters, x):
        return self.log_density(x, *parameters)

    def pieces(self, low, high, parameters, digits=None):
        """Points between which the density is easy to integrate."""
        function = partial(self.density_at, parameters)
        corners = self.corners(*parameters) if self.corners else ()
        return pieces.split(function, low, high, corners, digits)

    def nodes(self, low, high, parameters):
        """Nodes and weights of an integral of the density."""
        return chain.from_iterable(pieces.rule(self.pieces(low, high, parameters)))

    def summed(self, low, high, parameters):
        total, k = mpf(0), low
        term = mp.exp(self.log_density(k, *parameters))
        negligible = mpf(10) ** -(mp.dps + SPARE_DIGITS)
        while k <= high:
            total += term
            if self.ratio is not None:
                factor = self.ratio(k, *parameters)
                following = term * factor
            else:
                following = mp.exp(self.log_density(k + 1, *parameters)) if k < high else mpf(0)
                factor = following / term
            # what is left is below a geometric series of this ratio
            if (
                not mp.isfinite(high)
                and factor < 1
                and following / (1 - factor) < negligible * total
            ):
                break
            term, k = following, k + 1
        return total

    def log_mass(self, lower, upper, parameters):
        """Logarithm of the mass between the bounds, with all digits where it is near 0 too."""
        low, high = self.clipped(lower, upper, parameters)
        inside = self.interval_mass(low, high, parameters)
        if inside < 0.5 or self.atom is not None:
            return mp.log(inside)
        left, right = self.edges(parameters)
        step = 1 if self.discrete else 0
        below = self.interval_mass(mpf(left), low - step, parameters) if low > left else 0
        above = self.interval_mass(high + step, mpf(right), parameters) if high < right else 0
        return mp.log1p(-(below + above))

    def log_mass_near(self, lower, upper, parameters):
        """The same as a function of parameters near these: the nodes of an integral stay."""
        if self.closed or self.discrete:
            return lambda moved: self.log_mass(lower, upper, moved)
        low, high = self.clipped(lower, upper, parameters)
        nodes = list(self.nodes(low, high, parameters))
        return lambda moved: mp.log(
            mp.fsum(w * mp.exp(self.log_density(x, *moved)) for x, w in nodes)
        )


def steps(family, parameters, iqr):
    """How far each parameter is moved for its derivative: far inside its natural length."""
    part = mpf(10) ** -(mp.dps * STEP)
    return [
        part * {"location": iqr, "logarithm": 1}.get(kind, abs(p))
        for p, kind in zip(parameters, family.kinds.values(), strict=True)
    ]


def slopes(family, function, parameters, iqr):
    """Derivative of function(parameters) in each parameter that has one."""
    for k, (kind, step) in enumerate(
        zip(family.kinds.values(), steps(family, parameters, iqr), strict=True)
    ):
        if kind != "integer":
            moved = [
                function([p + h if j == k else p for j, p in enumerate(parameters)])
                for h in (step, -step)
            ]
            yield (moved[0] - moved[1]) / (2 * step)


def slope_in_value(family, x, parameters, iqr):
    """d log-density / dx; the step is far inside the distance from the edges of the support."""
    edges = [mpf(e) for e in family.edges(parameters) if mp.isfinite(e)]
    length = min([mpf(iqr), *(abs(x - e) for e in edges)])
    if length == 0:
        # the only value allowed on an edge is a point of probability
        return mp.nan
    step = length * mpf(10) ** -(mp.dps * STEP)
    function = partial(family.density_at, parameters)
    # near an edge the step is smaller than the working digits of the log-density
    with mp.extradps(max(0, int(-mp.log10(length / iqr)))):
        return (function(x + step) - function(x - step)) / (2 * step)


def natural_scales(family, parameters, iqr):
    """Size that the derivative in each parameter typically has."""
    return [
        1 / mpf({"location": iqr, "logarithm": 1}.get(kind, abs(p)))
        for p, kind in zip(parameters, family.kinds.values(), strict=True)
        if kind != "integer"
    ]


def nearness(family, parameters, points, iqr):
    """Least distance of a point from an edge of the support that parameters move, in IQR; or 1."""
    if not callable(family.support):
        return mpf(1)
    edges = [e for e in family.edges(parameters) if mp.isfinite(e)]
    ways = [abs(mpf(p) - e) / iqr for p in points for e in edges if p != e and mp.isfinite(p)]
    return min([mpf(1), *ways])


def truth(family, parameters, lower, upper, values, iqr):
    """``truth_at_precision``, with the digits that steps near a moving edge take."""
    near = nearness(family, parameters, (lower, upper, *values), iqr)
    with mp.extradps(int(-4 * mp.log10(near))):
        return truth_at_precision(family, parameters, lower, upper, values, iqr)


def truth_at_precision(family, parameters, lower, upper, values, iqr):
    """Columns of each value of one interval, as dicts of mpf; and the scales of the gradients."""
    parameters = [mpf(p) for p in parameters]
    log_mass = family.log_mass(lower, upper, parameters)
    log_mass_near = family.log_mass_near(lower, upper, parameters)
    mass_slopes = list(slopes(family, log_mass_near, parameters, iqr))
    kinked = list(moving_edges(family, parameters, iqr, (lower, upper)))
    hazards = bound_slopes(family, lower, upper, parameters, log_mass)
    natural = natural_scales(family, parameters, iqr)
    rows = []
    for value in values:
        x = mpf(value)
        log_density = family.log_density(x, *parameters)
        base = list(slopes(family, partial(log_density_near, family, x), parameters, iqr))
        columns = {"logp": log_density - log_mass, "log_mass": log_mass}
        scales = {"logp": mpf(1), "log_mass": mpf(1)}
        if not family.discrete:
            columns["d_value"] = slope_in_value(family, x, parameters, iqr)
            scales["d_value"] = 1 / mpf(iqr)
            columns |= hazards
        for name, slope, mass_slope, size, kink in zip(
            family.smooth(), base, mass_slopes, natural, kinked, strict=True
        ):
            columns[f"d_parameter_{name}"] = mp.nan if kink else slope - mass_slope
            scales[f"d_parameter_{name}"] = max(abs(slope), size)
        rows.append((columns, scales))
    return rows


def moving_edges(family, parameters, iqr, bounds):
    """Whether each parameter moves an edge of the support on which a bound lies."""
    edges = family.edges(parameters)
    on_bound = [e for e in edges if e in bounds and mp.isfinite(e)]
    for k, (kind, step) in enumerate(
        zip(family.kinds.values(), steps(family, parameters, iqr), strict=True)
    ):
        if kind != "integer":
            moved = family.edges([p + step if j == k else p for j, p in enumerate(parameters)])
            yield any(e not in moved for e in on_bound)


def log_density_near(family, x, moved):
    return family.log_density(x, *moved)


def bound_slopes(family, lower, upper, parameters, log_mass):
    """Derivatives in the bounds: 0 beyond the support, nan on its edge, where there are two."""
    if family.discrete:
        return {}
    left, right = (mpf(e) for e in family.edges(parameters))
    slopes_ = {}
    for name, bound, sign in (("d_lower", mpf(lower), 1), ("d_upper", mpf(upper), -1)):
        if not mp.isfinite(bound) or not left <= bound <= right:
            slopes_[name] = mpf(0)
        elif bound in (left, right, family.atom):
            slopes_[name] = mp.nan
        else:
            slopes_[name] = sign * mp.exp(family.log_density(bound, *parameters) - log_mass)
    return slopes_


def settled(family, parameters, lower, upper, values, iqr, digits, agreement):
    """``truth`` at two precisions, which must agree, relative to each number or to its scale."""
    with mp.workdps(digits):
        rough = truth(family, parameters, lower, upper, values, iqr)
    with mp.workdps(digits + digits // 4):
        fine = truth(family, parameters, lower, upper, values, iqr)
    for (columns, scales), (coarse, _) in zip(fine, rough, strict=True):
        for name, number in columns.items():
            allowed = agreement * max(abs(number), scales.get(name, mpf(0)))
            if not mp.isnan(number) and not abs(number - coarse[name]) <= allowed:
                raise AssertionError(
                    f"{family.name}{tuple(parameters)} on [{lower!r}, {upper!r}]: {name} is "
                    f"{mp.nstr(coarse[name], 25)} at {digits} digits, then {mp.nstr(number, 25)}"
                )
    return fine
