"""`TruncatedNormal`, a drop-in for PyMC's that is exact wherever its bounds are."""

from difflib import get_close_matches

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.continuous import get_tau_sigma
from pymc.distributions.dist_math import (
    check_icdf_parameters,
    check_icdf_value,
    check_parameters,
)
from pymc.distributions.shape_utils import maybe_resize, rv_size_is_none
from pytensor import config
from pytensor.graph.basic import Constant

from pymc_safetrunc._upstream import default_transform, distribution_mean
from pymc_safetrunc.distributions.interval import SafeInterval, interior_point
from pymc_safetrunc.math import (
    as_argument,
    truncated_normal_icdf,
    truncated_normal_logcdf,
    truncated_normal_logpdf,
    truncated_normal_logsf,
    truncated_normal_mean,
)
from pymc_safetrunc.ops.truncated_normal_rv import SafeTruncatedNormalRV, safe_truncated_normal


class TruncatedNormal(pm.TruncatedNormal):
    r"""
    Normal distribution truncated to [lower, upper], exact in every region.

    .. math:: p(x) = \frac{\phi\big((x - \mu) / \sigma\big)}
              {\sigma\,\big(\Phi((u - \mu) / \sigma) - \Phi((l - \mu) / \sigma)\big)},
              \quad l \le x \le u

    Takes every argument of `pymc.TruncatedNormal` and can stand wherever that does. The
    log-density and its gradients in the value, mu, sigma and both bounds are exact to rounding in
    the body, in either tail however far, and between bounds however near. A bound may be infinite
    in any way: None, a constant, ``pm.Data``, a shared variable, an entry of an array beside
    finite ones, another variable's value.

    Parameters
    ----------
    mu : tensor_like of float, default 0
        Mean of the normal distribution before truncation.
    sigma : tensor_like of float, optional
        Its standard deviation (sigma > 0). Defaults to 1 if tau is not given either.
    tau : tensor_like of float, optional
        Its precision, 1/sigma^2, in place of sigma.
    lower : tensor_like of float, default -inf
        Lower bound, in the unit of mu.
    upper : tensor_like of float, default inf
        Upper bound, in the unit of mu.

    Raises
    ------
    ValueError
        When constant bounds are equal or upside down, or have None among their entries.
    TypeError
        For an argument it does not know, or one that is not made of real numbers.
    pymc.logprob.utils.ParameterValueError
        When the log-density is evaluated outside a model with sigma <= 0, lower >= upper or a
        parameter that is NaN. Inside a model the log-density is then -inf, as in PyMC.

    Notes
    -----
    The support point is the distribution's mean, moved inside the bounds if it rounds to one.
    Measured errors and timings are in ``benchmarks/RESULTS.md``.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc as pm
    >>> import pymc_safetrunc as pst
    >>> with pm.Model() as model:
    ...     sigma = pm.InverseGamma("sigma", 2, 3)
    ...     upper = pm.Data("upper", np.inf)
    ...     v = pst.TruncatedNormal("v", mu=0, sigma=sigma, lower=0, upper=upper)
    >>> bool(np.isfinite(model.compile_dlogp()(model.initial_point())).all())
    True
    """

    rv_op = safe_truncated_normal

    @classmethod
    def dist(cls, mu=0, sigma=None, *, tau=None, lower=None, upper=None, **kwargs):
        """Make an unnamed TruncatedNormal, as in `pymc.Distribution.dist`."""
        refuse_unknown("TruncatedNormal", ARGUMENTS, kwargs)
        _, sigma = get_tau_sigma(tau=as_float("tau", tau), sigma=as_float("sigma", sigma))
        lower, upper = as_bounds(lower, upper)
        refuse_empty_interval(lower, upper)
        mu = as_real("mu", mu)
        return super(pm.TruncatedNormal, cls).dist([mu, sigma, lower, upper], **kwargs)

    def support_point(rv, size, mu, sigma, lower, upper):  # noqa: D102
        mu, sigma, lower, upper = pt.broadcast_arrays(mu, sigma, lower, upper)
        point = interior_point(
            truncated_normal_mean(mu, sigma, lower, upper), lower, upper, rv.dtype
        )
        return point if rv_size_is_none(size) else pt.full(size, point)

    def logp(value, mu, sigma, lower, upper):  # noqa: D102
        logp = truncated_normal_logpdf(value, mu, sigma, lower, upper)
        return check_parameters(logp, *legal(mu, sigma, lower, upper), msg=LEGAL)

    def logcdf(value, mu, sigma, lower, upper):  # noqa: D102
        logcdf = truncated_normal_logcdf(value, mu, sigma, lower, upper)
        return check_parameters(logcdf, *legal(mu, sigma, lower, upper), msg=LEGAL)

    def logccdf(value, mu, sigma, lower, upper):  # noqa: D102
        logccdf = truncated_normal_logsf(value, mu, sigma, lower, upper)
        return check_parameters(logccdf, *legal(mu, sigma, lower, upper), msg=LEGAL)

    def icdf(value, mu, sigma, lower, upper):  # noqa: D102
        icdf = truncated_normal_icdf(value, mu, sigma, lower, upper)
        icdf = check_icdf_value(icdf, value)
        return check_icdf_parameters(icdf, *legal(mu, sigma, lower, upper), msg=LEGAL)


ARGUMENTS = ("mu", "sigma", "tau", "lower", "upper")
# what `Distribution.dist` and a random variable's Op take
KNOWN = {"shape", "size", "rng", "dtype", "name", "ndim_supp", "return_next_rng"}

# and what a variable of a model takes
OF_VARIABLES = ("observed", "dims", "initval", "shape", "size", "transform", "total_size")

LEGAL = "mu is finite, 0 < sigma < inf, lower < upper"


def legal(mu, sigma, lower, upper):
    """Conditions under which the parameters define a law: what the message `LEGAL` says."""
    return pt.isfinite(mu), sigma > 0, pt.isfinite(sigma), lower < upper


@distribution_mean.register(SafeTruncatedNormalRV)
def truncated_normal_distribution_mean(op, rv, rng, size, mu, sigma, lower, upper):
    """Mean of the distribution, for `pymc.distributions.moments.mean`."""
    return maybe_resize(truncated_normal_mean(mu, sigma, lower, upper), size)


@default_transform.register(SafeTruncatedNormalRV)
def truncated_normal_default_transform(op, rv):
    """Unconstrain by the bounds, whatever they turn out to be."""
    return SafeInterval(lambda rng, size, mu, sigma, lower, upper: (lower, upper))


def as_real(name, value, *, may_be_none=False):
    """Tensor of real numbers, or an error that names the argument."""
    try:
        tensor = as_argument(value)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise _not_real(name, value, may_be_none) from error
    if np.dtype(tensor.dtype).kind not in "biuf":
        raise _not_real(name, value, may_be_none)
    return tensor


def _not_real(name, value, may_be_none):
    return TypeError(
        f"{name}={value!r:.200} is not a real number. {name} takes a number, an array of numbers, "
        f"data or another variable of the model{', or None' if may_be_none else ''}."
    )


def as_float(name, value):
    """Tensor of a number, of floatX where it is an integer; None stays None."""
    if value is None:
        return None
    tensor = as_real(name, value, may_be_none=True)
    if tensor.dtype.startswith("float"):
        return tensor
    # a constant stays one, and is printed as its number
    if isinstance(tensor, Constant):
        return pt.constant(tensor.data, dtype=config.floatX)
    return tensor.astype(config.floatX)


def as_bounds(lower, upper):
    """Tensors of two bounds; None is none on that side."""
    for name, bound, infinite in (("lower", lower, "-np.inf"), ("upper", upper, "np.inf")):
        if _has_none(bound):
            raise ValueError(
                f"{name} has None among its entries: {name}={bound!r}. An entry is a number; where "
                f"there is no bound write {infinite}."
            )
    return (
        as_real("lower", -np.inf if lower is None else lower, may_be_none=True),
        as_real("upper", np.inf if upper is None else upper, may_be_none=True),
    )


def _has_none(entries):
    if isinstance(entries, np.ndarray):
        return entries.dtype == object and any(x is None for x in entries.flat)
    return isinstance(entries, list | tuple) and any(x is None or _has_none(x) for x in entries)


def refuse_unknown(distribution, arguments, given):
    """Raise for an argument that PyTensor would pass over: a misspelled bound is none."""
    for name in given:
        if name not in KNOWN:
            near = get_close_matches(name, [*arguments, *OF_VARIABLES], n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TypeError(
                f"{distribution} got an unexpected argument {name!r}.{hint} It takes "
                f"{', '.join(arguments)}, and what every distribution takes."
            )


def refuse_empty_interval(lower, upper):
    """Raise where constant bounds leave nothing between them, naming both values."""
    if not (isinstance(lower, Constant) and isinstance(upper, Constant)):
        return
    low, high = np.broadcast_arrays(lower.data, upper.data)
    empty = ~(low < high)
    if not empty.any():
        return
    index = tuple(int(i) for i in np.argwhere(empty)[0])
    low, high = low[index], high[index]
    entry = f" in entry {index}" if index else ""
    given = f"The truncation interval is empty{entry}: lower={low}, upper={high}. "
    if np.isnan(low) or np.isnan(high):
        raise ValueError(given + "A bound must be a number; for no bound on a side leave it out.")
    raise ValueError(
        given + "lower must be less than upper; if the two are swapped, exchange them, and for no "
        "bound on a side leave it out (None)."
    )
