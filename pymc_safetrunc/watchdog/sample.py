"""``sample``: ``pm.sample``, under the watchdog whichever sampler PyMC picks."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import fields
from difflib import get_close_matches
from inspect import signature
from typing import Any, Literal

import pymc as pm
from pymc.exceptions import SamplingError
from pymc.model import Model, modelcontext
from pymc.step_methods import STEP_METHODS

from pymc_safetrunc import _upstream
from pymc_safetrunc.watchdog import nutpie, pymc_samplers
from pymc_safetrunc.watchdog.errors import SamplingAborted
from pymc_safetrunc.watchdog.policy import WatchdogPolicy, agreed
from pymc_safetrunc.watchdog.request import Request, check_installed, pick_sampler
from pymc_safetrunc.watchdog.step import policies_of

__all__ = ["sample"]

# Likeness of a misspelled name: "scaling", which NUTS takes, is like "chains" by 0.62.
CLOSE = 0.8


def sample(
    draws: int = 1000,
    *,
    tune: int | None = None,
    chains: int | None = None,
    cores: int | None = None,
    random_seed: Any = None,
    progressbar: Any = True,
    progressbar_theme: Any = None,
    quiet: bool = False,
    step: Any = None,
    var_names: Sequence[str] | None = None,
    nuts_sampler: Literal["pymc", "nutpie", "numpyro", "blackjax"] | None = None,
    initvals: Any = None,
    init: str = "auto",
    jitter_max_retries: int = 10,
    n_init: int = 200_000,
    trace: Any = None,
    discard_tuned_samples: bool = True,
    compute_convergence_checks: bool = True,
    keep_warning_stat: bool = False,
    return_inferencedata: bool = True,
    idata_kwargs: dict[str, Any] | None = None,
    nuts_sampler_kwargs: dict[str, Any] | None = None,
    callback: Any = None,
    mp_ctx: Any = None,
    blas_cores: int | Literal["auto"] | None = "auto",
    model: Model | None = None,
    backend: str | None = None,
    compile_kwargs: dict | None = None,
    watchdog: bool | WatchdogPolicy = True,
    **kwargs: Any,
) -> Any:
    """Draw samples as ``pm.sample`` does, and stop when a chain is doomed.

    The draws of a run that is not stopped are bitwise those of ``pm.sample`` with the same
    arguments. Every argument but ``watchdog`` means what it means there.

    Parameters
    ----------
    draws : int
        Draws of each chain after tuning.
    tune : int, optional
        Tuning transitions of each chain before them; the sampler's own number by default.
    chains : int, optional
        Number of chains: by default as many as ``cores``, and at least 2.
    cores : int, optional
        Chains sampled at the same time: by default as many as the machine has cores, at most 4.
    random_seed : int, array_like or numpy.random.Generator, optional
        A seed, or one for each chain.
    progressbar, progressbar_theme
        Whether and which progress bars are shown.
    quiet : bool
        No log and no progress bars.
    step : step method or sequence of them, optional
        Built step methods; :func:`~pymc_safetrunc.watchdog.watch` is not needed around them. The
        policy of one that is watched already holds, and it stays watched.
    var_names : sequence of str, optional
        Variables to keep.
    nuts_sampler : {"pymc", "nutpie", "numpyro", "blackjax"}, optional
        By default nutpie, where it is installed and the other arguments allow it.
    initvals : dict or sequence of dict, optional
        Starting values, for all chains or for each. A good one is not moved.
    init, jitter_max_retries, n_init
        How PyMC's NUTS finds its starting points, and how often ``init`` tries. More tries
        follow, up to the policy's ``max_init_attempts``.
    trace : ZarrTrace, optional
        Where to write the draws while sampling.
    discard_tuned_samples, compute_convergence_checks, keep_warning_stat, return_inferencedata, \
idata_kwargs
        What is returned, and what is said of it.
    nuts_sampler_kwargs : dict, optional
        Deprecated: give ``nuts={...}``.
    callback : callable, optional
        Called with ``trace=`` and ``draw=`` at every draw of PyMC's own samplers.
    mp_ctx : {"fork", "forkserver", "spawn"} or context, optional
        How worker processes are started.
    blas_cores : int, "auto" or None
        Threads for linear algebra, all chains together.
    model : Model, optional
        By default that of the ``with`` block.
    backend, compile_kwargs
        How the model is compiled.
    watchdog : bool or WatchdogPolicy
        True for the default policy or that of a watched ``step``, False for plain ``pm.sample``.
    **kwargs
        Arguments for step methods by their name, as in ``nuts={"max_treedepth": 12}``, or
        ``target_accept=0.9``.

    Returns
    -------
    DataTree, MultiTrace or ZarrTrace
        What ``pm.sample`` returns. A DataTree has the group ``watchdog`` besides, with the counts
        of every chain. After Ctrl-C, what was drawn; all of it in the group ``interrupted``. What
        ``on_abort="return"`` gives is a DataTree, with ``return_inferencedata=False`` too.

    Raises
    ------
    SamplingAborted
        If a limit of the policy was reached, a starting point could not be found, an exception was
        raised while sampling, or a worker process hung or died. It holds every draw taken. With
        ``WatchdogPolicy(on_abort="return")`` the draws are returned instead, with a warning.
    ImportError
        If the sampler asked for is not installed.
    TypeError
        If ``watchdog`` is neither a bool nor a policy, or an argument is misspelled.
    ValueError
        If ``stall_seconds`` cannot be honoured, policies differ, or ``pm.sample`` refuses an
        argument.

    See Also
    --------
    pymc.sample : The arguments in full.
    pymc_safetrunc.watchdog.watch : The same for one step method in ``pm.sample(step=...)``.

    Notes
    -----
    PyMC's own samplers and nutpie are stopped while they run. NumPyro and BlackJAX give no sign
    before they are done: their starting points are checked first, and the verdict on the result
    comes before it is handed back, but such a run cannot be stopped half-way.

    With nutpie and ``stall_seconds`` the whole run is in another process, and so is a
    ``progress_callback`` of yours: what it changes does not reach this one.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc as pm
    >>> from pymc_safetrunc.watchdog import SamplingAborted, sample
    >>> with pm.Model():
    ...     x = pm.Normal("x")
    ...     idata = sample(20, tune=20, chains=1, quiet=True, compute_convergence_checks=False)
    >>> int(idata["watchdog"]["transitions_draw"].sum())
    20

    An infinite bound handed over as data gives PyMC's truncated normal a gradient of NaN:

    >>> with pm.Model():
    ...     upper = pm.Data("upper", np.inf)
    ...     sigma = pm.InverseGamma("sigma", 2, 3)
    ...     v = pm.TruncatedNormal("v", 0, sigma, lower=0, upper=upper)
    ...     try:
    ...         sample(quiet=True)
    ...     except SamplingAborted as error:
    ...         print(error.report.cause, error.report.diagnosis.findings[0].source)
    gradient-at-state upper
    """
    arguments = {
        name: value for name, value in locals().items() if name not in ("watchdog", "kwargs")
    }
    _refuse_misspelled(kwargs, arguments)
    if watchdog is False:
        return pm.sample(**arguments, **kwargs)
    policies = policies_of(step)
    if isinstance(watchdog, WatchdogPolicy):
        policies.add(watchdog)
    elif watchdog is not True:
        raise TypeError(f"sample(watchdog={watchdog!r}): give True, False or a WatchdogPolicy.")
    policy = agreed(policies)
    try:
        return _sample(arguments, kwargs, policy)
    except SamplingAborted as error:
        if policy.on_abort == "raise" or error.idata is None:
            raise
        warnings.warn(str(error), UserWarning, stacklevel=2)
        return error.idata


POLICY_FIELDS = {field.name for field in fields(WatchdogPolicy)}


def _sample(arguments: dict[str, Any], kwargs: dict[str, Any], policy: WatchdogPolicy) -> Any:
    plain = dict(arguments)
    arguments = dict(arguments, model=modelcontext(arguments["model"]))
    if not arguments["model"].free_RVs:
        raise SamplingError(
            "Cannot sample from the model, since the model does not contain any free variables."
        )
    if isinstance(arguments["trace"], list):
        raise ValueError("Please use `var_names` keyword argument for partial traces.")
    nuts_sampler_kwargs = arguments.pop("nuts_sampler_kwargs")
    step_kwargs = _step_kwargs(nuts_sampler_kwargs, kwargs)
    request = Request.from_arguments({**arguments, "step_kwargs": step_kwargs}, policy)
    sampler = pick_sampler(request)
    if sampler != "pymc" and _is_refused(request, sampler):
        return pm.sample(**plain, **kwargs)  # which says what is wrong
    check_installed(sampler)
    if sampler in ("pymc", "nutpie"):  # the others go through pm.sample, which warns itself
        _warn_as_pymc(request, nuts_sampler_kwargs is not None)
    if sampler == "pymc":
        return pymc_samplers.run(request)
    if sampler == "nutpie":
        _warn_what_is_ignored(request, sampler)
        return nutpie.run(request)
    from pymc_safetrunc.watchdog import jax

    return jax.run(request, {**plain, **kwargs})


def _refuse_misspelled(kwargs: dict[str, Any], arguments: Iterable[str]) -> None:
    """Raise for what is not for a step method and nearly the name of an argument."""
    known = {"target_accept"}
    for method in STEP_METHODS:
        # NUTS takes its arguments without its name, too
        known |= {method.name, *signature(method.__init__).parameters}
    for name in kwargs:
        if name in POLICY_FIELDS:
            raise TypeError(
                f"sample got {name!r}, which is the watchdog's: give it as "
                f"watchdog=pst.WatchdogPolicy({name}=...)."
            )
        near = get_close_matches(name, [*arguments, "watchdog", "target_accept"], 1, CLOSE)
        if near and name not in known:
            raise TypeError(
                f"sample got an unexpected argument {name!r}. Did you mean {near[0]!r}? Arguments "
                "for a step method are given by its name, as in nuts={...}."
            )


def _is_refused(request: Request, sampler: str) -> bool:
    """Say whether ``pm.sample`` refuses an external sampler, or these arguments with it."""
    return (
        sampler not in ("nutpie", "numpyro", "blackjax")
        or not request.return_inferencedata
        or request.trace is not None
        or request.callback is not None
        or not set(request.step_kwargs) <= {"nuts"}
        or (sampler == "nutpie" and not isinstance(request.initvals, dict | None))
        or (sampler == "nutpie" and _upstream.nutpie_too_old())
    )


def _warn_what_is_ignored(request: Request, sampler: str) -> None:
    if request.assigned[0]:
        warnings.warn(
            f"The provided NUTS `step` is ignored by `nuts_sampler={sampler!r}`; pass "
            "`nuts_sampler='pymc'` to use it.",
            UserWarning,
            stacklevel=4,
        )
    if request.init != "auto":
        warnings.warn(
            f"`init={request.init!r}` is ignored by `nuts_sampler={sampler!r}`; the external "
            "sampler uses its own initialization.",
            UserWarning,
            stacklevel=4,
        )


def _step_kwargs(nuts_sampler_kwargs: dict | None, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Gather the arguments of the step methods, leaving the caller's dicts alone."""
    gathered = {
        name: dict(value) if isinstance(value, dict) else value for name, value in kwargs.items()
    }
    if nuts_sampler_kwargs is not None:
        if "nuts" in gathered:
            raise ValueError(
                "Cannot pass both `nuts_sampler_kwargs` and `nuts=`. Use `nuts=` only."
            )
        gathered["nuts"] = dict(nuts_sampler_kwargs)
    if "target_accept" in gathered:
        nuts = gathered.setdefault("nuts", {})
        if "target_accept" in nuts:
            raise ValueError(
                "`target_accept` was defined twice. Please specify it either as a direct keyword "
                "argument or in the `nuts` kwarg."
            )
        nuts["target_accept"] = gathered.pop("target_accept")
    return gathered


def _warn_as_pymc(request: Request, nuts_sampler_kwargs_given: bool) -> None:
    if nuts_sampler_kwargs_given:
        warnings.warn(
            "`nuts_sampler_kwargs` is deprecated. Pass NUTS keyword arguments via the "
            "`nuts={...}` argument.",
            FutureWarning,
            stacklevel=4,
        )
    if not request.quiet and request.draws == 0:
        _upstream.sampling_log.warning("Tuning was enabled throughout the whole trace.")
    elif not request.quiet and request.draws < 100:
        _upstream.sampling_log.warning(
            f"Only {request.draws} samples per chain. Reliable r-hat and ESS diagnostics require "
            "longer chains for accurate estimate."
        )
    if not request.return_inferencedata:
        warnings.warn(
            "`return_inferencedata=False` is deprecated and will be removed in a future release "
            "of PyMC. Use the default `return_inferencedata=True`.",
            FutureWarning,
            stacklevel=4,
        )
        if not request.discard_tuned_samples:
            warnings.warn(
                "Tuning samples will be included in the returned `MultiTrace` object, which can "
                "lead to complications in your downstream analysis.",
                UserWarning,
                stacklevel=4,
            )
