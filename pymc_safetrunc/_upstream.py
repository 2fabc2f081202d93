"""Private names of PyMC, PyTensor and nutpie that this package uses, each with its feature.

No other module imports one. ``tests/test_upstream.py`` says which feature breaks when a name goes.

A name counts as private when it starts with an underscore, or when PyMC exports it from no public
module and documents it nowhere.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import sys
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np
import pymc.sampling.mcmc as _mcmc
from pymc.backends import _ZarrChainBase, _ZarrTraceBase

# Feature: the support point of pst.Truncated
from pymc.distributions.distribution import _support_point as distribution_support_point

# Feature: pst.Truncated of mixtures, zero-inflated and hurdle distributions
from pymc.distributions.mixture import _BaseMixtureRV as BaseMixtureRV

# Feature: the mean of the safe distributions, for pymc.distributions.moments.mean
from pymc.distributions.moments.means import _mean as distribution_mean

# Feature: pst.Truncated in another size (draws of many values, plates of a model)
from pymc.distributions.shape_utils import _change_dist_size as distribution_resize

# Feature: the default transform of the safe distributions
from pymc.distributions.transforms import _default_transform as default_transform

# Features: the log-density, log CDF, log survival and quantile of pst.Truncated
from pymc.logprob.abstract import _icdf as distribution_icdf
from pymc.logprob.abstract import _logccdf as distribution_logccdf
from pymc.logprob.abstract import _logcdf as distribution_logcdf
from pymc.logprob.abstract import _logprob as distribution_logp

# Features: `sample` derives cores, BLAS threads, the start method and compile settings exactly as
# `pm.sample` does, so that its runs are the same.
from pymc.pytensorf import resolve_backend_compile_kwargs as compile_kwargs

# Feature: what `sample` logs comes from the logger PyMC's users already filter.
from pymc.sampling.mcmc import _log as sampling_log

# Feature: a quiet run is quiet.
from pymc.sampling.mcmc import _quiet_logging as quiet_logging

# Features: the loops that run PyMC's samplers in this process, and the packaging of their result.
from pymc.sampling.mcmc import _sample_many as sample_sequentially
from pymc.sampling.mcmc import _sample_return as package_result
from pymc.sampling.mcmc import assign_step_methods, get_default_tune_steps, instantiate_steppers
from pymc.sampling.mcmc import setup_cores_blas_cores as blas_settings
from pymc.sampling.parallel import _cpu_count as cpu_count
from pymc.sampling.parallel import _initialize_multiprocessing_context as multiprocessing_context
from pymc.sampling.population import _sample_population as sample_population

# diagnosis: puts the inner graph of an OpFromGraph in its place, so that the walk can enter it
from pytensor.compile.rewriting import inline_ofg_node
from pytensor.link.jax.linker import JAXLinker
from pytensor.link.numba.linker import NumbaLinker

# diagnosis: runs the inner graph of a Scan without compiling it
from pytensor.compile.inner_function import link_only_mode  # isort: skip

__all__ = [
    "BaseMixtureRV",
    "as_point",
    "assign_step_methods",
    "blas_settings",
    "chains_recording_in_workers",
    "check_broadcasting",
    "compile_kwargs",
    "cpu_count",
    "default_transform",
    "density_and_gradient",
    "distribution_icdf",
    "distribution_logccdf",
    "distribution_logcdf",
    "distribution_logp",
    "distribution_mean",
    "distribution_resize",
    "distribution_support_point",
    "get_default_tune_steps",
    "inline_ofg_node",
    "instantiate_steppers",
    "is_jax_linker",
    "is_nutpie_failure",
    "is_zarr",
    "jax_density",
    "jax_starts",
    "link_only_mode",
    "link_scan",
    "linker_suits_nutpie",
    "log_step_hierarchy",
    "multiprocessing_context",
    "nutpie_density",
    "nutpie_end",
    "nutpie_finished",
    "nutpie_guarded",
    "nutpie_leave_hanging",
    "nutpie_settings",
    "nutpie_start",
    "nutpie_too_old",
    "nutpie_usable",
    "nutpie_with_starts",
    "package_result",
    "quiet_logging",
    "running_chain",
    "sample_population",
    "sample_sequentially",
    "sampling_log",
    "set_lengths",
    "trajectory_listener",
    "worker_pipe",
    "worker_process",
    "zarr_lengths",
]

# PyMC's names for the worker processes of a chain: the parallel sampler's and the population's.
_WORKER_NAMES = ("worker_chain_", "ChainWalker")
# The loops of PyMC that run one chain in this process, and their variable that holds its number.
_CHAIN_LOOPS = {"_iter_sample": "chain", "step": "c"}


def running_chain() -> int | None:
    """Return the number of the chain that is being sampled, or None if it cannot be known.

    Feature: a bare ``watch()`` names the chain it stopped (PyMC tells a step nothing of it).
    """
    process = multiprocessing.current_process().name
    for prefix in _WORKER_NAMES:
        if process.startswith(prefix) and process[len(prefix) :].isdigit():
            return int(process[len(prefix) :])
    frame = sys._getframe()
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        name = _CHAIN_LOOPS.get(frame.f_code.co_name)
        if name in frame.f_locals and module in (
            "pymc.sampling.mcmc",
            "pymc.sampling.population",
        ):
            return int(frame.f_locals[name])
        frame = frame.f_back  # type: ignore[assignment]
    return None


def nutpie_usable() -> bool:
    """Say whether nutpie is installed in a version PyMC accepts; warn when it is too old.

    Feature: `sample` picks nutpie where `pm.sample` does.
    """
    if not _mcmc.NUTPIE_INSTALLED:
        return False
    if not nutpie_too_old():
        return True
    wanted = ".".join(map(str, _mcmc.NUTPIE_MIN_VERSION))
    warnings.warn(
        f"pymc requires nutpie>={wanted}. Falling back to the pymc NUTS sampler. "
        f"Upgrade with `pip install -U nutpie` or "
        f"`conda install -c conda-forge 'nutpie>={wanted}'`.",
        UserWarning,
        stacklevel=2,
    )
    return False


def nutpie_too_old() -> bool:
    """Say whether PyMC refuses the installed nutpie. Feature: `sample` does so too."""
    return find_spec("nutpie") is not None and not _mcmc._nutpie_meets_min_version()


def linker_suits_nutpie(linker: Any) -> bool:
    """Say whether PyMC would hand a model compiled with this linker to nutpie."""
    return isinstance(linker, NumbaLinker | JAXLinker)


def log_step_hierarchy(step: Any) -> None:
    """Log the steps and their variables. Feature: the log of `sample` reads as PyMC's."""
    _mcmc._print_step_hierarchy(step)


def is_zarr(trace: Any) -> bool:
    """Say whether a trace is a ZarrTrace. Feature: asked without importing zarr."""
    return isinstance(trace, _ZarrTraceBase)


def set_lengths(trace: Any, tune: int, draws: int, seconds: float) -> None:
    """Tell a MultiTrace where tuning ends and how long it took.

    Feature: an aborted chain keeps its tuning apart, and can be written to a file.
    """
    trace.report._t_sampling = seconds
    trace.report._n_tune = tune
    trace.report._n_draws = draws


def worker_pipe(adapter: Any) -> Any:
    """Return the pipe of a ProcessAdapter. Feature: a wait for a worker has a time limit."""
    return adapter._msg_pipe


def worker_process(adapter: Any) -> Any:
    """Return the process of a ProcessAdapter. Feature: a worker that hangs is ended."""
    return adapter._process


def density_and_gradient(step: Any, q: Any) -> tuple[float, Any]:
    """Return what a Hamiltonian step's compiled function says at a raveled position.

    Feature: starting points are judged by the function that will be sampled.
    """
    return step.integrator._logp_dlogp_func(q.data, q.point_map_info)


def trajectory_listener(base: type, listener: Any) -> dict[str, Any]:
    """Return what a subclass of a Hamiltonian step defines to tell of trajectories that diverge.

    The listener is called with the step, the start of the trajectory and what PyMC knows of it.

    Feature: the cause of a divergence, which the statistics do not tell, and not while tuning.
    """
    inner = base._hamiltonian_step  # type: ignore[attr-defined]

    def _hamiltonian_step(self, start, p0, step_size):
        result = inner(self, start, p0, step_size)
        if result.divergence_info:
            listener(self, start, result.divergence_info)
        return result

    return {"_hamiltonian_step": _hamiltonian_step}


def chains_recording_in_workers(traces: Any) -> Any:
    """Return the traces if workers can write to them themselves, else None.

    Feature: a ZarrTrace on disk gets its draws, and the sampling state, from the workers.
    """
    if not all(isinstance(trace, _ZarrChainBase) for trace in traces):
        return None
    from zarr.storage import MemoryStore

    if isinstance(traces[0]._posterior.store, MemoryStore):
        warnings.warn(
            "Parallel sampling with MemoryStore zarr store won't write the processes step method "
            "sampling state. If you wish to be able to access the step method sampling state, "
            "please use a different storage backend, e.g. DirectoryStore or ZipStore",
            UserWarning,
            stacklevel=2,
        )
        return None
    return traces


def is_jax_linker(linker: Any) -> bool:
    """Say whether a linker is JAX's. Feature: nutpie compiles for the backend asked for."""
    return isinstance(linker, JAXLinker)


def nutpie_density(compiled: Any) -> Any:
    """Return nutpie's own log-density with gradient, from a raveled point.

    Feature: nutpie is not started on a model without a usable starting point.
    """
    if hasattr(compiled, "logp_func"):
        return compiled.logp_func
    function = compiled._make_logp_func()
    return lambda x: function(x, **compiled._shared_data)


def nutpie_start(compiled: Any, seed: int) -> np.ndarray:
    """Return one of nutpie's jittered starting points. Feature: as for `nutpie_density`."""
    if hasattr(compiled, "initial_point_func"):
        return compiled.initial_point_func(seed)
    return compiled._make_initial_points(seed)


def nutpie_with_starts(compiled: Any, function: Any) -> Any:
    """Return a compiled model with another source of starting points.

    Feature: no chain fails for want of a start and takes the draws of the others with it.
    """
    name = (
        "initial_point_func" if hasattr(compiled, "initial_point_func") else "_make_initial_points"
    )
    return dataclasses.replace(compiled, **{name: function})


def nutpie_guarded(compiled: Any, density: Any, expansion: Any) -> Any:
    """Return a compiled model whose workers call what the two functions make of their own.

    Only for JAX: Numba's functions are called without Python.

    Feature: an error of a user's Op inside nutpie costs no draws.
    """
    if not hasattr(compiled, "_make_logp_func"):
        return compiled
    make_logp, make_expand = compiled._make_logp_func, compiled._make_expand_func
    return dataclasses.replace(
        compiled,
        _make_logp_func=lambda: density(make_logp()),
        _make_expand_func=lambda *args: expansion(make_expand(*args)),
    )


def is_nutpie_failure(error: BaseException) -> bool:
    """Say whether an error is of nutpie's own making, a panic of its Rust part included.

    Feature: a failure of nutpie is a SamplingAborted.
    """
    # PanicException is no Exception, and no module exports it.
    return isinstance(error, RuntimeError | ValueError) or type(error).__name__ == "PanicException"


def nutpie_end(handle: Any) -> Any:
    """End a run and return its trace, None if nutpie keeps none.

    Feature: an error while nutpie samples leaves no thread behind, and costs no draws.
    """
    try:
        tree = handle.abort()
    except BaseException as error:
        if not is_nutpie_failure(error):
            raise
        return None
    return tree if tree["sample_stats"].data_vars else None


def as_point(model: Any, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return a raveled point of nutpie's as a dict by value variable.

    Feature: the report names the values at which nutpie failed.
    """
    point, position = {}, 0
    for name, value in model.initial_point().items():
        point[name] = np.array(x[position : position + value.size]).reshape(value.shape)
        position += value.size
    return point


def nutpie_finished(handle: Any, seconds: float) -> bool:
    """Wait for nutpie and say whether it is done. Feature: nutpie is watched while it runs."""
    try:
        handle._sampler.wait(seconds)
    except TimeoutError:
        return False
    return True


def nutpie_settings(handle: Any) -> dict[str, Any]:
    """Return the settings of a nutpie run. Feature: the watchdog knows where tuning ends."""
    return handle._settings.as_dict()["settings"]


# Handles of nutpie runs with a thread that hangs: dropping one waits for the thread.
_HANGING: list[Any] = []


def nutpie_leave_hanging(handle: Any) -> Any:
    """Return a copy of the trace of a run with a thread that will not end, and let go of it.

    Feature: `stall_seconds` with nutpie, whose threads cannot be ended from outside.
    """
    tree = handle.inspect()
    _HANGING.append(handle)
    return tree


def jax_density(model: Any) -> Any:
    """Return the log-density with gradient that JAX samplers use, from a point as a dict.

    Feature: NumPyro is not started on a model whose gradient JAX cannot give.
    """
    import jax
    from pymc.sampling.jax import get_jaxified_logp

    function = jax.jit(jax.value_and_grad(get_jaxified_logp(model)))
    names = [variable.name for variable in model.value_vars]

    def density(point):
        logp, gradient = function([jax.numpy.asarray(point[name]) for name in names])
        return float(logp), np.concatenate([np.ravel(g) for g in gradient])

    return density


def jax_starts(
    model: Any, chains: int, initvals: Any, seed: int, *, jitter: bool
) -> list[dict[str, np.ndarray]]:
    """Return the starting points a JAX sampler will use. Feature: they are checked before it."""
    from pymc.sampling.jax import get_jaxified_logp
    from pymc.util import _get_seeds_per_chain

    logp = get_jaxified_logp(model)
    return _mcmc._init_jitter(
        model,
        initvals,
        seeds=_get_seeds_per_chain(seed, chains),
        jitter=jitter,
        jitter_max_retries=10,
        logp_fn=lambda point: logp([np.asarray(value) for value in point.values()]),
    )


def zarr_lengths(trace: Any) -> list[int]:
    """Return how many draws each chain of a ZarrTrace has. Feature: aborted chains are cut."""
    return [int(drawn) for drawn in trace._sampling_state.draw_idx[:]]


def check_broadcasting(node: Any, arguments: Any) -> None:
    """Raise where an Elemwise would for shapes that its types do not allow.

    Feature: `diagnose` finds a shape that only broadcasts at run time to fail, as compiled code.
    """
    node.op._check_runtime_broadcast(node, arguments)


def link_scan(op: Any, linker: Any) -> Any:
    """Link a Scan's inner graph with a linker, and return that graph.

    Feature: `diagnose` runs a loop without compiling it, and looks at its operations.
    """
    op._fn = op.compile_fn(link_only_mode(linker))
    return op._fn.maker.fgraph
