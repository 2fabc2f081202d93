"""Twins of the safe distributions with named dimensions, as in `pymc.dims`."""

import numpy as np
import pymc.dims as pmd
import pytensor.tensor as pt
import pytensor.xtensor.random as pxr
from pymc.dims.distributions.transforms import IntervalTransform
from pymc.util import UNSET
from pytensor.xtensor import as_xtensor
from pytensor.xtensor.basic import xtensor_from_tensor
from pytensor.xtensor.type import XTensorConstant
from xarray import DataArray, broadcast

from pymc_safetrunc.distributions.interval import SafeInterval
from pymc_safetrunc.distributions.truncated_normal import refuse_empty_interval
from pymc_safetrunc.ops.truncated_normal_rv import safe_truncated_normal

__all__ = ["TruncatedNormal"]


class SafeDimInterval(IntervalTransform):
    """`SafeInterval` for variables with named dimensions; bounds are constants, as in PyMC's."""

    def __init__(self, lower, upper):
        for side, bound in (("lower", lower), ("upper", upper)):
            if not isinstance(bound, XTensorConstant):
                raise NotImplementedError(
                    f"The {side} bound of a variable that is sampled must be a constant when its "
                    f"dimensions are named, as in pymc.dims; given: {bound}. For bounds that "
                    "change write pymc_safetrunc.TruncatedNormal, or give a transform."
                )
        super().__init__(lower, upper)

    def apply(self, method, value):
        """Lay the bounds out along the value's dimensions, and leave the rest to SafeInterval."""
        value = as_xtensor(value)
        bounds = [bound.broadcast_like(value) for bound in (self.lower, self.upper)]
        lower, upper = (bound.transpose(*value.dims).values for bound in bounds)
        transform = SafeInterval(lambda: (lower, upper))
        result = getattr(transform, method)(value.values)
        return xtensor_from_tensor(result, dims=value.dims)

    def forward(self, value, *inputs):
        """Take a value inside the bounds to the real line."""
        return self.apply("forward", value)

    def backward(self, value, *inputs):
        """Take a real number to a value inside the bounds."""
        return self.apply("backward", value)

    def log_jac_det(self, value, *inputs):
        """Log of the derivative of `backward`."""
        return self.apply("log_jac_det", value)


class TruncatedNormal(pmd.TruncatedNormal):
    """
    `pymc_safetrunc.TruncatedNormal` with named dimensions.

    Takes every argument of `pymc.dims.TruncatedNormal` and can stand wherever that does.

    Parameters
    ----------
    mu : xtensor_like of float, default 0
        Mean of the normal distribution before truncation.
    sigma : xtensor_like of float, optional
        Its standard deviation (sigma > 0). Defaults to 1 if tau is not given either.
    tau : xtensor_like of float, optional
        Its precision, 1/sigma^2, in place of sigma.
    lower, upper : xtensor_like of float, optional
        Bounds; no bound where one is None or infinite, throughout or in some entries. A variable
        that is sampled needs constant bounds, as in PyMC, unless it gets a transform of its own.

    Raises
    ------
    ValueError
        When constant bounds are equal or upside down, or an array comes without named dimensions.
    NotImplementedError
        When a variable that is sampled has bounds that are not constant.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc as pm
    >>> import pymc.dims as pmd
    >>> import pymc_safetrunc as pst
    >>> with pm.Model(coords={"star": range(3)}) as model:
    ...     limit = pmd.as_xtensor(np.array([1.0, 2.0, np.inf]), dims=("star",))
    ...     flux = pst.dims.TruncatedNormal("flux", mu=0, sigma=1, lower=0, upper=limit)
    >>> bool(np.isfinite(model.compile_dlogp()(model.initial_point())).all())
    True
    """

    xrv_op = pxr.as_xrv(safe_truncated_normal)

    def __new__(
        cls,
        name,
        *args,
        lower=None,
        upper=None,
        default_transform=UNSET,
        transform=UNSET,
        observed=None,
        **kwargs,
    ):
        """Add the variable to the model on the context stack."""
        lower, upper = _bound(lower, -np.inf), _bound(upper, np.inf)
        if observed is None and default_transform is UNSET and transform is UNSET:
            default_transform = SafeDimInterval(lower, upper)
        elif default_transform is UNSET:
            # PyMC's would be made, and refuse bounds that are not constant
            default_transform = None
        return super().__new__(
            cls,
            name,
            *args,
            lower=lower,
            upper=upper,
            default_transform=default_transform,
            transform=transform,
            observed=observed,
            **kwargs,
        )

    @classmethod
    def dist(cls, mu=0, sigma=None, *, tau=None, lower=None, upper=None, **kwargs):
        """Make an unnamed TruncatedNormal."""
        lower, upper = _bound(lower, -np.inf), _bound(upper, np.inf)
        _refuse_empty_interval(lower, upper)
        return super().dist(mu, sigma, tau=tau, lower=lower, upper=upper, **kwargs)


def _bound(bound, missing):
    """Give an xtensor for a bound, infinite for one that is missing."""
    try:
        return as_xtensor(missing if bound is None else bound)
    except TypeError as error:
        raise ValueError(
            f"The bound {bound} has no named dimensions. Write pymc.dims.as_xtensor(bound, "
            "dims=...), or give an xarray.DataArray."
        ) from error


def _refuse_empty_interval(lower, upper):
    """Raise where constant bounds leave nothing between them."""
    if all(isinstance(bound, XTensorConstant) for bound in (lower, upper)):
        arrays = [DataArray(bound.data, dims=bound.dims) for bound in (lower, upper)]
        refuse_empty_interval(*(pt.constant(array.values) for array in broadcast(*arrays)))
