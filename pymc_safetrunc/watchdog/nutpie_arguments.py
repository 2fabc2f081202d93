"""What ``pm.sample`` makes of its arguments for nutpie."""

from __future__ import annotations

import warnings
from typing import Any

from pytensor.compile.mode import get_mode
from xarray import DataTree

from pymc_safetrunc import _upstream
from pymc_safetrunc.watchdog.request import Request

__all__ = ["settings", "with_log_likelihood"]


def settings(request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    """Translate the arguments for nutpie as ``pm.sample`` does.

    Returns
    -------
    nuts_kwargs, compile_kwargs : dict
        What is left for ``nutpie.sample``, and for ``nutpie.compile_pymc_model``.
    """
    ignored = sorted(set(request.idata_kwargs) - {"include_transformed", "log_likelihood"})
    if ignored:
        warnings.warn(
            f"`idata_kwargs` keys {ignored} are currently ignored by the nutpie sampler",
            UserWarning,
            stacklevel=6,
        )
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


def with_log_likelihood(tree: DataTree, request: Request) -> DataTree:
    """Add the log-likelihood where ``idata_kwargs`` asks for it."""
    wanted = request.idata_kwargs.get("log_likelihood", False)
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
