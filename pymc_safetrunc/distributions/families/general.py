"""The general form of truncation: quadrature of the density between the bounds.

A continuous family without an entry takes it as it stands, by the defaults of `dispatch` that are
registered here: its log-density is PyMC's, and a point of its body is PyMC's support point.
`by_quadrature` gives some families a log-density that holds further out, by registering with the
functions below.
"""

from functools import singledispatch
from inspect import signature

import numpy as np
import pytensor.tensor as pt
from pymc.distributions import transforms
from pymc.distributions.distribution import SymbolicRandomVariable
from pytensor.graph.replace import graph_replace
from pytensor.tensor.random.utils import compute_batch_shape

from pymc_safetrunc._upstream import default_transform, distribution_support_point
from pymc_safetrunc.distributions.families import dispatch, quadrature, quadrature_quantile
from pymc_safetrunc.ops.quadrature import stop_gradient


@singledispatch
def log_density(op, x, upper, to_upper, *params):
    """Log-density at x of the untruncated law, broadcasting.

    For a family with a singularity at a finite upper edge: from the edge to x it is (edge - upper)
    + to_upper, which keeps its digits where x has rounded to the edge.
    """
    return dispatch.base_logp(op, x, *params)


@singledispatch
def log_density_at_value(op, x, upper, to_upper, *params):
    """The same for a value, which may be on an edge of the support: its limit there.

    For a family whose formula is 0 times infinity there; no node of a rule is on an edge.
    """
    return log_density(op, x, upper, to_upper, *params)


@singledispatch
def centre(op, *params):
    """Some point of the body: mode, median, mean or something between."""
    rv = _untruncated(op, params)
    point = distribution_support_point(op, rv, *rv.owner.inputs)
    # of the variable it may want the shape, and no draw
    shape = compute_batch_shape(params, ndims_params=op.ndims_params)
    (point,) = graph_replace([point], {rv: pt.zeros(shape, dtype=rv.dtype)}, strict=False)
    return point


@singledispatch
def given(op, *params):
    """The parameters by name, for an error: as the log-density registered above calls them."""
    own = log_density.dispatch(type(op))
    names = [f"parameter {i + 1}" for i in range(len(params))]
    if own is not log_density.dispatch(object):
        _, _, _, _, *names = signature(own).parameters
    return dict(zip(names, params, strict=True))


def _untruncated(op, params):
    """A variable of the untruncated law, to ask things about."""
    dispatch.refuse_without_density(op)
    if isinstance(op, SymbolicRandomVariable):
        # a short constant such as 0.5 is a float32 to it, and only that
        types = [op.input_types[i] for i in dispatch.parameter_indices(op)]
        params = [x.astype(of.dtype) for x, of in zip(params, types, strict=True)]
    node = op.make_node(*dispatch.base_inputs(op, pt.random.shared_rng(seed=None), params))
    return node.outputs[op.default_output or 0]


@dispatch.support.register(object)
def general_support(op, *params):
    """Edges of the support that the default transform of a family's Op says."""
    rv = _untruncated(op, params)
    transform = default_transform(op, rv)
    if transform is transforms.log:
        return 0.0, np.inf
    if transform is transforms.logodds:
        return 0.0, 1.0
    if transform is transforms.circular:
        return -np.pi, np.pi
    if isinstance(transform, transforms.Interval):
        edges = transform.args_fn(*rv.owner.inputs)
        return tuple(
            infinite if edge is None else edge
            for edge, infinite in zip(edges, (-np.inf, np.inf), strict=True)
        )
    return -np.inf, np.inf


@dispatch.log_interval_mass.register(object)
def general_log_interval_mass(op, lower, upper, *params):
    """Log P(lower <= X <= upper) by quadrature."""
    _refuse_counts(op)
    rule = _for_rule(op, upper, params)
    return quadrature.log_interval_mass(
        rule,
        lower,
        upper,
        centre(op, *params),
        legal=_legal(op, lower, upper, params),
        name=dispatch.family_name(op),
        parameters=given(op, *params),
    )


def general_truncated_logp(op, value, lower, upper, *params):
    """Log-density at a value between the bounds, of the same formula as the mass below it."""
    # what the upper bound is for is a distance, which it cancels out of
    at = stop_gradient(upper)
    numerator = log_density_at_value(op, value, at, at - value, *params)
    return numerator - general_log_interval_mass(op, lower, upper, *params)


@dispatch.truncated_quantile.register(object)
def general_truncated_quantile(op, q, lower, upper, *params, with_derivatives=True):
    """Quantile of the truncated law by quadrature."""
    _refuse_counts(op)
    rule = _for_rule(op, upper, params)
    return quadrature_quantile.quantile(
        rule,
        q,
        lower,
        upper,
        centre(op, *params),
        legal=_legal(op, lower, upper, params),
        name=dispatch.family_name(op),
        parameters=given(op, *params),
        with_derivatives=with_derivatives,
    )


@dispatch.truncated_draw.register(object)
def general_truncated_draw(op, q, lower, upper, *params):
    """The quantile; that of quadrature without derivatives, which a draw has no need of."""
    own = dispatch.truncated_quantile.dispatch(type(op))
    if own is not dispatch.truncated_quantile.dispatch(object):
        return own(op, q, lower, upper, *params)
    return general_truncated_quantile(op, q, lower, upper, *params, with_derivatives=False)


def _refuse_counts(op):
    """Raise for a discrete family, which has no integral."""
    if dispatch.is_discrete(op):
        name = dispatch.family_name(op)
        raise NotImplementedError(
            f"A truncated {name} is not implemented: it is discrete, and not of PyMC's own. "
            "pm.Truncated takes it as it is where it has a logcdf=, with PyMC's digits. Between "
            f"finite bounds, pm.Categorical of p = exp(logp(lower)), ..., exp(logp(upper)) over "
            "their sum is the law of x - lower."
        )


def _legal(op, lower, upper, params):
    """Whether there is a law to be resolved; where there is none, another check says why."""
    conditions, _ = dispatch.legal(op, *params)
    return pt.all([pt.all(condition) for condition in (*conditions, lower < upper)])


def _for_rule(op, upper, params):
    """The log-density as a rule calls it, which adds three axes to the batch."""
    upper, *params = (pt.shape_padright(x, 3) for x in (stop_gradient(upper), *params))
    return lambda x, to_upper: log_density(op, x, upper, to_upper, *params)
