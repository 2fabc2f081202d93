"""Tensor functions of the truncated normal, exact in the body, the tails and narrow intervals."""

import numpy as np
import pytensor.tensor as pt
from pytensor import config
from pytensor.tensor.basic import get_underlying_scalar_constant_value
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.exceptions import NotScalarConstantError
from pytensor.tensor.variable import TensorVariable

from pymc_safetrunc.ops import truncated_normal as ops

__all__ = ["truncated_normal_logpdf", "truncated_normal_mean"]

_normalizer = Elemwise(ops.normalizer)
_log_density = Elemwise(ops.log_density)


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

    All arguments broadcast against one another.

    Returns
    -------
    TensorVariable
        Of the arguments' joint shape and floating dtype, computed in float64. NaN where the
        parameters are not legal.

    Notes
    -----
    Derivatives in all five arguments to second order. Measured errors are in
    ``benchmarks/RESULTS.md``; the formula is in `pymc_safetrunc.kernels.truncated_normal`.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc_safetrunc as pst
    >>> pst.math.truncated_normal_logpdf(10.5, 0, 1, 10, np.inf).eval().round(12)
    np.float64(-2.812653382692)
    """
    arguments = [as_argument(v) for v in (x, mu, sigma, lower, upper)]
    dtype = result_dtype(*arguments)
    x, mu, sigma, lower, upper = (v.astype("float64") for v in arguments)
    anchor, log_mass, *_ = _normalizer(mu, sigma, lower, upper)
    inside = _log_density(x, mu, sigma, anchor, log_mass)
    outside = [
        comparison
        for comparison, bound in ((x < lower, lower), (x > upper, upper))
        if not is_infinite_constant(bound)
    ]
    if outside:
        inside = pt.switch(pt.or_(*outside) if len(outside) == 2 else outside[0], -np.inf, inside)
    return inside.astype(dtype)


def truncated_normal_mean(mu, sigma, lower, upper) -> TensorVariable:
    r"""Mean of a normal law truncated to [lower, upper].

    Parameters
    ----------
    mu, sigma : tensor_like
        Mean and standard deviation of the normal law before truncation; sigma > 0.
    lower, upper : tensor_like
        Bounds, lower < upper. Either may be infinite.

    All arguments broadcast against one another.

    Returns
    -------
    TensorVariable
        Of the arguments' joint shape and floating dtype, computed in float64, in the unit of mu.
        NaN where the parameters are not legal.

    Notes
    -----
    Formed as a distance from the near bound, so that it keeps its digits in a tail. First
    derivatives in all four arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc_safetrunc as pst
    >>> pst.math.truncated_normal_mean(0, 1, 10, np.inf).eval().round(12)
    np.float64(10.098093233963)
    """
    arguments = [as_argument(v) for v in (mu, sigma, lower, upper)]
    mu, sigma, lower, upper = (v.astype("float64") for v in arguments)
    anchor, _, mean_distance, *_ = _normalizer(mu, sigma, lower, upper)
    # the anchor is a frame, so that the mean moves with it only through the distance
    return (anchor + sigma * mean_distance).astype(result_dtype(*arguments))


def as_argument(value) -> TensorVariable:
    """Tensor of a value; a Python float is a floatX, where PyTensor may make it a float32."""
    return pt.as_tensor_variable(value, dtype=config.floatX if type(value) is float else None)


def result_dtype(*arguments: TensorVariable) -> str:
    """Floating dtype of a function of the arguments: float32 only if none asks for more."""
    joint = np.result_type(*(v.dtype for v in arguments))
    return str(joint) if joint.kind == "f" else "float64"


def is_infinite_constant(bound: TensorVariable) -> bool:
    """Whether a bound is known to be infinite before anything is computed."""
    try:
        return bool(np.isinf(get_underlying_scalar_constant_value(bound)))
    except NotScalarConstantError:
        return False
