"""nutpie under the watchdog: checked before it starts, stopped through its handle.

nutpie tells little while it runs: the indices of the divergent draws after tuning, no causes, and
nothing about tuning. So the progress is only searched for a reason to look; the verdict is
counted from the statistics of a copy of the trace, as for PyMC's samplers.
"""

from __future__ import annotations

import logging
import threading
import time
import warnings
from functools import partial
from typing import Any

import numpy as np
from pymc.backends.arviz import patch_nutpie_idata
from pymc.progress_bar import NutpieProgressBarManager
from pytensor.compile.mode import get_mode
from xarray import DataTree

from pymc_safetrunc import _upstream
from pymc_safetrunc.watchdog.child import run_in_child
from pymc_safetrunc.watchdog.counter import NONFINITE, Cause, ChainCounter
from pymc_safetrunc.watchdog.draws import cut_chain, cut_common, few_draws_are_no_mistake
from pymc_safetrunc.watchdog.errors import SamplingAborted
from pymc_safetrunc.watchdog.group import add_group
from pymc_safetrunc.watchdog.initial_points import WARN_AFTER
from pymc_safetrunc.watchdog.nearby import bad_point_nearby, unconstrained
from pymc_safetrunc.watchdog.nutpie_progress import Heard, Progress, Suspicion
from pymc_safetrunc.watchdog.nutpie_trace import (
    TREES,
    causes_of,
    count,
    first_limit,
    real_lengths,
)
from pymc_safetrunc.watchdog.preflight import flat_density, warn_before
from pymc_safetrunc.watchdog.reporting import ChainStopped, Stop, build_report
from pymc_safetrunc.watchdog.request import Request

__all__ = ["run"]

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.05
# nutpie gives a chain up after 500 of its starting points; stay below
_NUTPIE_TRIES = 400


def run(request: Request) -> DataTree:
    """Sample with nutpie as ``pm.sample`` does.

    With ``stall_seconds`` in a process of its own: a thread of nutpie's cannot be ended, and one
    that hangs crashes the interpreter at its exit.

    Raises
    ------
    SamplingAborted
        If no starting point is usable, a chain was stopped, or nutpie failed.
    """
    if request.policy.stall_seconds is None:
        return _run(request)
    return run_in_child(partial(_run, request), request.mp_ctx, sampler="nutpie")


def _run(request: Request) -> DataTree:
    import nutpie

    if not request.quiet:
        _upstream.sampling_log.info(f"NUTS[nutpie]: {request.model.free_RVs}")
    idata_kwargs = dict(request.idata_kwargs)
    keep_unconstrained = idata_kwargs.pop("include_transformed", False)
    log_likelihood = idata_kwargs.pop("log_likelihood", False)
    if idata_kwargs:
        warnings.warn(
            f"`idata_kwargs` keys {sorted(idata_kwargs)} are currently ignored by the nutpie "
            "sampler",
            UserWarning,
            stacklevel=5,
        )
    nuts_kwargs, compile_kwargs = _settings(request)
    compile_started = time.monotonic()
    compiled = nutpie.compile_pymc_model(
        request.model, var_names=request.var_names, **compile_kwargs
    )
    compiling = time.monotonic() - compile_started
    density = _upstream.nutpie_density(compiled)
    try:
        good = _usable_start(request, compiled, density)
    except ChainStopped as unusable:
        report = build_report(unusable.stop, chain=None, model=request.model, sampler="nutpie")
        raise SamplingAborted(report) from None
    start = _upstream.as_point(request.model, good)
    warn_before(request, flat_density(density, start), start, compiling)
    starts = _Starts(compiled, density, good, request.policy.max_init_attempts)
    compiled = _upstream.nutpie_with_starts(compiled, starts)
    # nuts-rs asserts `early_end < num_tune`, which panics without tuning
    tune = request.tune if request.tune != 0 else 1
    bars = NutpieProgressBarManager(
        chains=request.chains,
        draws=request.draws,
        progressbar=request.progressbar,
        progressbar_theme=request.progressbar_theme,
    )
    started = time.time()
    with request.blas_limiter(), bars:
        progress = Progress([bars.update, nuts_kwargs.pop("progress_callback", None)])
        handle = nutpie.sample(
            compiled,
            draws=request.draws,
            tune=tune,
            chains=request.chains,
            cores=request.cores,
            seed=int(request.seeds[0]),
            save_warmup=True,
            store_unconstrained=keep_unconstrained,
            progress_bar=False,
            progress_callback=progress,
            blocking=False,
            **nuts_kwargs,
        )
        with few_draws_are_no_mistake():
            tree, stopped, interrupted = _wait(handle, progress, request, density)
    patch_nutpie_idata(tree, request.model, sampling_time=time.time() - started)
    lengths = real_lengths(tree)
    counters = count(tree, lengths)
    if stopped is not None:
        _abort(request, stopped, tree, lengths, counters)
    result = _interrupted(tree, lengths) if interrupted else tree
    if request.discard_tuned_samples:
        result = result.drop_nodes([name for name in result.children if name.startswith("warmup_")])
    add_group(result, counters, request.policy, sampler="nutpie")
    return _with_log_likelihood(result, log_likelihood, request)


def _settings(request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    """Translate the arguments for nutpie as ``pm.sample`` does."""
    nuts_kwargs = dict(request.step_kwargs.get("nuts", {}))
    compile_kwargs = dict(request.compile_kwargs)
    for name, where in (("backend", "backend="), ("gradient_backend", "compile_kwargs")):
        if name in nuts_kwargs:
            warnings.warn(
                f"`{name}` should be passed as {where}, not nested in the NUTS step kwargs.",
                FutureWarning,
                stacklevel=6,
            )
            value = nuts_kwargs.pop(name)
            if name == "backend":
                compile_kwargs["mode"] = get_mode(value)
            else:
                compile_kwargs[name] = value
    if request.initvals is not None:
        compile_kwargs.setdefault("initial_points", request.initvals)
    if "max_treedepth" in nuts_kwargs:
        nuts_kwargs["maxdepth"] = nuts_kwargs.pop("max_treedepth")
    linker = get_mode(compile_kwargs.pop("mode", None)).linker
    backend = "jax" if _upstream.is_jax_linker(linker) else "numba"
    compile_kwargs.setdefault("backend", backend)
    return nuts_kwargs, compile_kwargs


def _usable_start(request: Request, compiled, density) -> np.ndarray:
    """Find a usable starting point among nutpie's own, from a stream that serves nothing else.

    nutpie is not even started on a model without one.
    """
    spare = np.random.default_rng(np.random.SeedSequence(int(request.seeds[0])).spawn(1)[0])
    allowed = request.policy.max_init_attempts
    first: tuple[Cause, np.ndarray] | None = None
    for tried, seed in enumerate(spare.integers(2**30, size=allowed), start=1):
        x = _upstream.nutpie_start(compiled, int(seed))
        fault = _fault(density, x)
        if fault is None:
            return x
        first = first or (fault, x)
        if tried == WARN_AFTER and not request.quiet:
            _log.warning(
                "%s starting points were not usable (%s); trying up to %s.",
                tried,
                fault.words,
                allowed,
            )
    assert first is not None
    raise ChainStopped(
        None,
        Stop(
            first[0],
            phase="initial point",
            point=_upstream.as_point(request.model, first[1]),
            detail=f"{allowed} starting points tried.",
        ),
    )


class _Starts:
    """nutpie's starting points, and a usable one for a chain that has none among so many.

    A chain whose tries all fail takes the draws of the others with it, and with two of them the
    interpreter crashed at its exit.
    """

    def __init__(self, compiled, density, good: np.ndarray, attempts: int) -> None:
        self._compiled = compiled
        self._density = density
        self._good = good
        self._attempts = min(attempts, _NUTPIE_TRIES)
        self._failed: dict[int, int] = {}  # by thread: each chain has its own

    def __call__(self, seed: int) -> np.ndarray:
        x = _upstream.nutpie_start(self._compiled, seed)
        chain = threading.get_ident()
        if _fault(self._density, x) is None:
            self._failed[chain] = 0
            return x
        self._failed[chain] = self._failed.get(chain, 0) + 1
        return x if self._failed[chain] < self._attempts else self._good


def _fault(density, x: np.ndarray) -> Cause | None:
    logp, gradient = density(x)
    if not np.isfinite(logp):
        return Cause.LOGP_AT_STATE
    return None if np.isfinite(gradient).all() else Cause.GRADIENT_AT_STATE


def _wait(handle, progress: Progress, request: Request, density):
    """Return the trace, why it was stopped, and whether it was interrupted."""
    tune = _tune_of(handle)
    suspicion = Suspicion(request.policy, request.chains, tune)
    heard = Heard(request.policy.stall_seconds, tune)
    try:
        while not _upstream.nutpie_finished(handle, _POLL_SECONDS):
            stopped = heard.stalled(progress.chains)
            if stopped is not None:
                return _upstream.nutpie_leave_hanging(handle), stopped, False
            if suspicion.is_aroused(progress.chains):
                stopped = _verdict(handle.inspect(), request, density)
                if stopped is not None:
                    return handle.abort(), stopped, False
        tree = handle.wait()
    except KeyboardInterrupt:
        return handle.abort(), None, True
    except (RuntimeError, ValueError) as error:
        stop = Stop(Cause.EXCEPTION, detail=f"nutpie says: {error}")
        raise SamplingAborted(
            build_report(stop, chain=None, model=request.model, sampler="nutpie")
        ) from error
    return tree, _verdict(tree, request, density), False


def _tune_of(handle) -> int:
    return int(_upstream.nutpie_settings(handle)["num_tune"])


def _verdict(tree: DataTree, request: Request, density) -> ChainStopped | None:
    """Count the whole trace and return the stop it asks for, if any."""
    for chain, lengths in enumerate(real_lengths(tree)):
        causes = causes_of(tree, chain, lengths)
        found = first_limit(causes, lengths[0], request.policy)
        if found is None:
            continue
        counter, limit = found
        cause = causes[counter.transitions - 1]
        point: dict[str, np.ndarray] = {}
        if cause in NONFINITE:
            cause, point = _look_around(tree, chain, counter, request, density, cause)
            if cause is Cause.LOGP_MINUS_INF:
                # nutpie does not tell NaN from -inf, which is legal: count again by what it was
                causes = [cause if c in NONFINITE else c for c in causes]
                found = first_limit(causes, lengths[0], request.policy)
                if found is None:
                    continue
                counter, limit = found
        return ChainStopped(
            chain,
            Stop(
                cause=cause,  # type: ignore[arg-type]
                limit=limit,
                run_length=(
                    counter.nonfinite_run if "nonfinite" in limit else counter.divergent_run
                ),
                transitions=counter.transitions,
                phase="tuning" if counter.tuning else "sampling",
                point=point,
                step="NUTS[nutpie]",
            ),
        )
    return None


def _look_around(tree, chain: int, counter: ChainCounter, request, density, cause):
    """Find what nutpie does not store: the proposal that was not finite."""
    phase = "warmup" if counter.tuning else "draw"
    index = counter.transitions - 1 - (0 if counter.tuning else counter.transitions_tune)
    draw = tree[TREES[phase][0]].dataset.isel(chain=chain, draw=index)
    state = unconstrained(request.model, draw)
    if state is None:
        return cause, {}
    x = bad_point_nearby(density, state, seed=int(request.seeds[0]))
    if x is None:
        return cause, _upstream.as_point(request.model, state)
    logp, _ = density(x)
    if logp == -np.inf:
        return Cause.LOGP_MINUS_INF, _upstream.as_point(request.model, x)
    cause = Cause.GRADIENT_ON_PATH if np.isfinite(logp) else Cause.LOGP_NAN
    return cause, _upstream.as_point(request.model, x)


def _abort(request: Request, stopped: ChainStopped, tree, lengths, counters):
    report = build_report(stopped.stop, chain=stopped.chain, model=request.model, sampler="nutpie")
    report.kept = {chain: pair for chain, pair in enumerate(lengths) if sum(pair)}
    chains = {chain: cut_chain(tree, chain, lengths[chain]) for chain in report.kept}
    idata = cut_common(tree, lengths)
    if idata is not None:
        if request.discard_tuned_samples and "posterior" in idata.children:
            idata = idata.drop_nodes(
                [name for name in idata.children if name.startswith("warmup_")]
            )
        add_group(idata, counters, request.policy, sampler="nutpie", report=report)
    raise SamplingAborted(report, chains, idata) from stopped.original


def _interrupted(tree: DataTree, lengths) -> DataTree:
    result = cut_common(tree, lengths)
    if result is None:
        return tree
    for chain, pair in enumerate(lengths):
        if sum(pair):
            result[f"interrupted/chain_{chain}"] = cut_chain(tree, chain, pair)
    return result


def _with_log_likelihood(tree: DataTree, wanted, request: Request) -> DataTree:
    if not wanted:
        return tree
    from pymc.stats.log_density import compute_log_likelihood

    warnings.warn(
        "Passing `log_likelihood` via `idata_kwargs` is deprecated and will be removed in future "
        "versions. Call `pm.compute_log_likelihood(idata)` instead.",
        FutureWarning,
        stacklevel=5,
    )
    return compute_log_likelihood(
        tree,
        var_names=None if wanted is True else wanted,
        extend_inferencedata=True,
        model=request.model,
        sample_dims=["chain", "draw"],
        progressbar=False,
    )
