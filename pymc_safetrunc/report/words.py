"""Words and order that every face of the findings shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from pymc_safetrunc.findings import Finding, Severity

__all__ = [
    "KINDS",
    "SEVERITIES",
    "at_point",
    "by_severity",
    "count",
    "count_points",
    "count_severities",
    "with_repeats",
]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "hint")
# The points that a check looks at, in the order in which they matter: one of them, and several.
KINDS = {
    "initial": ("initial point", "initial points"),
    "jittered": ("jittered starting point", "jittered starting points"),
    "prior": ("draw from the prior", "draws from the prior"),
    "corner": ("corner", "corners"),
}


def count(number: int, one: str, many: str | None = None) -> str:
    """Number with its noun."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def count_points(number: int, kind: str) -> str:
    """Say how many points of a kind."""
    return count(number, *KINDS[kind])


def count_severities(findings: Iterable[Finding]) -> list[str]:
    """Say how many findings there are of each severity, the worst first."""
    counts = Counter(finding.severity for finding in findings)
    return [count(counts[severity], severity) for severity in SEVERITIES if counts[severity]]


def at_point(kind: str) -> str:
    """Say at what kind of point something was met."""
    far = ", with every variable at 0, 10 or -10 on the unconstrained scale"
    article = "the" if kind == "initial" else "a"
    return f"at {article} {KINDS[kind][0]}{far if kind == 'corner' else ''}"


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings with the worst first, else in the order in which they were found."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def with_repeats(findings: Iterable[Finding]) -> Iterator[tuple[Finding, bool]]:
    """Each finding, and whether its remedy was shown with one before it."""
    shown: set[str | None] = set()
    for finding in findings:
        yield finding, finding.remedy in shown
        shown.add(finding.remedy)
