"""Findings for a notebook: fragments without scripts; every name from a model is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from pymc_safetrunc.findings import Diagnosis, Finding, WatchdogReport
from pymc_safetrunc.report.text import (
    POINT_TITLE,
    cause,
    facts,
    headline,
    kept,
    point_values,
    printable,
    stopped,
    where,
)
from pymc_safetrunc.report.words import with_repeats

__all__ = [
    "diagnosis_html",
    "finding_html",
    "findings_html",
    "fragment",
    "safe",
    "watchdog_html",
]

# Colours that keep a contrast of at least 4.5 on white and on a notebook's dark background
# are scarce: the marks carry their own background, text inherits the notebook's colour.
STYLE = """
<style>
.pst { font-family: system-ui, sans-serif; font-size: 14px; line-height: 1.45; max-width: 60em; }
.pst-finding { border-left: 4px solid #888; margin: .7em 0; padding: .1em 0 .1em .8em; }
.pst-error { border-color: #c62828; } .pst-warning { border-color: #b26a00; }
.pst-hint { border-color: #1565c0; }
.pst-mark { color: #fff; background: #666; border-radius: 3px; padding: 0 .45em;
  font-size: 12px; margin-right: .5em; }
.pst-error .pst-mark { background: #c62828; } .pst-warning .pst-mark { background: #b26a00; }
.pst-hint .pst-mark { background: #1565c0; }
.pst-rule, .pst-note, .pst dt { opacity: .7; }
.pst p { margin: .3em 0; }
.pst dl { display: grid; grid-template-columns: max-content auto; gap: 0 1em; margin: .3em 0; }
.pst dd { margin: 0; overflow-wrap: anywhere; }
.pst code, .pst pre { font-family: ui-monospace, monospace; font-size: 12.5px; }
.pst pre { background: rgba(128, 128, 128, .12); padding: .6em .8em; overflow-x: auto;
  margin: .3em 0; }
.pst summary { cursor: pointer; }
</style>
"""


def safe(text: object) -> str:
    """Text from a model as HTML text: nothing in it is markup."""
    return escape(printable(text), quote=True)


def finding_html(finding: Finding) -> str:
    """HTML fragment of one finding."""
    return fragment(findings_html([finding]))


def diagnosis_html(diagnosis: Diagnosis) -> str:
    """HTML fragment of a diagnosis."""
    return fragment(_diagnosis(diagnosis))


def watchdog_html(report: WatchdogReport) -> str:
    """HTML fragment of why sampling ended."""
    found = "" if report.diagnosis is None else f"<div>{_diagnosis(report.diagnosis)}</div>"
    rest = "".join(f"<p>{safe(line)}</p>" for line in (*report.advice, *kept(report)))
    values = _pairs(point_values(report))
    at = f"<p>{POINT_TITLE}</p>{values}" if values else ""
    return fragment(
        f"<p><strong>{safe(stopped(report))}</strong></p>"
        f"<p>{safe(cause(report))}</p>{at}{found}{rest}"
    )


def fragment(content: str) -> str:
    """Content with the style it needs: a fragment that stands by itself."""
    return f'{STYLE}<div class="pst">{content}</div>'


def findings_html(findings: Iterable[Finding]) -> str:
    """Findings one below the other; a remedy that was shown before is folded."""
    return "".join(_finding(finding, not repeated) for finding, repeated in with_repeats(findings))


def _diagnosis(diagnosis: Diagnosis) -> str:
    notes = "".join(f'<p class="pst-note">{safe(note)}</p>' for note in diagnosis.notes)
    return (
        f"<p><strong>Diagnosis:</strong> {safe(headline(diagnosis))}</p>"
        f"{findings_html(diagnosis.findings)}{notes}{_point(diagnosis)}"
    )


def _finding(finding: Finding, unfolded: bool) -> str:
    remedy = ""
    if finding.remedy:
        remedy = (
            f"<details{' open' if unfolded else ''}><summary>Remedy</summary>"
            f"<pre><code>{safe(finding.remedy.rstrip())}</code></pre></details>"
        )
    return (
        f'<div class="pst-finding pst-{safe(finding.severity)}">'
        f'<p><span class="pst-mark">{safe(finding.severity)}</span>'
        f"<strong>{safe(where(finding))}</strong> "
        f'<span class="pst-rule">{safe(finding.rule)}</span></p>'
        f"<p>{safe(finding.message)}</p>{_pairs(facts(finding))}{remedy}</div>"
    )


def _point(diagnosis: Diagnosis) -> str:
    values = _pairs(diagnosis.point.items())
    return f"<details><summary>The point</summary>{values}</details>" if values else ""


def _pairs(pairs: Iterable[tuple[str, object]]) -> str:
    rows = "".join(
        f"<dt>{safe(name)}</dt><dd><code>{safe(value)}</code></dd>" for name, value in pairs
    )
    return f"<dl>{rows}</dl>" if rows else ""
