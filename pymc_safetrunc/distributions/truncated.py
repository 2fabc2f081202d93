"""`Truncated`, a drop-in for PyMC's that is exact wherever its bounds are."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.continuous import TruncatedNormalRV
from pymc.distributions.dist_math import (
    check_icdf_parameters,
    check_icdf_value,
    check_parameters,
)
from pymc.distributions.shape_utils import change_dist_size, rv_size_is_none, to_tuple
from pymc.distributions.truncated import TruncatedRV
from pytensor.gradient import disconnected_grad
from pytensor.graph.basic import Constant
from pytensor.tensor.random.basic import NormalRV
from pytensor.tensor.random.type import RandomType

from pymc_safetrunc._upstream import (
    default_transform,
    distribution_icdf,
    distribution_logccdf,
    distribution_logcdf,
    distribution_logp,
    distribution_mean,
    distribution_resize,
    distribution_support_point,
)
from pymc_safetrunc.distributions.families import dispatch
from pymc_safetrunc.distributions.interval import SafeInterval, interior_point
from pymc_safetrunc.distributions.truncated_normal import TruncatedNormal, refuse_empty_interval
from pymc_safetrunc.math import as_argument, is_infinite_constant

# The least q of a draw: half the spacing of uniform numbers, so that no draw is at quantile 0.
LEAST_Q = np.float64(2.0**-54)


class SafeTruncatedRV(TruncatedRV):
    """PyMC's truncated variable, drawn by the quantile of the truncated law itself."""

    _ndim_supp = 0

    @classmethod
    def rv_op(cls, dist, lower, upper, max_n_steps, *, size=None):
        """Truncate a distribution; of a Normal and a TruncatedNormal make a TruncatedNormal."""
        base_op = dist.owner.op
        lower = as_argument(-np.inf if lower is None else lower)
        upper = as_argument(np.inf if upper is None else upper)

        if isinstance(base_op, NormalRV | TruncatedNormalRV):
            mu, sigma, *bounds = base_op.dist_params(dist.owner)
            if bounds:
                lower, upper = pt.maximum(lower, bounds[0]), pt.minimum(upper, bounds[1])
            size = base_op.size_param(dist.owner) if size is None else size
            return TruncatedNormal.dist(mu, sigma, lower=lower, upper=upper, size=size)

        size = None if size is None else pt.as_tensor(size, dtype="int64", ndim=1)
        if rv_size_is_none(size):
            size = pt.broadcast_shape(dist, lower, upper)
        dist = change_dist_size(dist, new_size=size)

        base_inputs = [
            pt.random.shared_rng(seed=None) if isinstance(x.type, RandomType) else x
            for x in dist.owner.inputs
        ]
        inputs = [*base_inputs, lower, upper]
        inner_inputs = [x if isinstance(x.type, RandomType) else x.type() for x in inputs]
        law = TruncatedLaw(base_op, inner_inputs)
        rng = next(x for x in inner_inputs if isinstance(x.type, RandomType))
        size = inner_inputs[dispatch.size_index(base_op)]
        next_rng, q = pt.random.uniform(size=size, rng=rng, return_next_rng=True)
        draw = law.quantile(pt.maximum(q.astype("float64"), LEAST_Q)).astype(dist.dtype)
        return cls(
            base_rv_op=base_op,
            inputs=inner_inputs,
            outputs=[draw, next_rng],
            ndim_supp=0,
            max_n_steps=max_n_steps,
        )(*inputs)


class TruncatedLaw:
    """The untruncated family's Op and parameters, and the bounds inside its support.

    Everything is in float64; `dtype` is what results are to be cast to.
    """

    def __init__(self, base_op, inputs):
        *base_inputs, lower, upper = inputs
        parameters = [base_inputs[i] for i in dispatch.parameter_indices(base_op)]
        numbers = [*parameters, lower, upper]
        joint = np.result_type(*(x.dtype for x in numbers if x.dtype.startswith("float")), "f4")
        self.dtype = str(joint)
        self.base_op = base_op
        self.discrete = dispatch.is_discrete(base_op)
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
        low, high = self.lower, self.upper
        ordered = low <= high if self.discrete else low < high
        relation = "lower <= upper" if self.discrete else "lower < upper"
        message = ", ".join(
            [*([words] if words else []), f"truncation {relation} within the support"]
        )
        return (*conditions, ordered), message

    def inside(self, value):
        """The value, with some point inside for one that is outside: no NaN comes from there."""
        return pt.switch(self._outside(value), self._some_point, value)

    def _outside(self, value):
        outside = pt.or_(value < self.lower, value > self.upper)
        return pt.or_(outside, pt.neq(value, pt.floor(value))) if self.discrete else outside

    @property
    def _some_point(self):
        low, high = self.lower, self.upper
        has_low, has_high = pt.isfinite(low), pt.isfinite(high)
        low, high = pt.switch(has_low, low, 0), pt.switch(has_high, high, 0)
        middle = pt.switch(pt.and_(has_low, has_high), low / 2 + high / 2, 0)
        beside = pt.switch(has_low, low + abs(low) + 1, high - abs(high) - 1)
        point = pt.switch(pt.eq(has_low, has_high), middle, beside)
        return disconnected_grad(pt.floor(point) if self.discrete else point)

    def logp(self, value):
        """Log-density, -inf outside the bounds."""
        logp = dispatch.truncated_logp(
            self.base_op, self.inside(value), self.lower, self.upper, *self.parameters
        )
        return pt.switch(self._outside(value), -np.inf, logp)

    def log_share(self, share, value, at_lower, at_upper):
        """Log CDF or survival function, by its dispatch, with its values beyond the bounds."""
        value = pt.floor(value) if self.discrete else value
        below = value < self.lower if self.discrete else value <= self.lower
        beyond = pt.or_(below, value >= self.upper)
        # where the value is beyond a bound, the whole interval stands in
        known = pt.switch(beyond, self._some_point, value)
        log_share = share(self.base_op, known, self.lower, self.upper, *self.parameters)
        outside = pt.switch(below, at_lower, at_upper)
        return pt.switch(beyond, outside, log_share)

    def quantile(self, q):
        """The quantile, never outside the bounds."""
        known = pt.and_(q > 0, q < 1)
        x = dispatch.truncated_quantile(
            self.base_op, pt.switch(known, q, 0.5), self.lower, self.upper, *self.parameters
        )
        x = pt.minimum(pt.maximum(x, self.lower), self.upper)
        return pt.switch(q <= 0, self.lower, pt.switch(q >= 1, self.upper, x))

    def mean(self):
        """Mean of the law, for families that have a form for it."""
        return dispatch.truncated_mean(self.base_op, self.lower, self.upper, *self.parameters)


class Truncated(pm.Truncated):
    r"""
    A univariate distribution truncated to [lower, upper], exact in every region.

    .. math:: p(x) = \frac{f(x)}{P(l \le X \le u)}, \quad l \le x \le u

    Takes every argument of `pymc.Truncated` and can stand wherever that does. A bound may be
    infinite in any way: None, a constant, ``pm.Data``, a shared variable, an entry of an array
    beside finite ones, another variable's value. A bound beyond the support acts as its edge.

    Parameters
    ----------
    dist : unnamed distribution
        Univariate distribution made by ``.dist()``. It is cloned: the truncated variable is
        independent of the one passed.
    lower : tensor_like of float, optional
        Lower bound, in the unit of dist; none by default. A discrete distribution keeps the mass
        at the bound; one that is not a whole number is moved to the next whole number inside.
    upper : tensor_like of float, optional
        Upper bound, likewise.
    max_n_steps : int, default 10_000
        Accepted for compatibility. Draws are made by the quantile function and need no attempts.

    Raises
    ------
    ValueError
        When constant bounds are equal or upside down, leave nothing of the support, or when
        neither bound is given.
    NotImplementedError
        When dist is multivariate, or a distribution whose density is not at hand.
    pymc.logprob.utils.ParameterValueError
        When the log-density is evaluated outside a model with parameters that are not legal or
        lower >= upper. Inside a model the log-density is then -inf, as in PyMC.

    Notes
    -----
    A Normal becomes a `TruncatedNormal`. The support point is the median of the truncated law.

    Examples
    --------
    >>> import pymc as pm
    >>> import pymc_safetrunc as pst
    >>> from pymc_safetrunc.distributions.truncated import Truncated
    >>> delay = Truncated.dist(pm.Exponential.dist(1.0), lower=800.0)
    >>> float(pm.logp(delay, 801.0).eval())
    -1.0
    """

    rv_type = SafeTruncatedRV
    rv_op = SafeTruncatedRV.rv_op

    @classmethod
    def dist(cls, dist, lower=None, upper=None, max_n_steps: int = 10_000, **kwargs):
        """Make an unnamed Truncated, as in `pymc.Distribution.dist`."""
        if isinstance(getattr(getattr(dist, "owner", None), "op", None), TruncatedRV):
            raise NotImplementedError(
                "dist is a Truncated already. Truncate the distribution inside it once, to the "
                "larger lower and the smaller upper bound."
            )
        rv = super().dist(dist, lower, upper, max_n_steps=max_n_steps, **kwargs)
        if isinstance(rv.owner.op, SafeTruncatedRV):
            refuse_constant_bounds(rv.owner)
        return rv


def refuse_constant_bounds(node):
    """Raise where constant bounds leave nothing of the support between them."""
    lower, upper = node.inputs[-2:]
    law = TruncatedLaw(node.op.base_rv_op, node.inputs)
    if not law.discrete:
        refuse_empty_interval(lower, upper)
    edges = [constant_value(edge) for edge in law.support]
    bounds = [constant_value(bound) for bound in (lower, upper)]
    if law.discrete:
        bounds = [
            b if b is None else rounded(b)
            for b, rounded in zip(bounds, (np.ceil, np.floor), strict=True)
        ]
    name = dispatch.family_name(node.op.base_rv_op)
    given = f"lower={text_of(constant_value(lower))}, upper={text_of(constant_value(upper))}"
    (low, high), (least, greatest) = bounds, edges
    if low is not None and high is not None and np.any(~(low <= high)):
        raise ValueError(
            f"The truncation interval holds no whole number: {given}. {name} is discrete: give "
            "bounds with lower <= upper and a whole number between them; for no bound on a side "
            "leave it out (None)."
        )
    strictly = np.less if law.discrete else np.less_equal
    beyond_upper = low is not None and greatest is not None and np.any(strictly(greatest, low))
    beyond_lower = high is not None and least is not None and np.any(strictly(high, least))
    if beyond_upper or beyond_lower:
        raise ValueError(
            f"The truncation interval is outside the support: {given}, where {name} lives between "
            f"{text_of(least)} and {text_of(greatest)}. Give bounds that leave a part of it."
        )


def constant_value(tensor):
    """Value of a constant, None of anything else."""
    if isinstance(tensor, Constant):
        return tensor.data
    return tensor if isinstance(tensor, int | float) else None


def text_of(value):
    """A bound or an edge as it reads in a message."""
    return "a variable" if value is None else str(np.asarray(value)[()])


def as_double(x):
    """A number in double precision."""
    return x if x.dtype == "float64" else x.astype("float64")


def _law(op, inputs):
    return TruncatedLaw(op.base_rv_op, inputs)


def _checked(law, value, result, check=check_parameters):
    conditions, message = law.legal
    dtype = np.result_type(law.dtype, value.dtype if value.dtype.startswith("float") else "f4")
    return check(result, *conditions, msg=message).astype(str(dtype))


@distribution_logp.register(SafeTruncatedRV)
def safe_truncated_logp(op, values, *inputs, **kwargs):
    """Log-density of the truncated law."""
    (value,) = values
    law = _law(op, inputs)
    return _checked(law, value, law.logp(as_double(value)))


@distribution_logcdf.register(SafeTruncatedRV)
def safe_truncated_logcdf(op, value, *inputs):
    """Log of P(X <= value)."""
    law = _law(op, inputs)
    result = law.log_share(dispatch.truncated_logcdf, as_double(value), -np.inf, 0.0)
    return _checked(law, value, result)


@distribution_logccdf.register(SafeTruncatedRV)
def safe_truncated_logccdf(op, value, *inputs):
    """Log of P(X > value)."""
    law = _law(op, inputs)
    result = law.log_share(dispatch.truncated_logccdf, as_double(value), 0.0, -np.inf)
    return _checked(law, value, result)


@distribution_icdf.register(SafeTruncatedRV)
def safe_truncated_icdf(op, value, *inputs):
    """Quantile; NaN for a probability outside [0, 1]."""
    law = _law(op, inputs)
    result = check_icdf_value(law.quantile(as_double(value)), value)
    return _checked(law, value, result, check=check_icdf_parameters)


@distribution_mean.register(SafeTruncatedRV)
def safe_truncated_mean(op, rv, *inputs):
    """Mean, for `pymc.distributions.moments.mean`."""
    return pt.broadcast_to(_law(op, inputs).mean(), rv.shape)


@distribution_support_point.register(SafeTruncatedRV)
def safe_truncated_support_point(op, rv, *inputs):
    """Median of the truncated law, moved inside the bounds if it rounds to one."""
    law = _law(op, inputs)
    median = law.quantile(np.float64(0.5))
    if not law.discrete:
        median = interior_point(median, law.lower, law.upper, rv.dtype)
    return pt.broadcast_to(median, rv.shape)


@default_transform.register(SafeTruncatedRV)
def safe_truncated_default_transform(op, rv):
    """Unconstrain a continuous variable by its bounds inside the support."""
    if dispatch.is_discrete(op.base_rv_op):
        return None

    def bounds(*inputs):
        law = _law(op, inputs)
        return law.lower, law.upper

    return SafeInterval(bounds)


@distribution_resize.register(SafeTruncatedRV)
def safe_truncated_resize(op, rv, new_size, expand):
    """Make the same variable in another size."""
    *base_inputs, lower, upper = rv.owner.inputs
    untruncated = op.base_rv_op.make_node(*base_inputs).default_output()
    if expand:
        new_size = to_tuple(new_size) + tuple(rv.shape)
    return SafeTruncatedRV.rv_op(
        untruncated, lower=lower, upper=upper, size=new_size, max_n_steps=op.max_n_steps
    )
