"""The arguments of one call to ``sample``, and the sampler ``pm.sample`` would pick for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np
from pymc.model import Model
from pymc.step_methods import NUTS, STEP_METHODS
from pymc.util import get_random_generator
from pytensor.compile.mode import get_mode

from pymc_safetrunc import _upstream
from pymc_safetrunc.watchdog.policy import WatchdogPolicy

__all__ = ["Request", "check_installed", "pick_sampler"]

# What each sampler needs, and what to give pip
_NEEDS = {
    "nutpie": (("nutpie",), "nutpie"),
    "numpyro": (("jax", "numpyro"), "jax numpyro"),
    "blackjax": (("jax", "blackjax"), "jax blackjax"),
}


@dataclass
class Request:
    """What was asked for, with PyMC's defaults filled in and no object of the caller shared.

    The names are those of ``pm.sample``; ``step_kwargs`` are its keyword arguments for the step
    methods. ``rngs`` and ``seeds`` are derived as ``pm.sample`` derives them.
    """

    model: Model
    policy: WatchdogPolicy
    draws: int
    tune: int | None
    chains: int
    cores: int
    progressbar: Any
    progressbar_theme: Any
    quiet: bool
    step: Any
    var_names: Any
    nuts_sampler: str | None
    initvals: Any
    init: str
    jitter_max_retries: int
    n_init: int
    trace: Any
    discard_tuned_samples: bool
    compute_convergence_checks: bool
    keep_warning_stat: bool
    return_inferencedata: bool
    idata_kwargs: dict[str, Any]
    callback: Any
    mp_ctx: Any
    compile_kwargs: dict[str, Any]
    step_kwargs: dict[str, Any]
    blas_limiter: Callable[[], Any]
    blas_cores_per_worker: int | None
    rngs: list[np.random.Generator]
    seeds: list[int]

    @classmethod
    def from_arguments(cls, arguments: dict[str, Any], policy: WatchdogPolicy) -> Request:
        """Normalise the arguments of ``pm.sample`` the way it does.

        Raises
        ------
        ValueError
            If an argument is not allowed, in PyMC's words.
        """
        given = dict(arguments)
        backend, blas_cores = given.pop("backend"), given.pop("blas_cores")
        random_seed = given.pop("random_seed")
        if given["quiet"]:
            given["progressbar"] = False
        if given["cores"] is None:
            given["cores"] = min(4, _upstream.cpu_count())
        if given["chains"] is None:
            given["chains"] = max(2, given["cores"])
        given["compile_kwargs"] = _upstream.compile_kwargs(backend, given["compile_kwargs"])
        given["mp_ctx"] = _upstream.multiprocessing_context(
            given["mp_ctx"], mode=given["compile_kwargs"].get("mode"), quiet=given["quiet"]
        )
        limiter, given["cores"], per_worker = _upstream.blas_settings(
            blas_cores, given["chains"], given["cores"], given["mp_ctx"]
        )
        given["idata_kwargs"] = dict(given["idata_kwargs"] or {})
        if isinstance(random_seed, int) and random_seed == -1:
            raise ValueError(
                "Setting random_seed = -1 is not allowed. Pass `None` to not specify a seed."
            )
        rngs = get_random_generator(random_seed).spawn(given["chains"])
        return cls(
            **given,
            policy=policy,
            blas_limiter=limiter,
            blas_cores_per_worker=per_worker,
            rngs=rngs,
            seeds=[rng.integers(2**30) for rng in rngs],
        )

    @cached_property
    def assigned(self) -> tuple[list, dict]:
        """The steps the caller gave, and the step classes PyMC assigns to the other variables."""
        return _upstream.assign_step_methods(self.model, self.step, methods=STEP_METHODS)

    @cached_property
    def exclusive_nuts(self) -> bool:
        """Whether one NUTS owns all variables."""
        provided, selected = self.assigned
        if provided:
            return not selected and len(provided) == 1 and isinstance(provided[0], NUTS)
        return len(selected) == 1 and issubclass(next(iter(selected)), NUTS)


def pick_sampler(request: Request) -> str:
    """Return "pymc", "nutpie", "numpyro" or "blackjax", as ``pm.sample`` would.

    Raises
    ------
    ValueError
        If the sampler asked for cannot sample this model, in PyMC's words.
    """
    if request.nuts_sampler is not None:
        if request.nuts_sampler != "pymc" and not request.exclusive_nuts:
            raise ValueError(
                f"`nuts_sampler={request.nuts_sampler!r}` requires all variables to be "
                "differentiable and not assigned to another step sampler."
            )
        return request.nuts_sampler
    linker = get_mode(request.compile_kwargs.get("mode")).linker
    nutpie = (
        request.exclusive_nuts
        and not request.assigned[0]
        and _upstream.nutpie_usable()
        and request.init == "auto"
        and request.return_inferencedata
        and request.trace is None
        and request.callback is None
        and (request.initvals is None or isinstance(request.initvals, dict))
        and _upstream.linker_suits_nutpie(linker)
    )
    return "nutpie" if nutpie else "pymc"


def check_installed(sampler: str) -> None:
    """See that the packages of a sampler are there.

    Raises
    ------
    ImportError
        If one is not; the message says how to install it.
    """
    packages, to_install = _NEEDS.get(sampler, ((), ""))
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"nuts_sampler={sampler!r}: {' and '.join(missing)} not found. "
            f"Install with: pip install {to_install}"
        )
