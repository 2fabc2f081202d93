"""PyMC's own samplers under the watchdog: stop, collect the draws, end the processes."""

from __future__ import annotations

import contextlib
import pickle
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from pymc.backends import init_traces
from pymc.stats.convergence import log_warning_stats
from pymc.step_methods.arraystep import PopulationArrayStepShared
from pymc.step_methods.compound import flatten_steps

from pymc_safetrunc import _upstream
from pymc_safetrunc.watchdog import draws as kept
from pymc_safetrunc.watchdog.counter import ChainCounter
from pymc_safetrunc.watchdog.errors import SamplingAborted
from pymc_safetrunc.watchdog.group import add_group
from pymc_safetrunc.watchdog.initial_points import points_and_step
from pymc_safetrunc.watchdog.population import watched_population
from pymc_safetrunc.watchdog.preflight import step_density, warn_before
from pymc_safetrunc.watchdog.reporting import ChainStopped, Stop, build_report
from pymc_safetrunc.watchdog.request import Request
from pymc_safetrunc.watchdog.step import watched_for_driver
from pymc_safetrunc.watchdog.step_end import MarkedStats
from pymc_safetrunc.watchdog.workers import Workers

__all__ = ["run"]


class _CallbackFailed(Exception):
    """The caller's own callback raised: its error is handed back as it is."""


class _Observer:
    """Sees every draw of every chain as it arrives: counts, calls back, stops."""

    def __init__(self, request: Request, tune: int) -> None:
        self.counters = [ChainCounter(None, tune) for _ in range(request.chains)]
        self._callback: Callable[..., None] | None = request.callback

    def __call__(self, trace, draw) -> None:
        stop = self.count(draw.chain, draw.stats)
        if self._callback is not None:
            try:
                self._callback(trace=trace, draw=draw)
            except Exception as error:
                raise _CallbackFailed from error
        if stop is not None:
            raise ChainStopped(draw.chain, stop)

    def count(self, chain: int, stats: Sequence[dict[str, Any]]) -> Stop | None:
        """Count a transition of a chain and return the stop it asks for."""
        cause = stop = None
        for row in stats:
            if isinstance(row, MarkedStats):
                cause, stop = row.cause, stop or row.stop
        self.counters[chain].record(cause)
        return stop


def run(request: Request):
    """Sample with PyMC's own step methods.

    Returns
    -------
    DataTree, MultiTrace or ZarrTrace
        What ``pm.sample`` returns, with the ``watchdog`` group in a DataTree.

    Raises
    ------
    SamplingAborted
        If a chain was stopped.
    """
    started = time.monotonic()
    try:
        points, step = points_and_step(request)
    except ChainStopped as unusable:
        raise SamplingAborted(
            build_report(unusable.stop, chain=unusable.chain, model=request.model)
        ) from unusable.original
    warn_before(request, step_density(step), points[0], time.monotonic() - started)
    tune = _upstream.get_default_tune_steps(step, request.tune)
    traces = _make_traces(request, step, points, tune)
    observer = _Observer(request, tune)
    stopped: ChainStopped | None = None
    started = time.time()
    try:
        with (
            watched_for_driver(step, request.policy),
            _upstream.quiet_logging(request.quiet),
        ):
            _sample(request, step, points, traces, tune, observer)
    except ChainStopped as error:
        stopped = error
    except _CallbackFailed as error:
        raise error.__cause__ from None  # type: ignore[misc]
    finally:
        for trace in traces:
            trace.close()
    seconds = time.time() - started
    if stopped is not None:
        _abort(request, stopped, traces, tune, seconds, observer)
    if request.return_inferencedata and _was_interrupted(request, traces, tune):
        result = _interrupted_result(request, traces, tune, seconds)
    else:
        result = _package(request, traces, tune, seconds)
    if request.return_inferencedata:
        add_group(result, observer.counters, request.policy, sampler="pymc")
    return result


def _package(request: Request, traces, tune: int, seconds: float):
    return _upstream.package_result(
        run=None,
        traces=request.trace if _upstream.is_zarr(request.trace) else traces,
        tune=tune,
        t_sampling=seconds,
        discard_tuned_samples=request.discard_tuned_samples,
        compute_convergence_checks=request.compute_convergence_checks,
        return_inferencedata=request.return_inferencedata,
        keep_warning_stat=request.keep_warning_stat,
        idata_kwargs=request.idata_kwargs,
        model=request.model,
        quiet=request.quiet,
    )


def _was_interrupted(request: Request, traces, tune: int) -> bool:
    return not _upstream.is_zarr(request.trace) and any(
        len(trace) < request.draws + tune for trace in traces
    )


def _interrupted_result(request: Request, traces, tune: int, seconds: float):
    """Return PyMC's rectangle of draws, with the whole chains in a group beside it.

    Where PyMC has none to return, because no chain had finished tuning, the tuning draws are
    returned; with no draw at all its error is raised.
    """
    try:
        result = _package(request, traces, tune, seconds)
    except ValueError:
        result = kept.common_tree(
            traces, tune, request.model, seconds, save_warmup=True, **_conversion(request)
        )
        if result is None:
            raise
    chains = kept.chain_trees(traces, tune, request.model, seconds, **_conversion(request))
    for chain, tree in chains.items():
        result[f"{kept.INTERRUPTED_GROUP}/chain_{chain}"] = tree
    _warn(
        request,
        "Sampling was interrupted. Every draw of every chain is in the group "
        f'"{kept.INTERRUPTED_GROUP}" of the result.',
    )
    return result


def _make_traces(request: Request, step, points, tune: int):
    trace_vars = None
    if request.var_names is not None:
        chosen = [v for v in request.model.unobserved_RVs if v.name in request.var_names]
        if len(chosen) != len(request.var_names):
            raise ValueError(
                f"Not all of var_names={list(request.var_names)} are variables of the model."
            )
        trace_vars = request.model.replace_rvs_by_values(chosen)
    _, traces = init_traces(
        backend=request.trace,
        chains=request.chains,
        expected_length=request.draws + tune,
        step=step,
        trace_vars=trace_vars,
        initial_point=points[0],
        model=request.model,
        tune=tune,
    )
    return traces


def _sample(request: Request, step, points, traces, tune: int, observer: _Observer) -> None:
    population = any(isinstance(s, PopulationArrayStepShared) for s in flatten_steps(step))
    stall = request.policy.stall_seconds is not None
    if stall and population:
        raise ValueError(
            "WatchdogPolicy(stall_seconds=...) cannot be honoured by a population sampler such as "
            "DEMetropolis, whose chains wait for each other. Use DEMetropolisZ, or leave it None."
        )
    several = request.cores > 1 and request.chains > 1 and not population
    if several or stall:
        try:
            _sample_in_workers(request, step, points, traces, tune, observer)
            return
        except (pickle.PickleError, AttributeError) as error:
            if isinstance(error, AttributeError) and "Can't pickle" not in str(error):
                raise
            if stall:
                raise ValueError(
                    "WatchdogPolicy(stall_seconds=...) needs worker processes, and this model "
                    "cannot be pickled for one. Leave it None, or define the model's functions "
                    "and Ops in a module."
                ) from error
            _warn(request, "Could not pickle model, sampling singlethreaded.")
    loop = _sample_population if population else _sample_in_this_process
    with request.blas_limiter():
        loop(request, step, points, traces, tune, observer)


def _sample_in_workers(request, step, points, traces, tune, observer) -> None:
    _announce(
        request, step, f"Multiprocess sampling ({request.chains} chains in {request.cores} jobs)"
    )
    zarr_chains = _upstream.chains_recording_in_workers(traces)
    with (
        contextlib.suppress(KeyboardInterrupt),
        Workers(request, step, points, tune, zarr_chains) as workers,
    ):
        for draw in workers:
            trace = traces[draw.chain]
            if zarr_chains is None:
                trace.record(draw.point, draw.stats, in_warmup=draw.tuning)
            log_warning_stats(draw.stats)
            observer(trace, draw)


def _sample_in_this_process(request, step, points, traces, tune, observer) -> None:
    _announce(request, step, f"Sequential sampling ({request.chains} chains in 1 job)")
    _upstream.sample_sequentially(
        chains=request.chains,
        progressbar_theme=request.progressbar_theme,
        callback=observer,
        **_common(request, step, points, traces, tune),
    )


def _sample_population(request, step, points, traces, tune, observer) -> None:
    _announce(request, step, f"Population sampling ({request.chains} chains)")
    with watched_population(traces, observer.count):
        _upstream.sample_population(
            initial_points=points,
            parallelize=request.cores > 1,
            **_common(request, step, points, traces, tune),
        )


def _common(request: Request, step, points, traces, tune: int) -> dict[str, Any]:
    """Return what both of PyMC's loops in this process are given."""
    return {
        "draws": request.draws + tune,
        "tune": tune,
        "step": step,
        "start": points,
        "traces": traces,
        "rngs": request.rngs,
        "progressbar": request.progressbar,
        "model": request.model,
    }


def _abort(
    request: Request, stopped: ChainStopped, traces, tune: int, seconds: float, observer: _Observer
) -> NoReturn:
    report = build_report(stopped.stop, chain=stopped.chain, model=request.model)
    warmup = not request.discard_tuned_samples
    if _upstream.is_zarr(request.trace):
        tree, lengths = kept.from_zarr(request.trace)
        report.kept = {chain: pair for chain, pair in enumerate(lengths) if sum(pair)}
        chains = {chain: kept.cut_chain(tree, chain, lengths[chain]) for chain in report.kept}
        idata = kept.cut_common(tree, lengths)
    else:
        report.kept = kept.kept_lengths(traces, tune)
        given = (traces, tune, request.model, seconds)
        chains = kept.chain_trees(*given, **_conversion(request))
        idata = kept.common_tree(*given, save_warmup=warmup, **_conversion(request))
    if idata is not None:
        add_group(idata, observer.counters, request.policy, sampler="pymc", report=report)
    raise SamplingAborted(report, chains, idata) from stopped.original


def _conversion(request: Request) -> dict[str, Any]:
    """Return the caller's idata_kwargs without what would evaluate the model at its bad point."""
    return {
        name: value
        for name, value in request.idata_kwargs.items()
        if name not in ("log_likelihood", "log_prior", "save_warmup", "model")
    }


def _announce(request: Request, step, message: str) -> None:
    if not request.quiet:
        _upstream.sampling_log.info(message)
    _upstream.log_step_hierarchy(step)


def _warn(request: Request, message: str) -> None:
    if not request.quiet:
        _upstream.sampling_log.warning(message)
