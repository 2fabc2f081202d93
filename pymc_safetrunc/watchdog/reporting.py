"""From a stop to the report a user reads."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from pymc.model import Model

from pymc_safetrunc.diagnosis import diagnose
from pymc_safetrunc.findings import Diagnosis, WatchdogReport
from pymc_safetrunc.watchdog.counter import NONFINITE, Cause

__all__ = ["ChainStopped", "Stop", "build_report", "in_short"]

_log = logging.getLogger(__name__)

_BARE_WATCH = (
    "Draws: a bare watch() cannot keep them. Sample with pymc_safetrunc.sample, or give "
    "pm.sample a trace= of your own."
)
_ADVICE = {
    Cause.LOGP_MINUS_INF: (
        "To do: the sampler runs out of the support. Check bounds, observed values and priors; "
        "give bounded variables a distribution that knows their bounds."
    ),
    Cause.ENERGY_ERROR: (
        "To do: reparametrise (non-centred hierarchies), standardise the data, or raise "
        "target_accept."
    ),
    Cause.LINEAR_ALGEBRA: (
        "To do: standardise the data so that the scales of the variables are alike, or choose "
        "another init."
    ),
    Cause.STALLED: (
        "To do: find what hangs (a user Op, an endless loop, a machine out of memory), or raise "
        "WatchdogPolicy(stall_seconds=...)."
    ),
    Cause.WORKER_DIED: (
        "To do: look for a crash in compiled code or for the system's out-of-memory killer; "
        "cores=1 without stall_seconds shows the crash in this process."
    ),
    Cause.EXCEPTION: "To do: mend what raised; the original error is the cause of this one.",
}
_OF_PARAMETERS = {"invalid-parameter", "inverted-bounds"}
_ADVICE_NONFINITE = (
    "To do: remove the operation that is not finite (see the diagnosis). Infinity handed over as "
    "data or as a parameter is the usual reason: write None for a bound that is not there."
)


@dataclass
class Stop:
    """A chain's last transition, as the process that ran it knows it.

    Attributes
    ----------
    cause : Cause
        Why.
    limit : str or None
        Field of the policy that was reached, "absorbing", or None.
    run_length : int
        Bad transitions in a row.
    transitions : int
        All transitions of the chain, tuning ones included.
    phase : str
        "initial point", "tuning" or "sampling".
    point : dict of str to ndarray
        Where it went wrong, by value variable.
    step : str
        The step method and its variables.
    detail : str
        Anything else worth a sentence.
    """

    cause: Cause
    limit: str | None = None
    run_length: int = 0
    transitions: int = 0
    phase: str = "sampling"
    point: dict[str, np.ndarray] = field(default_factory=dict)
    step: str = ""
    detail: str = ""


class ChainStopped(Exception):
    """Ends sampling from inside; becomes a SamplingAborted once the draws are collected."""

    def __init__(self, chain: int | None, stop: Stop, original: BaseException | None = None):
        super().__init__(chain, stop, original)
        self.chain = chain
        self.stop = stop
        self.original = original


def build_report(
    stop: Stop,
    *,
    chain: int | None,
    model: Model | None,
    sampler: str = "pymc",
    keeps_draws: bool = True,
) -> WatchdogReport:
    """Diagnose the bad point and say everything in words.

    A failure of the diagnosis is logged and mentioned, and hides nothing.
    """
    diagnosis, detail = None, stop.detail
    if stop.cause in NONFINITE and stop.point and model is not None:
        diagnosis, failure = _diagnose(stop.point, model)
        detail = " ".join(filter(None, (detail, failure)))
        if diagnosis is not None and stop.phase == "initial point":
            diagnosis = _of_no_start(diagnosis)
    explained = diagnosis is not None and bool(diagnosis.findings)
    advice = _ADVICE_NONFINITE if stop.cause in NONFINITE else _ADVICE[stop.cause]
    return WatchdogReport(
        cause=str(stop.cause),
        explanation=stop.cause.words,
        phase=stop.phase,
        chain=chain,
        draw=stop.transitions,
        limit=stop.limit,
        run_length=stop.run_length,
        point=stop.point,
        diagnosis=diagnosis,
        sampler=sampler,
        step=stop.step,
        detail=detail,
        # the remedy of a finding is better advice than ours
        advice=(advice,) * (not explained) + (_BARE_WATCH,) * (not keeps_draws),
    )


def _of_no_start(diagnosis: Diagnosis) -> Diagnosis:
    """Make errors of what leaves no start a density; gradients do not say the same once more."""

    def said(finding):
        return finding.factor, finding.rule, finding.source, finding.index

    errors = [replace(f, severity="error") for f in diagnosis.findings if f.quantity == "logp"]
    told = {said(f) for f in errors if f.rule in _OF_PARAMETERS}
    others = (f for f in diagnosis.findings if f.quantity != "logp" and said(f) not in told)
    return replace(diagnosis, findings=(*errors, *others))


def _diagnose(point: Mapping[str, np.ndarray], model: Model) -> tuple[Diagnosis | None, str]:
    """Return the diagnosis, or None and why there is none."""
    names = {variable.name for variable in model.value_vars}
    try:
        return diagnose({n: v for n, v in point.items() if n in names}, model), ""
    except Exception as error:
        _log.warning("The diagnosis at the bad point failed.", exc_info=True)
        return None, f"(The diagnosis failed: {in_short(error)})"


def in_short(error: BaseException) -> str:
    """Return type and message of an error, in one line.

    That is its first, and the last where it quotes a traceback, as JAX's do.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if "Traceback (most recent call last)" in str(error):
        return f"{type(error).__name__}: … {lines[-1]}"
    return ": ".join([type(error).__name__, *lines[:1]])
