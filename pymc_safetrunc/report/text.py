"""Findings for a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pymc_safetrunc.findings import Diagnosis, Finding, WatchdogReport
from pymc_safetrunc.report.words import count, count_severities, with_repeats

__all__ = [
    "POINT_TITLE",
    "cause",
    "diagnosis_rich",
    "diagnosis_text",
    "facts",
    "finding_rich",
    "finding_text",
    "headline",
    "kept",
    "point_values",
    "printable",
    "render",
    "stopped",
    "watchdog_rich",
    "watchdog_text",
    "where",
]

_MARK = {"error": ("✗", "bold red"), "warning": ("!", "bold yellow"), "hint": ("i", "bold blue")}
# The width for output that is no terminal: an error message in a log, a pasted report.
WIDTH = 100
# Of a watchdog's report: the rest would push the diagnosis off the screen.
SHOWN_ENTRIES = 6
SHOWN_VARIABLES = 8
SHOWN_DIAGNOSIS_LINES = 14
POINT_TITLE = "At the values (unconstrained scale):"


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
    counts = count_severities(diagnosis.findings)
    examined = count(len(diagnosis.factors), "factor")
    if diagnosis.findings:
        listed = ", ".join(counts[:-1]) + " and " * (len(counts) > 1) + counts[-1]
        verdict = f"{listed} in {examined}"
    elif diagnosis.complete and not diagnosis.notes:
        verdict = f"nothing found in {examined}: every log-density and gradient is finite here"
    else:
        verdict = f"nothing found so far in {examined}"
    if not diagnosis.complete:
        verdict += " (stopped early)"
    return verdict


def diagnosis_rich(diagnosis: Diagnosis) -> RenderableType:
    """Renderable of a diagnosis; a remedy that was shown before is not repeated."""
    parts: list[RenderableType] = [Text(f"Diagnosis: {headline(diagnosis)}", style="bold")]
    for finding, repeated in with_repeats(diagnosis.findings):
        parts += [Text(""), finding_rich(finding, repeated)]
    parts += [Text(f"Note: {printable(note)}", style="dim") for note in diagnosis.notes]
    return Group(*parts)


def watchdog_rich(report: WatchdogReport) -> RenderableType:
    """Renderable of why sampling ended."""
    first, *rest = watchdog_text(report).splitlines()
    # code must not be wrapped
    lines = [Text(line, no_wrap=True, overflow="ignore") for line in rest]
    return Group(Text(first, style="bold"), *lines)


def finding_text(finding: Finding) -> str:
    """Plain text of one finding."""
    return render(finding_rich(finding))


def diagnosis_text(diagnosis: Diagnosis, width: int = WIDTH) -> str:
    """Plain text of a diagnosis, in lines of a width; code is never wrapped."""
    return render(diagnosis_rich(diagnosis), width)


def watchdog_text(report: WatchdogReport) -> str:
    """Plain text of why sampling ended; the diagnosis is cut to its first lines."""
    lines = [stopped(report), cause(report)]
    if values := [f"  {name} = {value}" for name, value in point_values(report)]:
        lines += [POINT_TITLE, *values]
    if report.diagnosis is not None:
        found = [line for line in diagnosis_text(report.diagnosis).splitlines() if line]
        lines += found[:SHOWN_DIAGNOSIS_LINES]
        if len(found) > SHOWN_DIAGNOSIS_LINES:
            lines.append("... (all of it in report.diagnosis)")
    return "\n".join([*lines, *map(printable, (*report.advice, *kept(report)))])


def stopped(report: WatchdogReport) -> str:
    """Say which chain was stopped, and when."""
    chain = "a chain" if report.chain is None else f"chain {report.chain}"
    step = f" ({report.step})" if report.step else ""
    if report.phase == "initial point":
        words = f"Sampling was not started: no usable starting point for {chain}{step}."
    elif report.chain is None and not report.draw:  # nothing is known of it
        words = f"Sampling was stopped in {chain}{step}."
    else:
        words = (
            f"Sampling was stopped in {chain}{step}, {report.phase}, "
            f"after {report.draw:,} transition{'s' if report.draw != 1 else ''}."
        )
    return printable(words)


def cause(report: WatchdogReport) -> str:
    """Say why it was stopped."""
    text = report.explanation[:1].upper() + report.explanation[1:]
    if report.limit == "absorbing":
        text += ": no later transition can succeed"
    elif report.limit:
        text += f", {report.run_length:,} times in a row ({report.limit})"
    return printable(f"{text}.{' ' + report.detail if report.detail else ''}")


def point_values(report: WatchdogReport) -> list[tuple[str, str]]:
    """Names and first values of the first variables at which it went wrong."""
    pairs = [(printable(name), _short(value)) for name, value in report.point.items()]
    if len(pairs) > SHOWN_VARIABLES:
        rest = len(pairs) - SHOWN_VARIABLES
        pairs = [*pairs[:SHOWN_VARIABLES], ("...", f"{rest} more variables")]
    return pairs


def kept(report: WatchdogReport) -> list[str]:
    """Say which draws were kept, if any were."""
    chains = ", ".join(
        f"chain {chain}: {tune:,} tuning + {draws:,}"
        for chain, (tune, draws) in report.kept.items()
    )
    return [f"Draws kept: {chains}."] if chains else []


def _short(value: Any) -> str:
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{array.item():.6g}"
    shown = ", ".join(f"{x:.4g}" for x in array.ravel()[:SHOWN_ENTRIES])
    return f"[{shown}{', ...' if array.size > SHOWN_ENTRIES else ''}]"


def render(renderable: RenderableType, width: int = WIDTH) -> str:
    """Return what rich makes of a renderable, as plain text."""
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())


def finding_rich(finding: Finding, repeated: bool = False) -> Group:
    """Renderable of one finding, without its remedy if that was shown before."""
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
