"""Why a transition of a step was bad, told from what it left behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pymc.blocking import RaveledVars
from pymc.step_methods import Slice
from pymc.step_methods.hmc.base_hmc import BaseHMC

from pymc_safetrunc.watchdog.counter import Cause

if TYPE_CHECKING:
    from pymc_safetrunc.watchdog.step import StepWatch

__all__ = ["judge_for", "trajectory_cause"]

_INF = float("inf")

Judge = Callable[["StepWatch", Sequence[dict[str, Any]]], Cause | None]


def judge_for(base: type) -> Judge | None:
    """Return the judge of a step class; None for a Hamiltonian one, which tells its cause."""
    if issubclass(base, BaseHMC):
        return None
    return _accepted if issubclass(base, Slice) else _left_behind


def trajectory_cause(start, info) -> tuple[Cause, RaveledVars]:
    """Tell why a Hamiltonian trajectory diverged, and at which position."""
    if not np.isfinite(start.q_grad).all():
        return Cause.GRADIENT_AT_STATE, start.q
    proposal = info.state_div
    if info.exec_info is not None or proposal is None:
        return Cause.LINEAR_ALGEBRA, start.q if info.state is None else info.state.q
    logp = proposal.model_logp
    if logp == -_INF:
        return Cause.LOGP_MINUS_INF, proposal.q
    if not np.isfinite(proposal.q.data).all():
        # Only a gradient that was not finite one leapfrog step before leads to such a position.
        return Cause.GRADIENT_ON_PATH, info.state.q
    if not logp < _INF:
        return Cause.LOGP_NAN, proposal.q
    if not np.isfinite(proposal.q_grad).all():
        return Cause.GRADIENT_ON_PATH, proposal.q
    return Cause.ENERGY_ERROR, proposal.q


def _left_behind(watch: StepWatch, stats) -> Cause | None:
    """Judge a gradient-free step by the densities it met, or one of the user's by its stats."""
    if watch.spies:
        return _cause_from_spies(watch, Cause.ACCEPTANCE_NAN)
    for row in stats:
        if row.get("diverging"):
            return Cause.ENERGY_ERROR
        # an acceptance that overflows to infinity is none that is not a number
        if (accept := row.get("accept")) is not None and accept != accept:
            return Cause.ACCEPTANCE_NAN
    return None


def _accepted(watch: StepWatch, stats) -> Cause | None:
    """Judge Slice, which accepts a NaN.

    One that it met while it looked for the ends of its interval does no harm.
    """
    for spy in watch.spies:
        if not spy.last_is_bad:
            spy.bad = None
    return _cause_from_spies(watch, Cause.ACCEPTED_NAN)


def _cause_from_spies(watch: StepWatch, cause: Cause) -> Cause | None:
    found = None
    for spy in watch.spies:
        if spy.bad is not None:
            found, watch.bad, spy.bad = cause, spy.bad, None
    return found
