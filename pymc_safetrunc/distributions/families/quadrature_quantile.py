r"""Quantiles of a density truncated to an interval, by the rule that integrates it.

The panel that holds a quantile is found from the masses of the panels, and the place in it from the
integral of the polynomial through its nodes. Derivatives are those of an implicit function: where
F is the probability below x, p the density, and x is held at the quantile q of the parameters t,

.. math:: dx = (dq - \partial F(x; t)/\partial t \, dt)/p(x)

and the same polynomial gives that of F. Only what asks for a derivative has need of them: a draw
does without.
"""

from typing import Any, NamedTuple

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.dist_math import check_parameters

from pymc_safetrunc.distributions.families.quadrature import (
    LogDensity,
    Rule,
    ends_of,
    interval_rule,
    trailing,
    unresolved,
)
from pymc_safetrunc.kernels.quadrature import LEGENDRE, RIGHT_OF
from pymc_safetrunc.ops.quadrature import place_of_share, stop_gradient
from pymc_safetrunc.ops.resolution import check_resolved

# The least quantile: what a draw can ask for, half the spacing of uniform numbers.
LEAST_Q = np.float64(2.0**-54)
# exp of it is finite: a step of 0 is multiplied by a slope.
MOST_LOG_SLOPE = np.float64(700.0)


class Place(NamedTuple):
    """Where a quantile is: held fixed."""

    u: Any
    is_right: Any  # of the cut
    x: Any
    to_upper: Any


def quantile(
    log_density: LogDensity,
    q,
    lower,
    upper,
    centre,
    *,
    legal=np.True_,
    name="The distribution",
    parameters=None,
    with_derivatives=True,
):
    """Return the quantile q of a density truncated to [lower, upper], inside the bounds.

    The arguments are those of `log_interval_mass`. The probability below the quantile is q to 1e-9.
    It has first derivatives in q, the bounds and what the log-density depends on; without them it
    costs less, and nothing of the size of the rule for each q.

    Raises
    ------
    pymc.logprob.utils.ParameterValueError
        When the rule has not resolved the density, or q is below `LEAST_Q`, where the window ends.
    """
    q, lower, upper, centre = (pt.as_tensor_variable(x) for x in (q, lower, upper, centre))
    rule = interval_rule(log_density, lower, upper, centre)
    illegal = pt.invert(legal)
    low, high = pt.broadcast_arrays(lower, upper)
    ends = ends_of(log_density, rule, low, high)
    q = check_parameters(
        q,
        pt.invert(q < LEAST_Q),
        msg=f"q is at least {LEAST_Q:.1e} for {name}, whose quantiles come from quadrature. "
        "For a smaller one truncate at a bound closer to it",
        can_be_replaced_by_ninf=False,
    )
    # what lies beyond the nodes is drawn as the outermost point
    above = ends.tails[..., 1]
    below = check_resolved(
        ends.tails[..., 0],
        (rule.is_resolved & ends.is_resolved) | illegal,
        unresolved(name),
        {**(parameters or {}), "lower": lower, "upper": upper},
        can_be_replaced_by_ninf=False,
    )
    share = q * (1 + below + above) - below
    first, last = ends.outermost[..., 0], ends.outermost[..., 1]
    place = place_of(rule, share)
    x = place.x
    if with_derivatives:
        log_here = log_density(trailing(x[..., None]), trailing(place.to_upper[..., None]))
        log_here = stop_gradient(log_here)[..., 0, 0, 0]
        log_mass = stop_gradient(rule.log_mass)
        x = x + step_of(share - share_below(rule, place), log_mass - log_here)
        for bound, weight, end in ((low, 1 - q, 0), (high, q, 1)):
            known = pt.switch(pt.isinf(bound), 0.0, bound)
            log_ratio = stop_gradient(ends.log_density[..., end]) - log_here
            x = x + stop_gradient(weight) * step_of(known, log_ratio)
    return pt.switch(share < 0, first, pt.switch(share > 1, last, x))


def place_of(rule: Rule, share) -> Place:
    """Where the share of the rule's integral is reached."""
    known = pt.clip(share, LEAST_Q, 1.0)
    series = (rule.share[..., None, :] * LEGENDRE).sum(-1)
    found = place_of_share(rule.edges, series, known[..., None])
    u, is_right = found[..., 0], found[..., 1] > 0
    x, to_upper, _ = (y[..., 0, 0] for y in rule.sides.at(trailing(u[..., None])))
    return Place(u, is_right, *(pt.switch(is_right, y[..., 1], y[..., 0]) for y in (x, to_upper)))


def share_below(rule: Rule, place: Place):
    """Share of the rule's integral below a place, with its derivatives in the integrand.

    It is counted from the far end of the side, as `place_of_share` does.
    """
    u = place.u[..., None, None]
    start, end = rule.edges[..., :-1], rule.edges[..., 1:]
    on_side = pt.eq(np.array([[False], [True]]), place.is_right[..., None, None])
    beyond = pt.switch(pt.and_(on_side, start >= u), rule.share.sum(-1), 0.0).sum((-2, -1))
    here = pt.and_(on_side, pt.and_(start < u, u <= end))
    s = pt.switch(here, 2 * (u - start) / (end - start) - 1, 0.0).sum((-2, -1))
    of_nodes = (s[..., None] ** np.arange(len(RIGHT_OF))) @ RIGHT_OF
    share_here = (here.astype("float64")[..., None, :] @ rule.share)[..., 0, :].sum(-2)
    beyond = (beyond + (of_nodes * share_here).sum(-1)) / rule.total
    return pt.switch(place.is_right, 1 - beyond, beyond)


def step_of(x, log_slope):
    """0, with the derivatives of x times the slope."""
    return (x - stop_gradient(x)) * pt.exp(pt.minimum(log_slope, MOST_LOG_SLOPE))
