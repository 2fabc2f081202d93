"""Points at which the log-density or its gradient is not finite, with the operation behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np

from pymc_safetrunc.diagnosis.examination import diagnose
from pymc_safetrunc.diagnosis.expression import plain
from pymc_safetrunc.diagnosis.facts import Facts, Kind, Probe
from pymc_safetrunc.diagnosis.rules.model import remedies
from pymc_safetrunc.findings import Finding, Severity

__all__ = ["nonfinite_gradient", "nonfinite_logp"]

KINDS: tuple[Kind, ...] = ("initial", "jittered", "prior", "corner")
_WORDS = {
    "initial": "the initial point",
    "jittered": "jittered starting points",
    "prior": "draws from the prior",
    "corner": "corners",
}
_BY_DESIGN = "outside-support"


def nonfinite_logp(facts: Facts) -> Iterator[Finding]:
    """Find points at which the log-density is NaN or infinite."""
    yield from _told(facts, "logp", lambda probe: not np.isfinite(probe.logp))
    starts = facts.of("initial", "jittered")
    if starts and not any(np.isfinite(probe.logp) for probe in starts):
        facts.notes.append(
            "No starting point has a finite log-density, so that gradients were not judged there: "
            "mend it, and check again."
        )


def nonfinite_gradient(facts: Facts) -> Iterator[Finding]:
    """Find points with a finite log-density and a gradient that is not."""
    yield from _told(facts, "gradient", lambda probe: np.isfinite(probe.logp) and not probe.finite)


def _told(facts: Facts, quantity: Literal["logp", "gradient"], bad) -> Iterator[Finding]:
    told = set()
    hopeless = False
    for kind in KINDS:
        probes = facts.of(kind)
        sick = [probe for probe in probes if bad(probe)]
        # where no chain can start there is no need to look farther
        if not sick or (hopeless and kind not in ("initial", "jittered")):
            continue
        share = len(sick) / len(probes)
        for cause in _causes(facts, sick[0], quantity):
            severity = _severity(kind, quantity, share, cause)
            if severity is None or (cause.factor, cause.variable) in told:
                continue
            told.add((cause.factor, cause.variable))
            hopeless = hopeless or severity == "error"
            yield _finding(facts, cause, quantity, severity, bad)


def _causes(facts: Facts, probe: Probe, quantity) -> list[Finding]:
    """Return what the diagnosis says, or a bare statement when every factor by itself is finite."""
    diagnosis = diagnose(probe.point, facts.model)
    causes = [finding for finding in diagnosis.findings if finding.quantity == quantity]
    if causes:
        return causes
    what = "The log-density" if quantity == "logp" else "The gradient"
    return [
        Finding(
            f"nonfinite-{quantity}",
            "error",
            f"{what} of the compiled model is not finite here, though that of every factor is.",
            quantity=quantity,
        )
    ]


def _severity(kind: Kind, quantity, share: float, cause: Finding) -> Severity | None:
    """Grade by what a sampler makes of such a point; None where it is none of its business."""
    by_design = cause.severity == "warning"  # a -inf that the distribution means, a kink
    if quantity == "gradient" and by_design:  # a kink, which any jitter leaves
        return "warning" if kind in ("initial", "jittered") else "hint"
    if quantity == "gradient":
        # PyMC looks at the log-density of a starting point only: the chain could never move
        grades: dict[Kind, Severity] = {"prior": "warning", "corner": "hint"}
        return grades.get(kind, "error")
    if kind == "initial" or (kind == "jittered" and share == 1):
        return "error"
    if kind == "jittered":
        return "warning"  # another start is drawn
    if by_design:
        return "warning" if kind == "prior" and share > 0.5 else None
    return "warning" if kind == "prior" else "hint"


def _finding(facts: Facts, cause: Finding, quantity, severity: Severity, bad) -> Finding:
    places = []
    for kind in KINDS:
        probes = facts.of(kind)
        sick = sum(map(bad, probes))
        if sick:
            many = f"{sick} of {len(probes)} " if kind != "initial" else ""
            places.append(f"{many}{_WORDS[kind]}")
    message = f"{cause.message} Seen at {', '.join(places)}."
    observed = cause.factor in {rv.name for rv in facts.model.observed_RVs}
    if quantity == "logp" and cause.rule == _BY_DESIGN and observed:
        return replace(
            cause,
            rule="data-outside-bounds",
            severity=severity,
            message=message,
            remedy=remedies.rows_inside(plain(cause.factor or "y")),
        )
    return replace(cause, rule=f"nonfinite-{quantity}", severity=severity, message=message)
