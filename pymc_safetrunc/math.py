"""Tensor functions of the truncated normal, exact in the body, the tails and narrow intervals.

All arguments broadcast against one another and may be symbolic or numbers; the result is computed
in float64 and has the arguments' joint floating dtype. Every function has exact derivatives in
every argument. Errors are the largest measured against mpmath tables on any backend, as
``benchmarks/RESULTS.md`` lists them by backend.
"""

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor import config
from pytensor.tensor.basic import get_underlying_scalar_constant_value
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.exceptions import NotScalarConstantError
from pytensor.tensor.variable import TensorVariable

from pymc_safetrunc.kernels import log_interval
from pymc_safetrunc.ops import truncated_normal as ops

__all__ = [
    "log_ndtr",
    "log_ndtr_interval",
    "truncated_normal_icdf",
    "truncated_normal_logcdf",
    "truncated_normal_logpdf",
    "truncated_normal_logsf",
    "truncated_normal_mean",
    "truncated_normal_variance",
]

_normalizer: Any = Elemwise(ops.normalizer)
_curvature: Any = Elemwise(ops.curvature)
_log_density: Any = Elemwise(ops.log_density)
_distance: Any = Elemwise(ops.distance)
_log_ndtr_interval: Any = Elemwise(ops.log_ndtr_interval)
_quantile: Any = Elemwise(ops.quantile)


def log_ndtr(x) -> TensorVariable:
    r"""Log of the standard normal CDF, :math:`\log\Phi(x)`.

    Parameters
    ----------
    x : tensor_like
        Any number, infinite ones included.

    Returns
    -------
    TensorVariable
        Of the shape of x, relative to itself: near 0 for large x, about -x^2/2 for small.

    Notes
    -----
    Measured error: 7e-16 of the result, 8e-16 of its derivative.

    Examples
    --------
    >>> import pymc_safetrunc as pst
    >>> float(pst.math.log_ndtr(-40.0).eval().round(9))
    -804.608442014
    """
    return log_ndtr_interval(-np.inf, x)


def log_ndtr_interval(a, b, mu=0.0, sigma=1.0) -> TensorVariable:
    r"""Log of the normal probability of [a, b].

    .. math:: \log\big(\Phi((b - \mu) / \sigma) - \Phi((a - \mu) / \sigma)\big)

    For interval-censored or rounded data: the log-likelihood of an observation that is known to
    lie between two limits.

    Parameters
    ----------
    a, b : tensor_like
        Limits, a < b; either may be infinite, also in some entries of an array alone. -inf where
        they are equal, NaN where a > b.
    mu, sigma : tensor_like
        Mean and standard deviation, in the unit of a and b; sigma > 0. Without them a and b are
        limits of a standard normal variable.

    Returns
    -------
    TensorVariable
        Of the arguments' joint shape.

    Notes
    -----
    Leave the standardisation to the function where a limit may be infinite: the derivative of
    ``(a - mu) / sigma`` in sigma is then infinite, and 0 times it is NaN. It would also lose the
    width of a narrow interval, which is taken here from a and b themselves.

    Measured error: 9e-16 of the result, 4e-15 of a derivative, both for limits of a standard
    normal variable.

    Examples
    --------
    >>> import pymc_safetrunc as pst
    >>> float(pst.math.log_ndtr_interval(30.0, 31.0).eval().round(9))
    -454.321243956

    A length that was read as 3 from a ruler with marks at whole numbers, and one beyond its end:

    >>> pst.math.log_ndtr_interval([2.5, 10], [3.5, float("inf")], 4.0, 2.0).eval().round(6)
    array([-1.744878, -6.607726])
    """
    (a, b, mu, sigma), dtype = _arguments(a, b, mu, sigma)
    narrow = pt.and_(a < b, b - a < _NARROW * sigma)
    limits = pt.switch(narrow, -np.inf, a), pt.switch(narrow, np.inf, b)
    wide = _log_ndtr_interval(*(_standardised(limit, mu, sigma) for limit in limits))
    # where a and b differ by little, by the density at a point between them
    limits = pt.switch(narrow, a, -np.inf), pt.switch(narrow, b, np.inf)
    anchor, log_mass, *_ = _normalizer(mu, sigma, *limits)
    log_density = -0.5 * _distance(anchor, mu, sigma) ** 2 - pt.log(sigma) - HALF_LOG_2PI
    return pt.switch(narrow, log_density + log_mass, wide).astype(dtype)


def truncated_normal_logpdf(x, mu, sigma, lower, upper) -> TensorVariable:
    r"""Log-density of a normal law truncated to [lower, upper].

    .. math:: \log p(x) = -\tfrac12 z^2 - \log\sigma - \tfrac12\log 2\pi
              - \log\big(\Phi(b) - \Phi(a)\big),\quad z, a, b = (x, l, u - \mu) / \sigma

    Parameters
    ----------
    x : tensor_like
        Where to evaluate. The log-density is -inf outside the bounds and NaN at NaN.
    mu, sigma : tensor_like
        Mean and standard deviation of the normal law before truncation, in the unit of x;
        sigma > 0.
    lower, upper : tensor_like
        Bounds, in the unit of x, lower < upper. Either may be infinite, wherever it comes from.

    Returns
    -------
    TensorVariable
        Of the arguments' joint shape. NaN where the parameters are not legal and x is not beyond a
        bound.

    Notes
    -----
    Derivatives in all five arguments to second order; the formula is in
    `pymc_safetrunc.kernels.truncated_normal`.

    Measured error: 7e-15 of the larger of the result and 1; 6e-13 of a derivative and 2e-12 of a
    second one, or of the size that it typically has, the root Fisher information.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc_safetrunc as pst
    >>> float(pst.math.truncated_normal_logpdf(10.5, 0, 1, 10, np.inf).eval().round(12))
    -2.812653382692
    """
    (x, mu, sigma, lower, upper), dtype = _arguments(x, mu, sigma, lower, upper)
    logp = truncated_normal_logpdf_inside(x, mu, sigma, lower, upper)
    if not is_infinite_constant(lower):
        logp = pt.switch(x < lower, -np.inf, logp)
    if not is_infinite_constant(upper):
        logp = pt.switch(x > upper, -np.inf, logp)
    return logp.astype(dtype)


def truncated_normal_logpdf_inside(x, mu, sigma, lower, upper) -> TensorVariable:
    """The same for float64 tensors, x known to be inside the bounds up to rounding."""
    anchor, log_mass, *_ = _normalizer(mu, sigma, lower, upper)
    return _log_density(x, mu, sigma, anchor, log_mass)


def truncated_normal_logpdf_less_x(x, mu, sigma, lower, upper) -> TensorVariable:
    """The same minus x, which for each x costs nothing more: a normal density about mu - sigma^2.

    With x = anchor + sigma s the two terms of s are -s (kappa + s/2) - sigma s.
    """
    anchor, log_mass, *_ = _normalizer(mu, sigma, lower, upper)
    return _log_density(x, mu - sigma**2, sigma, anchor, log_mass + anchor)


def truncated_normal_logcdf(x, mu, sigma, lower, upper) -> TensorVariable:
    """Log of P(X <= x) for a normal law truncated to [lower, upper].

    Parameters
    ----------
    x : tensor_like
        Where to evaluate: -inf up to the lower bound, 0 from the upper one, NaN at NaN.
    mu, sigma, lower, upper : tensor_like
        As in `truncated_normal_logpdf`.

    Returns
    -------
    TensorVariable
        Of the arguments' joint shape, relative to itself also where it is near 0.

    Notes
    -----
    Measured error: 5e-15 of the result beyond what the rounding of the arguments does to it, 5e-13
    of a derivative or of 1e-6/sigma.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc_safetrunc as pst
    >>> float(pst.math.truncated_normal_logcdf(10.5, 0, 1, 10, np.inf).eval().round(12))
    -0.00568422124
    """
    (x, mu, sigma, lower, upper), dtype = _arguments(x, mu, sigma, lower, upper)
    log_below, log_above, known, legal = _log_tails(x, mu, sigma, lower, upper)
    inside = pt.switch(log_below < log_above, log_below, _log1mexp(log_above))
    return pt.switch(known, inside, _beyond(x, lower, upper, legal, -np.inf, 0.0)).astype(dtype)


def truncated_normal_logsf(x, mu, sigma, lower, upper) -> TensorVariable:
    """Log of P(X > x) for a normal law truncated to [lower, upper].

    Parameters
    ----------
    x : tensor_like
        Where to evaluate: 0 up to the lower bound, -inf from the upper one, NaN at NaN.
    mu, sigma, lower, upper : tensor_like
        As in `truncated_normal_logpdf`.

    Returns
    -------
    TensorVariable
        Of the arguments' joint shape, relative to itself also where it is near 0.

    Notes
    -----
    Measured error: 5e-15 of the result beyond what the rounding of the arguments does to it, 5e-13
    of a derivative or of 1e-6/sigma.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc_safetrunc as pst
    >>> float(pst.math.truncated_normal_logsf(10.5, 0, 1, 10, np.inf).eval().round(12))
    -5.172901910561
    """
    (x, mu, sigma, lower, upper), dtype = _arguments(x, mu, sigma, lower, upper)
    log_below, log_above, known, legal = _log_tails(x, mu, sigma, lower, upper)
    inside = pt.switch(log_above < log_below, log_above, _log1mexp(log_below))
    return pt.switch(known, inside, _beyond(x, lower, upper, legal, 0.0, -np.inf)).astype(dtype)


def truncated_normal_icdf(q, mu, sigma, lower, upper) -> TensorVariable:
    """Quantile of a normal law truncated to [lower, upper]: the x with P(X <= x) = q.

    Parameters
    ----------
    q : tensor_like
        Probability in [0, 1]; NaN outside.
    mu, sigma, lower, upper : tensor_like
        As in `truncated_normal_logpdf`.

    Returns
    -------
    TensorVariable
        Of the arguments' joint shape, in the unit of mu, never outside the bounds.

    Notes
    -----
    Measured error: 3.7 units in the last place of the result or 8e-16 standard deviations of the
    law, whichever is larger.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc_safetrunc as pst
    >>> float(pst.math.truncated_normal_icdf(0.5, 0, 1, 10, np.inf).eval().round(12))
    10.068411836081
    """
    (q, mu, sigma, lower, upper), dtype = _arguments(q, mu, sigma, lower, upper)
    return _quantile(q, mu, sigma, lower, upper).astype(dtype)


def truncated_normal_mean(mu, sigma, lower, upper) -> TensorVariable:
    """Mean of a normal law truncated to [lower, upper].

    Parameters
    ----------
    mu, sigma, lower, upper : tensor_like
        As in `truncated_normal_logpdf`.

    Returns
    -------
    TensorVariable
        Of the arguments' joint shape, in the unit of mu: formed as a distance from an anchor in
        the interval, so that it keeps its digits in a tail.

    Notes
    -----
    Measured error: one unit in the last place of the result or 5e-14 standard deviations of the
    law, whichever is larger; 4e-13 of a derivative.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc_safetrunc as pst
    >>> float(pst.math.truncated_normal_mean(0, 1, 10, np.inf).eval().round(12))
    10.098093233963
    """
    (mu, sigma, lower, upper), dtype = _arguments(mu, sigma, lower, upper)
    anchor, log_mass, mean_distance, *_ = _normalizer(mu, sigma, lower, upper)
    # where the near bound is out of reach, it has all the mass
    anchor = pt.switch(pt.eq(log_mass, np.inf), pt.clip(mu, lower, upper), anchor)
    return (anchor + sigma * mean_distance).astype(dtype)


def truncated_normal_log_mean_exp(mu, sigma, lower, upper) -> TensorVariable:
    """Log of the mean of e^T, T normal and truncated to [lower, upper], of float64 tensors.

    The integral of e^t and the normal density is that of a normal density whose mean is sigma^2
    more: log masses about two anchors c, that of T and that of the other law, give

        log E[e^T] = c_0 + log_mass_1 - log_mass_0 - s (kappa_0 + s/2 - sigma),

    s = (c_1 - c_0)/sigma, where nothing large is subtracted: far in a tail both anchors are the
    near bound.
    """
    anchor, log_mass, *_ = _normalizer(mu, sigma, lower, upper)
    shifted_anchor, shifted_mass, *_ = _normalizer(mu + sigma * sigma, sigma, lower, upper)
    kappa, step = _distance(anchor, mu, sigma), _distance(shifted_anchor, anchor, sigma)
    return anchor + (shifted_mass - log_mass) - step * (kappa + 0.5 * step - sigma)


def truncated_normal_variance(mu, sigma, lower, upper) -> TensorVariable:
    """Variance of a normal law truncated to [lower, upper].

    Parameters
    ----------
    mu, sigma, lower, upper : tensor_like
        As in `truncated_normal_logpdf`.

    Returns
    -------
    TensorVariable
        Of the arguments' joint shape, in the unit of mu squared, relative to itself.

    Notes
    -----
    Measured error: 5e-15 of the result.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc_safetrunc as pst
    >>> float(pst.math.truncated_normal_variance(0, 1, 10, np.inf).eval().round(12))
    0.009445377826
    """
    (mu, sigma, lower, upper), dtype = _arguments(mu, sigma, lower, upper)
    variance, _, _ = _curvature(mu, sigma, lower, upper)
    return (sigma * (sigma * variance)).astype(dtype)


def is_infinite_constant(bound: TensorVariable) -> bool:
    """Whether a bound is known to be infinite before anything is computed."""
    try:
        return bool(np.isinf(get_underlying_scalar_constant_value(bound)))
    except NotScalarConstantError:
        return False


def as_argument(value) -> TensorVariable:
    """Tensor of a value. A Python float is a floatX, where PyTensor may make it a float32."""
    return pt.as_tensor_variable(value, dtype=config.floatX if type(value) is float else None)


def _arguments(*values) -> tuple[list[TensorVariable], str]:
    """The values as float64 tensors, and the floating dtype of a function of them."""
    tensors = [as_argument(value) for value in values]
    joint = np.result_type(*(tensor.dtype for tensor in tensors))
    return [t.astype("float64") for t in tensors], str(joint) if joint.kind == "f" else "float64"


def _standardised(limit, mu, sigma) -> TensorVariable:
    """(limit - mu) / sigma, with derivatives of 0 in mu and sigma where the limit is infinite."""
    if is_infinite_constant(limit):
        return limit
    infinite = pt.isinf(limit)
    # the branch that is not taken must be finite too: its derivative gets multiplied by 0
    return pt.switch(infinite, limit, (pt.switch(infinite, mu, limit) - mu) / sigma)


def _log_tails(x, mu, sigma, lower, upper):
    """Log mass of [lower, x] and [x, upper] in that of [lower, upper], where they exist, are legal.

    Each is a difference of log masses, corrected by the densities' ratio at the two anchors. The
    smaller of the two has all its digits; the other's digits are in log1p(-exp(smaller)).
    A mass whose near bound is out of reach, the log of which is inf, is nothing beside another;
    where that of the whole interval is, all is at its near bound.
    """
    known = pt.and_(lower < x, x < upper)
    whole = _normalizer(mu, sigma, lower, upper)
    # elsewhere the whole line stands in, so that no NaN is behind the branch not taken
    below = _normalizer(mu, sigma, pt.switch(known, lower, -np.inf), pt.switch(known, x, np.inf))
    above = _normalizer(mu, sigma, pt.switch(known, x, -np.inf), pt.switch(known, upper, np.inf))
    kappa = _distance(whole[0], mu, sigma)

    unreached = pt.eq(whole[1], np.inf)

    def log_share(part, if_unreached):
        step = _distance(part[0], whole[0], sigma)
        nothing = pt.eq(part[1], np.inf)
        difference = pt.switch(nothing, 0, part[1]) - pt.switch(unreached, 0, whole[1])
        share = pt.switch(nothing, -np.inf, difference - step * (kappa + 0.5 * step))
        return pt.switch(unreached, if_unreached, share)

    at_lower = mu < lower
    log_below = log_share(below, pt.switch(at_lower, 0.0, -np.inf))
    log_above = log_share(above, pt.switch(at_lower, -np.inf, 0.0))
    return log_below, log_above, known, pt.invert(pt.isnan(whole[1]))


def _log1mexp(x):
    """log(1 - exp(x)) of the larger tail, kept finite where it is not used."""
    return pt.log1mexp(pt.minimum(x, -_LEAST_LARGER_TAIL))


# In sigmas: derivatives in mu and sigma that are sums over the two limits lose a digit from here.
_NARROW = np.float64(0.1)
HALF_LOG_2PI = np.float64(log_interval.HALF_LOG_2PI)
# The smaller tail's log is at most log(1/2), up to rounding.
_LEAST_LARGER_TAIL = np.float64(0.5)


def _beyond(x, lower, upper, legal, at_lower, at_upper):
    """The value at and beyond the bounds; NaN where x is or the parameters are not legal."""
    value = pt.switch(x <= lower, at_lower, pt.switch(x >= upper, at_upper, np.nan))
    return pt.switch(legal, value, np.nan)
