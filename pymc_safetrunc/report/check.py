"""The check before sampling, for a terminal and for a notebook."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from pymc_safetrunc.findings import ModelCheck
from pymc_safetrunc.report.html import findings_html, fragment, safe
from pymc_safetrunc.report.text import finding_rich, printable, render
from pymc_safetrunc.report.words import count, count_points, count_severities, with_repeats

__all__ = ["check_html", "check_renderable", "check_text"]


def verdict(check: ModelCheck) -> str:
    """Say the verdict in one line."""
    found = ", ".join(count_severities(check.findings))
    return f"{found or 'nothing found'} in {count(len(check.variables), 'variable')}"


def looked_at(check: ModelCheck) -> str:
    """Say at which points the model was looked at."""
    parts = [count_points(number, kind) for kind, number in check.points.items() if number]
    return f"Looked at {', '.join(parts)}." if parts else ""


def check_renderable(check: ModelCheck) -> Group:
    """Give what rich shows in a terminal."""
    mark, style = ("✓", "bold green") if check.ok else ("✗", "bold red")
    parts: list[RenderableType] = [
        Text.assemble((f"{mark} ", style), (f"Check: {verdict(check)}", "bold"))
    ]
    for finding, repeated in with_repeats(check.findings):
        parts += [Text(""), finding_rich(finding, repeated)]
    if check.findings:
        parts += [Text("")]
    parts += [Text(printable(line), style="dim") for line in _foot(check)]
    return Group(*parts)


def check_text(check: ModelCheck) -> str:
    """Plain text of a check."""
    return render(check_renderable(check))


def check_html(check: ModelCheck) -> str:
    """HTML fragment of a check."""
    foot = "".join(f'<p class="pst-note">{safe(line)}</p>' for line in _foot(check))
    return fragment(
        f"<p><strong>Check:</strong> {safe(verdict(check))}</p>"
        f"{findings_html(check.findings)}{foot}"
    )


def _foot(check: ModelCheck) -> list[str]:
    lines = [looked_at(check)] if looked_at(check) else []
    lines += [f"Note: {note}" for note in check.notes]
    return lines
