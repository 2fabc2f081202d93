"""Make PyMC's own TruncatedNormal and Truncated safe, and undo it.

PyMC finds the log-density of a variable, its support point and the rest by dispatch on the type of
its Op. Installing registers the functions of this package's types for PyMC's as well, so models
that exist already change with it. What PyMC does by methods (draws, the interval transforms, the
construction of a Truncated) is replaced on its classes.
"""

import logging
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pymc as pm
from pymc.distributions.continuous import TruncatedNormalRV
from pymc.distributions.truncated import TruncatedRV
from pymc.logprob.transforms import IntervalTransform
from pytensor.graph.basic import Constant
from pytensor.link.numba.dispatch.random import numba_core_rv_funcify

from pymc_safetrunc._import_hook import call_after
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
from pymc_safetrunc.distributions.interval import SafeInterval
from pymc_safetrunc.distributions.truncated import SafeTruncatedRV, Truncated
from pymc_safetrunc.ops.truncated_normal_rv import SafeTruncatedNormalRV

_log = logging.getLogger(__name__)

# PyMC's type -> the type of this package whose functions it takes over.
ADOPTED = {TruncatedNormalRV: SafeTruncatedNormalRV, TruncatedRV: SafeTruncatedRV}
DISPATCHES = [
    default_transform,
    distribution_icdf,
    distribution_logccdf,
    distribution_logcdf,
    distribution_logp,
    distribution_mean,
    distribution_resize,
    distribution_support_point,
    numba_core_rv_funcify,
]

_undo: list[Callable[[], None]] = []


def install() -> None:
    """
    Make ``pm.TruncatedNormal`` and ``pm.Truncated`` those of this package, until `uninstall`.

    What PyMC builds on them (hurdle distributions, ``pymc.dims``) becomes safe as well. The
    log-density, its gradients, the log CDF, the quantile, the starting point, the unconstraining
    transform and the draws of a TruncatedNormal are safe in models built before, too; draws of a
    Truncated, and families that PyMC cannot truncate, in models built from then on. Functions
    compiled before keep what they were compiled with. To install twice is to install once.

    Examples
    --------
    >>> import pymc as pm
    >>> import pymc_safetrunc as pst
    >>> delay = pm.Truncated.dist(pm.Gamma.dist(2, 1), lower=50, upper=60)
    >>> pst.install()
    >>> round(float(pm.logp(delay, 51.0).eval()), 6)
    -0.999946
    >>> pst.uninstall()
    """
    if _undo:
        return
    for theirs, ours in ADOPTED.items():
        for dispatch in DISPATCHES:
            _adopt(dispatch, theirs, ours)
    _replace(TruncatedNormalRV, "rng_fn", SafeTruncatedNormalRV.rng_fn)
    _replace(pm.Truncated, "dist", _safe_construction())
    for method in ("forward", "backward", "log_jac_det"):
        _replace(IntervalTransform, method, _safe_where_needed(method))
    for theirs in ADOPTED:
        _replace(theirs, "__reduce_ex__", _reduce(theirs))
    call_after("pymc_safetrunc.backends.jax", _install_jax)
    call_after("pymc.dims.distributions.transforms", _install_dims)
    _log.info("pm.TruncatedNormal and pm.Truncated are those of pymc_safetrunc now.")


def uninstall() -> None:
    """
    Give PyMC its own TruncatedNormal and Truncated back.

    Every function that PyMC had is back, the same object; what others registered since
    `install` is left alone. Without `install` before it, nothing happens.

    Examples
    --------
    >>> import pymc_safetrunc as pst
    >>> pst.install()
    >>> pst.uninstall()
    >>> pst.is_installed()
    False
    """
    if not _undo:
        return
    while _undo:
        _undo.pop()()
    _log.info("pm.TruncatedNormal and pm.Truncated are PyMC's own again.")


def is_installed() -> bool:
    """
    Whether ``pm.TruncatedNormal`` and ``pm.Truncated`` are those of this package.

    Examples
    --------
    >>> import pymc_safetrunc as pst
    >>> pst.is_installed()
    False
    """
    return bool(_undo)


@contextmanager
def installed() -> Iterator[None]:
    """
    Install for the duration of a ``with`` block.

    Inside a block, or after `install`, it changes nothing.

    Examples
    --------
    >>> import pymc_safetrunc as pst
    >>> with pst.installed():
    ...     pst.is_installed()
    True
    >>> pst.is_installed()
    False
    """
    before = is_installed()
    install()
    try:
        yield
    finally:
        if not before:
            uninstall()


def _adopt(dispatch: Any, theirs: type, ours: type) -> None:
    """Let PyMC's type use what is registered for ours."""
    function = dispatch.registry.get(ours)
    if function is None:
        return
    # PyMC's own, or what its type inherits: a registration cannot be removed, only be replaced
    before = dispatch.dispatch(theirs)

    def adopted(op, *args, **kwargs):
        try:
            return function(op, *args, **kwargs)
        except NotImplementedError:
            # a family this package refuses and PyMC does not
            return before(op, *args, **kwargs)

    dispatch.register(theirs, adopted)

    def undo():
        if dispatch.registry[theirs] is adopted:
            dispatch.register(theirs, before)

    _undo.append(undo)


def _replace(owner: type, name: str, value: Any) -> None:
    """Put an attribute of a class in place of its own, or of what it inherits."""
    absent = object()
    previous = owner.__dict__.get(name, absent)
    setattr(owner, name, value)

    def undo():
        if owner.__dict__.get(name) is not value:
            return
        if previous is absent:
            delattr(owner, name)
        else:
            setattr(owner, name, previous)

    _undo.append(undo)


def _safe_construction() -> classmethod:
    """Make pm.Truncated the safe one, which itself builds on PyMC's."""
    own = pm.Truncated.__dict__["dist"].__func__

    def dist(cls, dist, lower=None, upper=None, max_n_steps: int = 10_000, **kwargs):
        """Make an unnamed Truncated."""
        arguments = {"lower": lower, "upper": upper, "max_n_steps": max_n_steps, **kwargs}
        if not issubclass(cls, Truncated):
            try:
                return Truncated.dist(dist, **arguments)
            except NotImplementedError:
                # a family this package refuses and PyMC may not
                pass
        return own(cls, dist, **arguments)

    return classmethod(dist)


def _safe_where_needed(method: str) -> Callable:
    """Give the method of PyMC's interval transform that takes bounds infinite at run time."""
    own = IntervalTransform.__dict__[method]

    def safe(self, value, *inputs):
        bounds = self.args_fn(*inputs)
        if any(bound is None for bound in bounds) or all(_is_finite(bound) for bound in bounds):
            return own(self, value, *inputs)
        return getattr(SafeInterval(self.args_fn), method)(value, *inputs)

    return safe


def _is_finite(bound) -> bool:
    """Whether a bound is known to be finite."""
    if isinstance(bound, Constant):
        bound = bound.data
    return not hasattr(bound, "owner") and bool(np.isfinite(bound).all())


def _reduce(theirs: type) -> Callable:
    """Pickle an Op of PyMC so that a worker process installs what its parent has installed."""
    own = theirs.__reduce_ex__

    def reduce(op, protocol):
        function, args, *state = own(op, protocol)
        return _unpickle, (function, args), *state

    return reduce


def _unpickle(function, args):
    if multiprocessing.parent_process() is not None:
        install()
    return function(*args)


def _install_jax() -> None:
    """Let JAX draw PyMC's TruncatedNormal, once JAX is there."""
    from pytensor.link.jax.dispatch.random import jax_sample_fn

    if is_installed():
        _adopt(jax_sample_fn, TruncatedNormalRV, SafeTruncatedNormalRV)


def _install_dims() -> None:
    """Mend the interval transform of `pymc.dims`, once that is there."""
    from pymc.dims.distributions.transforms import IntervalTransform as DimIntervalTransform

    from pymc_safetrunc.dims import SafeDimInterval

    def method_of(name):
        return lambda self, value, *inputs: SafeDimInterval.apply(self, name, value)

    if is_installed():
        for name in ("forward", "backward", "log_jac_det"):
            _replace(DimIntervalTransform, name, method_of(name))
