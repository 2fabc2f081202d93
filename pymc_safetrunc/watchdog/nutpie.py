"""nutpie under the watchdog: checked before it starts, stopped through its handle.

nutpie tells little while it runs: the indices of the divergent draws after tuning, no causes, and
nothing about tuning. So the progress is only searched for a reason to look; the verdict is
counted from the statistics of a copy of the trace, as for PyMC's samplers.
"""

from __future__ import annotations

import time
from functools import partial

from pymc.backends.arviz import patch_nutpie_idata
from pymc.progress_bar import NutpieProgressBarManager
from xarray import DataTree

from pymc_safetrunc import _upstream
from pymc_safetrunc.watchdog.child import run_in_child
from pymc_safetrunc.watchdog.draws import (
    INTERRUPTED_GROUP,
    cut_chain,
    cut_common,
    few_draws_are_no_mistake,
)
from pymc_safetrunc.watchdog.errors import SamplingAborted
from pymc_safetrunc.watchdog.group import add_group
from pymc_safetrunc.watchdog.nutpie_arguments import settings, with_log_likelihood
from pymc_safetrunc.watchdog.nutpie_guard import Guard
from pymc_safetrunc.watchdog.nutpie_progress import Progress
from pymc_safetrunc.watchdog.nutpie_starts import Starts, usable_start
from pymc_safetrunc.watchdog.nutpie_trace import count, real_lengths
from pymc_safetrunc.watchdog.nutpie_wait import wait
from pymc_safetrunc.watchdog.preflight import flat_density, warn_before
from pymc_safetrunc.watchdog.reporting import ChainStopped, build_report
from pymc_safetrunc.watchdog.request import Request

__all__ = ["run"]


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
    nuts_kwargs, compile_kwargs = settings(request)
    compile_started = time.monotonic()
    compiled = nutpie.compile_pymc_model(
        request.model, var_names=request.var_names, **compile_kwargs
    )
    compiling = time.monotonic() - compile_started
    density = _upstream.nutpie_density(compiled)
    try:
        good = usable_start(request, compiled, density)
    except ChainStopped as unusable:
        report = build_report(unusable.stop, chain=None, model=request.model, sampler="nutpie")
        raise SamplingAborted(report) from None
    start = _upstream.as_point(request.model, good)
    warn_before(request, flat_density(density, start), start, compiling)
    starts = Starts(compiled, density, good, request.policy.max_init_attempts)
    guard = Guard()
    compiled = _upstream.nutpie_with_starts(compiled, starts)
    compiled = _upstream.nutpie_guarded(compiled, guard.density, guard.expansion)
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
            store_unconstrained=request.idata_kwargs.get("include_transformed", False),
            progress_bar=False,
            progress_callback=progress,
            blocking=False,
            **nuts_kwargs,
        )
        with few_draws_are_no_mistake():
            tree, stopped, interrupted = wait(handle, progress, request, density, guard)
    patch_nutpie_idata(tree, request.model, sampling_time=time.time() - started)
    lengths = real_lengths(tree)
    counters = count(tree, lengths)
    if stopped is not None:
        _abort(request, stopped, tree, lengths, counters)
    result = _interrupted(tree, lengths) if interrupted else tree
    if request.discard_tuned_samples:
        result = result.drop_nodes([name for name in result.children if name.startswith("warmup_")])
    add_group(result, counters, request.policy, sampler="nutpie")
    return with_log_likelihood(result, request)


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
            result[f"{INTERRUPTED_GROUP}/chain_{chain}"] = cut_chain(tree, chain, pair)
    return result
