"""Findings for a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pymc_safetrunc.findings import Diagnosis, Finding

__all__ = ["diagnosis_text", "finding_text", "headline", "printable", "render", "where"]

_MARK = {"error": ("✗", "bold red"), "warning": ("!", "bold yellow"), "hint": ("i", "bold blue")}
# The width for output that is no terminal: an error message in a log, a pasted report.
WIDTH = 100


def printable(text: object) -> str:
    """Text whose control characters (a terminal would obey them) are spelled out."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode()
        for c in str(text)
    )


def where(finding: Finding) -> str:
    """Which quantity of which factor, at which entry."""
    parts = [finding.factor or "model"]
    if finding.quantity == "gradient" and finding.variable:
        parts.append(f"gradient by {finding.variable}")
    elif finding.quantity:
        parts.append("log-density" if finding.quantity == "logp" else finding.quantity)
    if finding.index is not None:
        parts.append(f"entry {', '.join(map(str, finding.index))}")
    return printable(" · ".join(parts))


def headline(diagnosis: Diagnosis) -> str:
    """Say the verdict in one line."""
    errors = sum(f.severity == "error" for f in diagnosis.findings)
    others = len(diagnosis.findings) - errors
    examined = _count(len(diagnosis.factors), "factor")
    if diagnosis.findings:
        counts = [_count(errors, "error")] * bool(errors) + [_count(others, "warning")] * bool(
            others
        )
        verdict = " and ".join(counts) + f" in {examined}"
    elif diagnosis.complete and not diagnosis.notes:
        verdict = f"nothing found in {examined}: every log-density and gradient is finite here"
    else:
        verdict = f"nothing found so far in {examined}"
    if not diagnosis.complete:
        verdict += " (stopped early)"
    return verdict


def finding_text(finding: Finding) -> str:
    """Plain text of one finding."""
    return render(_finding(finding))


def diagnosis_text(diagnosis: Diagnosis, width: int = WIDTH) -> str:
    """Plain text of a diagnosis, in lines of a width; code is never wrapped."""
    parts: list[RenderableType] = [Text(f"Diagnosis: {headline(diagnosis)}", style="bold")]
    shown: set[str] = set()
    for finding in diagnosis.findings:
        parts += [Text(""), _finding(finding, repeated=finding.remedy in shown)]
        if finding.remedy:
            shown.add(finding.remedy)
    parts += [Text(f"Note: {printable(note)}", style="dim") for note in diagnosis.notes]
    return render(Group(*parts), width)


def render(renderable: RenderableType, width: int = WIDTH) -> str:
    """Return what rich makes of a renderable, as plain text."""
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())


def _finding(finding: Finding, repeated: bool = False) -> Group:
    mark, style = _MARK[finding.severity]
    head = Text.assemble(
        (f"{mark} ", style), (where(finding), "bold"), (f"  [{printable(finding.rule)}]", "dim")
    )
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in facts(finding):
        table.add_row(label, Text(printable(value)))
    parts: list[RenderableType] = [
        head,
        Padding(Text(printable(finding.message)), (0, 0, 0, 2)),
        Padding(table, (0, 0, 0, 2)),
    ]
    if finding.remedy:
        body = "as above" if repeated else printable(finding.remedy.rstrip())
        parts += [
            Padding(Text("remedy:", style="dim"), (0, 0, 0, 2)),
            # code must not be wrapped: it is there to be copied
            Padding(Text(body, no_wrap=True, overflow="ignore"), (0, 0, 0, 4)),
        ]
    return Group(*parts)


def facts(finding: Finding) -> Iterable[tuple[str, str]]:
    """Label and value of what a finding knows beyond its message."""
    pairs = [
        ("operation", finding.operation),
        ("expression", finding.expression),
        ("source", finding.source),
    ]
    return [(label, value) for label, value in pairs if value]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
