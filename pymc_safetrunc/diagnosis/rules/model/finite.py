"""Points at which the log-density or its gradient is not finite, with the operation behind it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np

from pymc_safetrunc.diagnosis.examination import NO_DENSITY, examine
from pymc_safetrunc.diagnosis.expression import plain
from pymc_safetrunc.diagnosis.facts import KINDS, Facts, Kind, Probe
from pymc_safetrunc.diagnosis.rules.model import remedies
from pymc_safetrunc.findings import Finding, Severity
from pymc_safetrunc.report.words import KINDS as WORDS

__all__ = ["nonfinite_gradient", "nonfinite_logp"]

_QUANTITY = {"logp": "log-density", "gradient": "gradient"}
_BY_DESIGN = "outside-support"
# Seconds after which causes are only looked for at the first bad point of each kind.
PATIENCE = 10.0


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


class Sighting:
    """A cause as it was met first, and how many points of each kind it was met at."""

    def __init__(self, cause: Finding):
        self.cause = cause
        self.points: Counter[Kind] = Counter()


def _told(facts: Facts, quantity: Literal["logp", "gradient"], bad) -> Iterator[Finding]:
    seen: dict[tuple[str | None, str | None, str], Sighting] = {}
    until = min(facts.deadline, time.monotonic() + PATIENCE)
    unknown = 0
    for kind in KINDS:
        for position, probe in enumerate(filter(bad, facts.of(kind))):
            if position and time.monotonic() > until:
                unknown += 1
                continue
            for cause in _causes(facts, probe, quantity):
                key = cause.factor, cause.variable, cause.rule
                seen.setdefault(key, Sighting(cause)).points[kind] += 1
    if unknown:
        facts.notes.append(
            f"What made the {_QUANTITY[quantity]} not finite was not looked for at {unknown} of "
            "the points: it takes long. They are not among those that the findings count."
        )
    for sighting in seen.values():
        severity = _severity(facts, quantity, sighting, bad)
        if severity is not None:
            yield _finding(facts, quantity, sighting, severity)


def _causes(facts: Facts, probe: Probe, quantity) -> list[Finding]:
    """Return what the diagnosis says, or a bare statement when every factor by itself is finite."""
    diagnosis = examine(facts.model, probe.point, gradients=quantity == "gradient")
    causes = [finding for finding in diagnosis.findings if finding.quantity == quantity]
    if causes:
        return causes
    return [
        Finding(
            f"nonfinite-{quantity}",
            "error",
            f"The {_QUANTITY[quantity]} of the compiled model is not finite here, though that of "
            "every factor is.",
            quantity=quantity,
        )
    ]


def _severity(facts: Facts, quantity, sighting: Sighting, bad) -> Severity | None:
    """Grade by what a sampler makes of such points; None where they are none of its business."""
    by_design = sighting.cause.severity == "warning"  # a -inf that the distribution means, a kink
    grade = _of_gradient if quantity == "gradient" else _of_logp
    grades = (
        grade(kind, by_design, all(map(bad, facts.of(kind))), number / len(facts.of(kind)))
        for kind in KINDS
        if (number := sighting.points[kind])
    )
    return next((severity for severity in grades if severity is not None), None)


def _of_gradient(kind: Kind, by_design: bool, no_good: bool, share: float) -> Severity:
    start = kind in ("initial", "jittered")
    if by_design:  # a kink, which any jitter leaves
        return "warning" if start else "hint"
    # PyMC looks at the log-density of a starting point only: the chain could never move
    return "error" if start else "warning" if kind == "prior" else "hint"


def _of_logp(kind: Kind, by_design: bool, no_good: bool, share: float) -> Severity | None:
    if kind == "initial" or (kind == "jittered" and no_good):
        return "error"
    if kind == "jittered":
        return "warning"  # another start is drawn
    if by_design:
        return "warning" if kind == "prior" and share > 0.5 else None
    return "warning" if kind == "prior" else "hint"


def _finding(facts: Facts, quantity, sighting: Sighting, severity: Severity) -> Finding:
    cause = sighting.cause
    if cause.rule == NO_DENSITY:
        return cause
    places = []
    for kind in KINDS:
        if number := sighting.points[kind]:
            one, many = WORDS[kind]
            of_all = f"{number} of {len(facts.of(kind))} {many}"
            places.append(f"the {one}" if kind == "initial" else of_all)
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
