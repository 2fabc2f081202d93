"""The check before sampling, for a terminal and for a notebook."""

from __future__ import annotations

from collections import Counter

from rich.console import Group, RenderableType
from rich.text import Text

from pymc_safetrunc.findings import ModelCheck
from pymc_safetrunc.report import html, text
from pymc_safetrunc.report.text import printable, render

__all__ = ["check_html", "check_renderable", "check_text"]

_KIND = {
    "initial": ("initial point", "initial points"),
    "jittered": ("jittered point", "jittered points"),
    "prior": ("draw from the prior", "draws from the prior"),
    "corner": ("corner", "corners"),
}


def verdict(check: ModelCheck) -> str:
    """Say the verdict in one line."""
    counts = Counter(finding.severity for finding in check.findings)
    found = ", ".join(
        _count(counts[severity], severity, f"{severity}s")
        for severity in ("error", "warning", "hint")
        if counts[severity]
    )
    variables = _count(len(check.variables), "variable", "variables")
    return f"{found or 'nothing found'} in {variables}"


def looked_at(check: ModelCheck) -> str:
    """Say at which points the model was looked at."""
    parts = [_count(number, *_KIND[kind]) for kind, number in check.points.items() if number]
    return f"Looked at {', '.join(parts)}." if parts else ""


def check_renderable(check: ModelCheck) -> Group:
    """Give what rich shows in a terminal."""
    mark, style = ("✓", "bold green") if check.ok else ("✗", "bold red")
    parts: list[RenderableType] = [
        Text.assemble((f"{mark} ", style), (f"Check: {verdict(check)}", "bold"))
    ]
    shown: set[str] = set()
    for finding in check.findings:
        parts += [Text(""), text._finding(finding, repeated=finding.remedy in shown)]
        if finding.remedy:
            shown.add(finding.remedy)
    if check.findings:
        parts += [Text("")]
    parts += [Text(printable(line), style="dim") for line in _foot(check)]
    return Group(*parts)


def check_text(check: ModelCheck) -> str:
    """Plain text of a check."""
    return render(check_renderable(check))


def check_html(check: ModelCheck) -> str:
    """HTML fragment of a check."""
    findings, shown = "", set()
    for finding in check.findings:
        findings += html._finding(finding, unfolded=finding.remedy not in shown)
        shown.add(finding.remedy)
    foot = "".join(f'<p class="pst-note">{html.safe(line)}</p>' for line in _foot(check))
    return (
        f'{html.STYLE}<div class="pst"><p><strong>Check:</strong> '
        f"{html.safe(verdict(check))}</p>{findings}{foot}</div>"
    )


def _foot(check: ModelCheck) -> list[str]:
    lines = [looked_at(check)] if looked_at(check) else []
    lines += [f"Note: {note}" for note in check.notes]
    return lines


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
