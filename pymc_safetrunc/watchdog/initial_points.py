"""Starting points with a finite log-density and a finite gradient."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pymc as pm
from pymc.blocking import DictToArrayBijection
from pymc.exceptions import SamplingError
from pymc.initial_point import make_initial_point_fns_per_chain
from pymc.step_methods import Slice
from pymc.step_methods.arraystep import ArrayStep, ArrayStepShared
from pymc.step_methods.compound import BlockedStep, CompoundStep, flatten_steps
from pymc.step_methods.hmc.base_hmc import BaseHMC
from pymc.vartypes import discrete_types

from pymc_safetrunc import _upstream
from pymc_safetrunc.watchdog.counter import Cause
from pymc_safetrunc.watchdog.reporting import ChainStopped, Stop
from pymc_safetrunc.watchdog.request import Request

__all__ = ["WARN_AFTER", "fault_at", "fault_of", "more_points", "no_start", "points_and_step"]

_log = logging.getLogger(__name__)

# Turing warns here too: ten bad starts in a row are no accident.
WARN_AFTER = 10


def points_and_step(request: Request):
    """Build the step as ``pm.sample`` does and find a usable starting point for every chain.

    A first point that is good leaves the random streams as ``pm.sample`` has them.

    Returns
    -------
    points : list of dict
    step : step method or CompoundStep

    Raises
    ------
    ChainStopped
        If a chain has no usable starting point within ``max_init_attempts``.
    """
    if request.exclusive_nuts and not request.assigned[0]:
        points, step = _init_nuts(request)
        searched = "map" not in request.init.lower() and "advi" not in request.init.lower()
        jitters = "jitter" in request.init.lower()
    else:
        points, step = _assigned_steps(request)
        searched, jitters = True, False
    may_retry = searched and (jitters or request.initvals is None)
    return [
        _usable_point(request, step, chain, dict(point), may_retry)
        for chain, point in enumerate(points)
    ], step


def fault_at(step, point) -> Cause | None:
    """Return why a chain cannot start from a point, or None when it can."""
    for leaf in flatten_steps(step):
        fault = _leaf_fault(leaf, point)
        if fault is not None:
            return fault
    return None


def fault_of(logp: float, gradient: np.ndarray) -> Cause | None:
    """Return why a chain cannot start where the density and its gradient are these."""
    if not np.isfinite(logp):
        return Cause.LOGP_AT_STATE
    return None if np.isfinite(gradient).all() else Cause.GRADIENT_AT_STATE


def _leaf_fault(step: BlockedStep, point) -> Cause | None:
    if isinstance(step, ArrayStep):
        return None if all(np.isfinite(f(point)) for f in step.fs) else Cause.LOGP_AT_STATE
    if not isinstance(step, ArrayStepShared):
        return None  # a step of the user's own: nothing is known of its functions
    for name, shared in step.shared.items():
        shared.set_value(point[name], borrow=True)
    q = DictToArrayBijection.map({name: point[name] for name in step.var_names})
    if isinstance(step, BaseHMC):
        return fault_of(*_upstream.density_and_gradient(step, q))
    if isinstance(step, Slice):
        # From -inf a slice sampler walks into the support; from NaN or +inf it never compares.
        return None if step.logp(q.data) < np.inf else Cause.LOGP_AT_STATE
    if hasattr(step, "delta_logp"):
        # An infinite number less itself is NaN.
        difference = step.delta_logp(q.data, q.data)
        return None if np.isfinite(difference) else Cause.LOGP_AT_STATE
    return None


def _init_nuts(request: Request):
    kwargs = dict(request.step_kwargs)
    for name, value in kwargs.pop("nuts", {}).items():
        kwargs.setdefault(name, value)

    def build(retries, quiet):
        with request.blas_limiter():
            return pm.init_nuts(
                init=request.init,
                chains=request.chains,
                n_init=request.n_init,
                model=request.model,
                random_seed=request.seeds,
                progressbar=bool(request.progressbar),
                quiet=quiet,
                jitter_max_retries=retries,
                tune=request.tune,
                initvals=request.initvals,
                compile_kwargs=request.compile_kwargs,
                **kwargs,
            )

    tried, allowed = request.jitter_max_retries + 1, request.policy.max_init_attempts
    try:
        return build(request.jitter_max_retries, request.quiet)
    except SamplingError as error:
        if "jitter" not in request.init.lower() and request.init.lower() != "auto":
            raise
        if tried >= allowed:
            raise _no_finite_density(request, tried) from error
    _warn(request, None, tried, Cause.LOGP_AT_STATE)
    try:
        return build(allowed - 1, quiet=True)  # the method has been announced
    except SamplingError as error:
        raise _no_finite_density(request, allowed) from error


def _assigned_steps(request: Request):
    provided, selected = request.assigned
    make_points = make_initial_point_fns_per_chain(
        model=request.model,
        overrides=request.initvals,
        jitter_rvs=set(),
        chains=request.chains,
    )
    points = [make(seed) for make, seed in zip(make_points, request.seeds, strict=True)]
    step = _upstream.instantiate_steppers(
        request.model,
        steps=provided,
        selected_steps=selected,
        step_kwargs=request.step_kwargs,
        initial_point=points[0],
        compile_kwargs=request.compile_kwargs,
    )
    return points, CompoundStep(step) if isinstance(step, list) else step


def _usable_point(request: Request, step, chain: int, point: dict, may_retry: bool) -> dict:
    first, first_fault, tried = point, fault_at(step, point), 1
    if first_fault is None:
        return point
    for point in more_points(request, chain) if may_retry else ():
        fault, tried = fault_at(step, point), tried + 1
        if fault is None:
            return point
        if tried == WARN_AFTER:
            _warn(request, chain, tried, fault)
    raise ChainStopped(chain, no_start(first_fault, first, tried))


def more_points(request: Request, chain: int) -> Iterator[dict]:
    """Yield jittered points from a generator that serves nothing else."""
    attempts = request.policy.max_init_attempts - 1
    if attempts < 1:
        return
    spare = np.random.default_rng(np.random.SeedSequence(int(request.seeds[chain])).spawn(1)[0])
    initvals = request.initvals
    if initvals is not None and not isinstance(initvals, dict):
        initvals = initvals[chain]
    names = {variable.name for variable in request.model.value_vars}
    (make_point,) = make_initial_point_fns_per_chain(
        model=request.model,
        overrides=initvals,
        jitter_rvs={rv for rv in request.model.free_RVs if rv.dtype not in discrete_types},
        chains=1,
    )
    for seed in spare.integers(2**30, size=attempts):
        yield {name: value for name, value in make_point(seed).items() if name in names}


def _no_finite_density(request: Request, tried: int) -> ChainStopped:
    point = next(more_points(request, 0), None) or request.model.initial_point()
    return ChainStopped(None, no_start(Cause.LOGP_AT_STATE, point, tried))


def no_start(cause: Cause, point: dict, tried: int, step: str = "") -> Stop:
    """Return the stop of a chain that no starting point would do for; the first is shown."""
    detail = f"{tried} starting point{'s' * (tried != 1)} tried."
    return Stop(cause, phase="initial point", point=point, step=step, detail=detail)


def _warn(request: Request, chain: int | None, tried: int, fault: Cause) -> None:
    if not request.quiet:
        _log.warning(
            "%s starting points%s were not usable (%s); trying up to %s.",
            tried,
            "" if chain is None else f" of chain {chain}",
            fault.words,
            request.policy.max_init_attempts,
        )
