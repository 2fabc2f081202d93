"""Findings for a notebook: fragments without scripts; every name from a model is escaped."""

from __future__ import annotations

from html import escape

from pymc_safetrunc.findings import Diagnosis, Finding
from pymc_safetrunc.report.text import facts, headline, printable, where

__all__ = ["diagnosis_html", "finding_html", "safe"]

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
    return f'{STYLE}<div class="pst">{_finding(finding)}</div>'


def diagnosis_html(diagnosis: Diagnosis) -> str:
    """HTML fragment of a diagnosis."""
    notes = "".join(f'<p class="pst-note">{safe(note)}</p>' for note in diagnosis.notes)
    findings, shown = "", set()
    for finding in diagnosis.findings:
        findings += _finding(finding, unfolded=finding.remedy not in shown)
        shown.add(finding.remedy)
    return (
        f'{STYLE}<div class="pst"><p><strong>Diagnosis:</strong> {safe(headline(diagnosis))}</p>'
        f"{findings}{notes}{_point(diagnosis)}</div>"
    )


def _finding(finding: Finding, unfolded: bool = True) -> str:
    rows = "".join(
        f"<dt>{label}</dt><dd><code>{safe(value)}</code></dd>" for label, value in facts(finding)
    )
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
        f"<p>{safe(finding.message)}</p><dl>{rows}</dl>{remedy}</div>"
    )


def _point(diagnosis: Diagnosis) -> str:
    if not diagnosis.point:
        return ""
    rows = "".join(
        f"<dt>{safe(name)}</dt><dd><code>{safe(value)}</code></dd>"
        for name, value in diagnosis.point.items()
    )
    return f"<details><summary>The point</summary><dl>{rows}</dl></details>"
