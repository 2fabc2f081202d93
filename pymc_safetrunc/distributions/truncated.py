"""`Truncated`, a drop-in for PyMC's that keeps its digits wherever its bounds are."""

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
from pymc.pytensorf import constant_fold
from pytensor import config
from pytensor.graph.basic import Constant, Variable
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
from pymc_safetrunc.distributions.families.law import TruncatedLaw, as_double
from pymc_safetrunc.distributions.families.mixture_components import as_family
from pymc_safetrunc.distributions.interval import SafeInterval, cast_inside, interior_point
from pymc_safetrunc.distributions.truncated_normal import (
    TruncatedNormal,
    as_bounds,
    refuse_empty_interval,
    refuse_unknown,
)


class SafeTruncatedRV(TruncatedRV):
    """PyMC's truncated variable, drawn by the quantile of the truncated law itself."""

    _ndim_supp = 0

    @classmethod
    def rv_op(cls, dist, lower, upper, max_n_steps, *, size=None):
        """Truncate a distribution; of a Normal and a TruncatedNormal make a TruncatedNormal."""
        base_op = dist.owner.op
        lower, upper = as_bounds(lower, upper)

        if isinstance(base_op, NormalRV | TruncatedNormalRV):
            mu, sigma, *bounds = base_op.dist_params(dist.owner)
            own_size = base_op.size_param(dist.owner)
            if size is None and not rv_size_is_none(own_size):
                size = pt.broadcast_shape(dist, lower, upper)
            if bounds:
                lower = nearer(pt.maximum, lower, bounds[0])
                upper = nearer(pt.minimum, upper, bounds[1])
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
        law = law_of(base_op, inner_inputs)
        rng = next(x for x in inner_inputs if isinstance(x.type, RandomType))
        size = inner_inputs[dispatch.size_index(base_op)]
        next_rng, draw = law.sample(rng, size)
        conditions, message = law.legal
        draw = check_parameters(draw, *conditions, msg=message, can_be_replaced_by_ninf=False)
        if law.discrete:
            draw = draw.astype(dist.dtype)
        else:
            draw = cast_inside(draw, law.lower, law.upper, dist.dtype)
        return cls(
            base_rv_op=base_op,
            inputs=inner_inputs,
            outputs=[draw, next_rng],
            ndim_supp=0,
            max_n_steps=max_n_steps,
            name="Truncated",
        )(*inputs)


class Truncated(pm.Truncated):
    r"""
    A univariate distribution truncated to [lower, upper], which may be anywhere.

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
        When constant bounds are equal or upside down, leave nothing of the support or have None
        among their entries, or when neither bound is given.
    TypeError
        For an argument it does not know, or a bound that is not made of real numbers.
    NotImplementedError
        When dist is multivariate, or a distribution whose density is not at hand.
    pymc.logprob.utils.ParameterValueError
        When the log-density is evaluated outside a model with parameters that are not legal or
        lower >= upper. Inside a model the log-density is then -inf, as in PyMC.

    Notes
    -----
    Every family takes one of these routes; ``docs/families.md`` says which.

    * Closed forms, and sums for counts: the log-density is right to 1e-12 of the larger of it and
      1, gradients to 1e-9. A Normal becomes a `TruncatedNormal`.
    * Quadrature, for Beta, Gamma, StudentT and others whose shapes have no closed form, and for a
      continuous distribution of one's own: to 1e-9, and 1e-6. A density that it does not resolve is
      an error, and inside a model an impossible point.
    * Mixtures, ZeroInflated* and Hurdle* are truncated as a whole, each part by its own route.
      Bounds include a point that has probability, as 0 has in a HurdleGamma; the density there is
      that probability.

    The support point is the median of the truncated law, or of the largest component of a mixture.

    Limits: quantiles by quadrature are for q of 5.6e-17 or more, those of a mixture for one family
    beside one point; draws are for all. Few families have a mean. JAX drops the checks that raise
    errors outside a model. Parameters on their edge, of which a law of counts is a single point
    (mu = 0, p = 1), are refused, where `pymc.Truncated` takes some.

    Examples
    --------
    >>> import pymc as pm
    >>> import pymc_safetrunc as pst
    >>> delay = pst.Truncated.dist(pm.Exponential.dist(1.0), lower=800.0)
    >>> float(pm.logp(delay, 801.0).eval())
    -1.0
    """

    rv_type = SafeTruncatedRV
    rv_op = SafeTruncatedRV.rv_op

    @classmethod
    def dist(cls, dist, lower=None, upper=None, max_n_steps: int = 10_000, **kwargs):
        """Make an unnamed Truncated, as in `pymc.Distribution.dist`."""
        refuse_unknown("Truncated", ("dist", "lower", "upper", "max_n_steps"), kwargs)
        if isinstance(getattr(getattr(dist, "owner", None), "op", None), TruncatedRV):
            raise NotImplementedError(
                "dist is a Truncated already. Truncate the distribution inside it once, to the "
                "larger lower and the smaller upper bound."
            )
        dist = as_family(dist)
        rv = super().dist(dist, lower, upper, max_n_steps=max_n_steps, **kwargs)
        if isinstance(rv.owner.op, SafeTruncatedRV):
            refuse_constant_bounds(rv.owner)
        return rv


def nearer(choose, *bounds):
    """The nearer of two bounds: of two constants a constant, which is known to be legal or not."""
    bound = choose(*bounds)
    (known,) = constant_fold([bound], raise_not_constant=False)
    # what is not constant comes back as a copy, of other variables than the model's
    return bound if isinstance(known, Variable) else known


def refuse_constant_bounds(node):
    """Raise where constant bounds leave nothing of the support between them."""
    lower, upper = node.inputs[-2:]
    law = law_of(node.op.base_rv_op, node.inputs)
    if not law.has_atoms:
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
    strictly = np.less if law.has_atoms else np.less_equal
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


def law_of(base_op, inputs):
    """Law of the inputs of a truncated variable."""
    *base_inputs, lower, upper = inputs
    parameters = [base_inputs[i] for i in dispatch.parameter_indices(base_op)]
    return TruncatedLaw(base_op, parameters, lower, upper)


def _checked(law, value, result, check=check_parameters):
    conditions, message = law.legal
    # whole numbers say nothing of precision; a short constant such as 0.5 is a float32 to PyTensor
    own = value.dtype if value.dtype.startswith("float") else config.floatX
    dtype = np.result_type(law.dtype, own)
    return check(result, *conditions, msg=message).astype(str(dtype))


@distribution_logp.register(SafeTruncatedRV)
def safe_truncated_logp(op, values, *inputs, **kwargs):
    """Log-density of the truncated law."""
    (value,) = values
    law = law_of(op.base_rv_op, inputs)
    return _checked(law, value, law.logp(as_double(value)))


@distribution_logcdf.register(SafeTruncatedRV)
def safe_truncated_logcdf(op, value, *inputs):
    """Log of P(X <= value)."""
    law = law_of(op.base_rv_op, inputs)
    result = law.log_share(dispatch.truncated_logcdf, as_double(value), -np.inf, 0.0)
    return _checked(law, value, result)


@distribution_logccdf.register(SafeTruncatedRV)
def safe_truncated_logccdf(op, value, *inputs):
    """Log of P(X > value)."""
    law = law_of(op.base_rv_op, inputs)
    result = law.log_share(dispatch.truncated_logccdf, as_double(value), 0.0, -np.inf)
    return _checked(law, value, result)


@distribution_icdf.register(SafeTruncatedRV)
def safe_truncated_icdf(op, value, *inputs):
    """Quantile; NaN for a probability outside [0, 1]."""
    law = law_of(op.base_rv_op, inputs)
    result = check_icdf_value(law.quantile(as_double(value)), value)
    return _checked(law, value, result, check=check_icdf_parameters)


@distribution_mean.register(SafeTruncatedRV)
def safe_truncated_mean(op, rv, *inputs):
    """Mean, for `pymc.distributions.moments.mean`."""
    return pt.broadcast_to(law_of(op.base_rv_op, inputs).mean(), rv.shape)


@distribution_support_point.register(SafeTruncatedRV)
def safe_truncated_support_point(op, rv, *inputs):
    """Median of the law or of its largest part, moved inside the bounds if it rounds to one."""
    law = law_of(op.base_rv_op, inputs)
    start = law.start()
    if not law.has_atoms:
        start = interior_point(start, law.lower, law.upper, rv.dtype)
    return pt.broadcast_to(start, rv.shape)


@default_transform.register(SafeTruncatedRV)
def safe_truncated_default_transform(op, rv):
    """Unconstrain a continuous variable by its bounds inside the support."""
    if dispatch.has_atoms(op.base_rv_op):
        return None

    def bounds(*inputs):
        law = law_of(op.base_rv_op, inputs)
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
