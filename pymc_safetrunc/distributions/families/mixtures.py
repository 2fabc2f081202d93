"""Mixtures: a weighted sum of families, of which some may be a single point.

The questions of `dispatch` are answered component by component, for the family that
`mixture_components` makes of a mixture. Between the bounds a mixture is that of its truncated
components, each with the share of its mass.

In a continuous mixture with a point of probability, the density at that point is the probability.
"""

from functools import cached_property, reduce
from itertools import islice

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.dist_math import check_parameters
from pymc.distributions.distribution import DiracDeltaRV
from pymc.pytensorf import constant_fold

from pymc_safetrunc.distributions.families import dispatch
from pymc_safetrunc.distributions.families.law import TruncatedLaw
from pymc_safetrunc.distributions.families.mixture_components import MixtureRV
from pymc_safetrunc.distributions.families.quadrature_quantile import LEAST_Q
from pymc_safetrunc.distributions.families.safe import is_fixed
from pymc_safetrunc.ops.quadrature import stop_gradient

# The largest q below 1.
GREATEST_Q = np.float64(1 - 2.0**-53)


class _Part:
    """A component between the bounds, and what it weighs there.

    Where it has nothing between them, `law` is that of all of it, so that it stays finite.
    """

    def __init__(self, component, weight, parameters, bounds, lower, upper):
        self.op, self.weight, self.parameters = component.op, weight, parameters
        self.truncated = component.truncated
        self.is_point = isinstance(component.op, DiracDeltaRV)
        self.own = TruncatedLaw(component.op, parameters, *bounds)
        if self.truncated:
            lower = pt.switch(lower < self.own.lower, self.own.lower, lower)
            upper = pt.switch(upper > self.own.upper, self.own.upper, upper)
        inside = TruncatedLaw(component.op, parameters, lower, upper)
        self.law = TruncatedLaw(
            component.op,
            parameters,
            pt.switch(inside.ordered, inside.lower, self.own.lower),
            pt.switch(inside.ordered, inside.upper, self.own.upper),
        )
        self.exists = pt.and_(inside.ordered, weight > 0)

    @property
    def legal(self):
        """Conditions on the parameters and its own bounds, and the words for them."""
        return self.own.legal if self.truncated else dispatch.legal(self.op, *self.parameters)

    @cached_property
    def known_log_mass(self):
        """Log of weight times mass between the bounds, something finite where that is 0."""
        log_mass = self._log_mass(self.law)
        if self.truncated:
            log_mass = log_mass - self._log_mass(self.own)
        return pt.log(pt.switch(self.weight > 0, self.weight, 1)) + log_mass

    @cached_property
    def log_mass(self):
        """Log of weight times mass between the bounds."""
        return pt.switch(self.exists, self.known_log_mass, -np.inf)

    def _log_mass(self, law):
        return dispatch.log_interval_mass(self.op, law.lower, law.upper, *self.parameters)

    def logp(self, value, excluded):
        """Log-density of the truncated component, -inf where it has none or at excluded points."""
        excluded = [pt.eq(value, c) for c in excluded]
        nothing = reduce(pt.or_, excluded, self.law.outside(value))
        nothing = pt.or_(nothing, pt.invert(self.exists))
        known = pt.switch(nothing, self.law.some_point, value)
        logp = dispatch.truncated_logp(
            self.op, known, self.law.lower, self.law.upper, *self.parameters
        )
        return pt.switch(nothing, -np.inf, logp)


class _Parts(list):
    """The components of a mixture between the bounds."""

    def __init__(self, op, params, lower=-np.inf, upper=np.inf):
        lower, upper = pt.as_tensor_variable(lower), pt.as_tensor_variable(upper)
        rest = iter(params)
        for component in op.components:
            weight = next(rest)
            parameters = list(islice(rest, len(component.axes)))
            bounds = [pt.constant(-np.inf), pt.constant(np.inf)]
            if component.truncated:
                bounds = list(islice(rest, 2))
            self.append(_Part(component, weight, parameters, bounds, lower, upper))

    @cached_property
    def log_mass(self):
        """Log of the mass between the bounds."""
        return _log_sum([part.log_mass for part in self])

    @cached_property
    def known_log_mass(self):
        """The same, and 0 where there is no mass at all."""
        return pt.switch(pt.eq(self.log_mass, -np.inf), 0.0, self.log_mass)

    def log_shares(self):
        """Log of each component's part of the mass."""
        return [part.log_mass - self.known_log_mass for part in self]

    def shares(self):
        """Each component's part of the mass, for draws: an error where there is no mass."""
        shares = [pt.exp(x) for x in self.log_shares()]
        shares[0] = self.checked(shares[0], can_be_replaced_by_ninf=False)
        return shares

    def checked(self, result, **kwargs):
        """The result, or an error where the bounds have no mass between them."""
        return check_parameters(
            result,
            pt.neq(self.log_mass, -np.inf),
            msg="a component of the mixture has mass within the truncation bounds",
            **kwargs,
        )


def _log_sum(terms):
    """Log of a sum of exponentials, with derivatives where some or all of them are 0."""
    largest = stop_gradient(reduce(pt.maximum, terms))
    largest = pt.switch(pt.eq(largest, -np.inf), 0.0, largest)
    total = reduce(pt.add, [pt.exp(x - largest) for x in terms])
    positive = total > 0
    # not of one condition with what it stands in for: see `safe`
    return pt.switch(positive, pt.log(pt.switch(total <= 0, 1.0, total)) + largest, -np.inf)


@dispatch.has_atoms.register(DiracDeltaRV)
def _(op):
    return True


@dispatch.support.register(DiracDeltaRV)
def _(op, c):
    return c, c


@dispatch.log_interval_mass.register(DiracDeltaRV)
@dispatch.truncated_logp.register(DiracDeltaRV)
def _(op, *arguments):
    *arguments, _ = arguments
    return pt.zeros_like(reduce(pt.add, arguments))


@dispatch.truncated_quantile.register(DiracDeltaRV)
@dispatch.truncated_mean.register(DiracDeltaRV)
def _(op, *arguments):
    return arguments[-1]


@dispatch.has_atoms.register(MixtureRV)
def _(op):
    return any(dispatch.has_atoms(component.op) for component in op.components)


@dispatch.support.register(MixtureRV)
def _(op, *params):
    laws = [part.own for part in _Parts(op, params)]
    edges = [
        reduce(pt.minimum, [law.lower for law in laws]),
        reduce(pt.maximum, [law.upper for law in laws]),
    ]
    return tuple(map(pt.as_tensor_variable, constant_fold(edges, raise_not_constant=False)))


@dispatch.legal.register(MixtureRV)
def _(op, *params):
    parts = _Parts(op, params)
    weights = [part.weight for part in parts]
    conditions = [pt.and_(w >= 0, w <= 1) for w in weights]
    conditions.append(pt.isclose(reduce(pt.add, weights), 1))
    words = ["0 <= weights <= 1", "sum(weights) == 1"]
    for part in parts:
        of_part, words_of_part = part.legal
        conditions += of_part
        words += [words_of_part] if words_of_part else []
    return tuple(conditions), ", ".join(dict.fromkeys(words))


@dispatch.log_interval_mass.register(MixtureRV)
def _(op, lower, upper, *params):
    return _Parts(op, params, lower, upper).log_mass


@dispatch.truncated_logp.register(MixtureRV)
def _(op, value, lower, upper, *params):
    """Share times truncated density, added up.

    What is above the fraction does not depend on the bounds, and is held fixed in them: their
    derivatives are those of the whole mass alone, where they do not cancel. Bounds that are data
    have none: there the masses on either side of the fraction are the same graphs, evaluated once.
    """
    parts = _Parts(op, params, lower, upper)
    log_mass = parts.known_log_mass
    if not is_fixed(lower, upper):
        parts = _Parts(op, params, stop_gradient(lower), stop_gradient(upper))
    points = [p.own.lower for p in parts if p.is_point and not dispatch.is_discrete(op)]
    # the difference first: of one component it is 0
    terms = [
        (part.known_log_mass - log_mass)
        + part.logp(value, excluded=[] if part.is_point else points)
        for part in parts
    ]
    return parts.checked(_log_sum(terms))


@dispatch.log_shares.register(MixtureRV)
def _(op, value, lower, upper, *params):
    parts = _Parts(op, params, lower, upper)
    below = [p.law.log_share(dispatch.truncated_logcdf, value, -np.inf, 0.0) for p in parts]
    above = [p.law.log_share(dispatch.truncated_logccdf, value, 0.0, -np.inf) for p in parts]
    return tuple(
        _log_sum([x + y for x, y in zip(parts.log_shares(), side, strict=True)])
        for side in (below, above)
    )


@dispatch.truncated_draw.register(MixtureRV)
def _(op, q, lower, upper, *params):
    """The component in whose share q is, at its place there."""
    parts = _Parts(op, params, lower, upper)
    x, below = None, np.float64(0)
    for part, share in zip(parts, parts.shares(), strict=True):
        here = pt.and_(q >= below, share > 0)
        q_there = (q - below) / pt.switch(share > 0, share, 1)
        place = part.law.draw(pt.clip(q_there, LEAST_Q, GREATEST_Q))
        x = place if x is None else pt.switch(here, place, x)
        below = below + share
    return x


@dispatch.truncated_quantile.register(MixtureRV)
def _(op, q, lower, upper, *params):
    """Where the probability of the point is left out below q or above it, if it is not there."""
    parts = _Parts(op, params, lower, upper)
    if len(parts) == 1:
        return parts[0].law.quantile(q)
    if len(parts) > 2 or [part.is_point for part in parts].count(True) != 1:
        raise NotImplementedError(
            "The quantile of a truncated mixture is there for one family beside one point. "
            "Draw from this one and count: np.quantile(pm.draw(x, 10_000), q)."
        )
    (point, share_of_point), (family, share) = sorted(
        zip(parts, parts.shares(), strict=True), key=lambda pair: not pair[0].is_point
    )
    c = point.law.lower
    share = pt.switch(share > 0, share, 1)
    x_below, x_above = (
        family.law.quantile(pt.clip(x / share, LEAST_Q, 1)) for x in (q, q - share_of_point)
    )
    is_below = reduce(pt.and_, [family.exists, q < share, x_below < c])
    is_above = reduce(pt.and_, [family.exists, q > share_of_point, x_above > c])
    return pt.switch(is_below, x_below, pt.switch(is_above, x_above, c))


@dispatch.truncated_start.register(MixtureRV)
def _(op, lower, upper, *params):
    """The median of the component that has the largest share; at a point only if it is alone."""
    points_first = sorted(_Parts(op, params, lower, upper), key=lambda part: not part.is_point)
    start, largest = points_first[0].law.start(), np.float64(-np.inf)
    for part in points_first:
        start = pt.switch(part.log_mass > largest, part.law.start(), start)
        largest = largest if part.is_point else pt.maximum(largest, part.log_mass)
    return start


@dispatch.truncated_mean.register(MixtureRV)
def _(op, lower, upper, *params):
    parts = _Parts(op, params, lower, upper)
    return reduce(pt.add, [s * p.law.mean() for s, p in zip(parts.shares(), parts, strict=True)])
