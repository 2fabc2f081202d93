"""A family's truncated law: what `dispatch` knows of it, held to the bounds and the support."""

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad
from pytensor.graph.basic import Constant

from pymc_safetrunc.distributions.families import dispatch
from pymc_safetrunc.distributions.families.safe import is_data, is_shared, surely
from pymc_safetrunc.distributions.interval import some_point
from pymc_safetrunc.math import is_infinite_constant


class TruncatedLaw:
    """The untruncated family's Op and parameters, and the bounds inside its support.

    Everything is in float64; `dtype` is what results are to be cast to.
    """

    def __init__(self, base_op, parameters, lower, upper):
        numbers = [*parameters, lower, upper]
        joint = np.result_type(*(x.dtype for x in numbers if x.dtype.startswith("float")), "f4")
        self.dtype = str(joint)
        self.base_op = base_op
        self.discrete = dispatch.is_discrete(base_op)
        self.has_atoms = dispatch.has_atoms(base_op)
        self.parameters = [as_double(x) for x in parameters]
        lower, upper = as_double(lower), as_double(upper)
        if self.discrete:
            lower, upper = pt.ceil(lower), pt.floor(upper)
        self.support = dispatch.support(base_op, *self.parameters)
        # written so that a bound that is NaN stays NaN
        low, high = (pt.as_tensor_variable(edge, dtype="float64") for edge in self.support)
        self.lower = lower if is_infinite_constant(low) else pt.switch(lower < low, low, lower)
        self.upper = upper if is_infinite_constant(high) else pt.switch(upper > high, high, upper)

    @property
    def legal(self):
        """Conditions under which there is a law, and the words for them."""
        conditions, words = dispatch.legal(self.base_op, *self.parameters)
        # what is known to hold costs nothing
        if surely(self.ordered):
            return conditions, words
        relation = "lower <= upper" if self.has_atoms else "lower < upper"
        ordered = f"truncation {relation} within the support"
        return (*conditions, self.ordered), f"{words}, {ordered}" if words else ordered

    @property
    def ordered(self):
        """Whether something lies between the bounds."""
        return self.lower <= self.upper if self.has_atoms else self.lower < self.upper

    def inside(self, value):
        """The value, with some point inside for one that is outside: no NaN comes from there."""
        return pt.switch(self.outside(value), self.some_point, value)

    def surely_inside(self, value):
        """Whether value and bounds are constants, all of them where the law is.

        What a formula makes of such data alone is then a constant, too.
        """
        return surely(pt.invert(self.outside(value)))

    def outside(self, value):
        """Whether the law gives nothing to a value."""
        outside = pt.or_(value < self.lower, value > self.upper)
        if dispatch.is_open(self.base_op):
            outside = pt.or_(outside, pt.or_(value <= self.support[0], value >= self.support[1]))
        return pt.or_(outside, pt.neq(value, pt.floor(value))) if self.discrete else outside

    @property
    def some_point(self):
        """A point between the bounds, without derivatives."""
        point = some_point(self.lower, self.upper)
        return disconnected_grad(pt.floor(point) if self.discrete else point)

    def logp(self, value):
        """Log-density, -inf outside the bounds."""
        surely_inside = self.surely_inside(value)
        as_it_is = surely_inside or dispatch.goes_on_outside(self.base_op, value, *self.parameters)
        known = value if as_it_is else self.inside(value)
        if surely_inside and self._is_table(value):
            least = value.data.min()
            numbers = least + np.arange(value.data.max() - least + 1)
            return self._logp(pt.constant(numbers)).ravel()[(value.data - least).astype(int)]
        logp = self._logp(known)
        return logp if surely_inside else pt.switch(self.outside(value), -np.inf, logp)

    def _logp(self, value):
        return dispatch.truncated_logp(
            self.base_op, value, self.lower, self.upper, *self.parameters
        )

    def _is_table(self, value):
        """Whether to evaluate each number of constant data once: there are fewer than data."""
        if not self.discrete or dispatch.is_cheap(self.base_op) or not is_data(value):
            return False
        numbers = (self.lower, self.upper, *self.parameters)
        has_own_shape = all(x.ndim <= value.ndim for x in numbers)
        return is_shared(*numbers) and has_own_shape and np.ptp(value.data) < value.data.size / 4

    def log_share(self, share, value, at_lower, at_upper):
        """Log CDF or survival function, by its dispatch, with its values beyond the bounds."""
        value = pt.floor(value) if self.discrete else value
        below = value < self.lower if self.has_atoms else value <= self.lower
        beyond = pt.or_(below, value >= self.upper)
        # where the value is beyond a bound, the whole interval stands in
        known = pt.switch(beyond, self.some_point, value)
        log_share = share(self.base_op, known, self.lower, self.upper, *self.parameters)
        outside = pt.switch(below, at_lower, at_upper)
        return pt.switch(beyond, outside, log_share)

    def quantile(self, q):
        """The quantile, never outside the bounds."""
        known = pt.and_(q > 0, q < 1)
        x = self._placed(dispatch.truncated_quantile, pt.switch(known, q, 0.5))
        return pt.switch(q <= 0, self.lower, pt.switch(q >= 1, self.upper, x))

    def draw(self, q):
        """A draw of the law where q is one of the uniform law, 0 < q < 1."""
        return self._placed(dispatch.truncated_draw, q)

    def sample(self, rng, size):
        """The generator after it, and a draw."""
        next_rng, x = dispatch.truncated_sample(
            self.base_op, rng, size, self.lower, self.upper, *self.parameters
        )
        return next_rng, self._held(x)

    def start(self):
        """A point of the body, never outside the bounds."""
        return self._held(
            dispatch.truncated_start(self.base_op, self.lower, self.upper, *self.parameters)
        )

    def _placed(self, place, q):
        return self._held(place(self.base_op, q, self.lower, self.upper, *self.parameters))

    def _held(self, x):
        return pt.clip(x, self.lower, self.upper)

    def mean(self):
        """Mean of the law, for families that have a form for it."""
        return dispatch.truncated_mean(self.base_op, self.lower, self.upper, *self.parameters)


def as_double(x):
    """A number in double precision; a constant stays one."""
    if x.dtype == "float64":
        return x
    return pt.constant(x.data, dtype="float64") if isinstance(x, Constant) else x.astype("float64")
