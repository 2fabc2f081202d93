"""A sampling run as one HTML file that opens offline."""

from __future__ import annotations

import base64
import io
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import arviz as az
import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib import style
from matplotlib.figure import Figure
from xarray import Dataset, DataTree

from pymc_safetrunc.findings import WatchdogReport
from pymc_safetrunc.report.concentration import Concentration, concentration
from pymc_safetrunc.report.plots import draw_divergences
from pymc_safetrunc.report.text import printable
from pymc_safetrunc.report.timeline import draw_timeline, timeline_height
from pymc_safetrunc.watchdog.errors import SamplingAborted
from pymc_safetrunc.watchdog.group import divergent_draws, library_versions, read_group

__all__ = ["save_report"]

# Rows of the summary: more would take ArviZ minutes and nobody's eyes.
MOST_ROWS = 500
DPI = 160
STYLE: list[Any] = ["arviz-variat", {"font.size": 9.5}]


def save_report(idata_or_error: DataTree | BaseException, path: str | os.PathLike[str]) -> Path:
    """Save what happened in a sampling run as one HTML file.

    Verdict, diagnosis with remedies, timeline of the chains, where the divergences concentrate,
    ArviZ's summary, policy and versions. The file needs nothing but itself: pictures are inside,
    there are no scripts, and its content security policy forbids every request.

    Parameters
    ----------
    idata_or_error : DataTree or SamplingAborted
        A result of :func:`~pymc_safetrunc.watchdog.sample`, or the error it raised. An error that
        was caused by a :class:`~pymc_safetrunc.watchdog.SamplingAborted`, as PyMC's
        ``ParallelSamplingError`` may be, will do.
    path : str or path-like
        File to write. One that is there is replaced.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    TypeError
        If it is neither a DataTree nor such an error.
    ValueError
        If the DataTree has no group ``watchdog``.
    FileNotFoundError, IsADirectoryError
        If the file cannot be written for that reason; nothing has been computed by then.

    Examples
    --------
    >>> import pymc as pm
    >>> from pymc_safetrunc.report.document import save_report
    >>> from pymc_safetrunc.watchdog import sample
    >>> with pm.Model():
    ...     x = pm.Normal("x")
    ...     idata = sample(20, tune=20, chains=2, quiet=True, compute_convergence_checks=False)
    >>> from tempfile import mkdtemp
    >>> save_report(idata, f"{mkdtemp()}/report.html").name
    'report.html'
    """
    target = _target(path)
    run = _Run.of(idata_or_error)
    with warnings.catch_warnings(), style.context(STYLE, after_reset=True):
        # no font has every letter of the world; the name is in the table too
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        page = _template().render(
            run=run,
            verdict=_verdict(run),
            timeline=None if run.group is None else _timeline(run.group),
            chains=None if run.group is None else _chains(run.group),
            divergences=_divergences(run.found),
            found=run.found,
            summary=_summary(run.idata),
        )
    target.write_text(page, encoding="utf-8")
    return target


@dataclass
class _Run:
    """What there is to tell."""

    report: WatchdogReport | None = None
    idata: DataTree | None = None
    group: Dataset | None = None
    found: Concentration | None = None
    policy: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Any) -> _Run:
        report = None
        if isinstance(given, BaseException):
            error = _aborted(given)
            report, idata = error.report, error.idata
        elif isinstance(given, DataTree):
            idata = given
        else:
            raise TypeError(
                f"save_report: {type(given).__name__} given; give the DataTree that "
                "pymc_safetrunc.sample returned, or the SamplingAborted it raised."
            )
        if idata is None:
            return cls(report=report, versions=library_versions())
        group = read_group(idata, "save_report")
        stored = {name: json.loads(group.attrs[name]) for name in ("report", "policy", "versions")}
        if report is None and stored["report"] is not None:
            report = WatchdogReport.from_dict(stored["report"])
        found = concentration(idata)
        return cls(report, idata, group, found, stored["policy"], stored["versions"])


def _aborted(error: BaseException) -> SamplingAborted:
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, SamplingAborted):
            return link
        link = link.__cause__
    raise TypeError(
        f"save_report: {type(error).__name__} was not raised by the watchdog; give a "
        "SamplingAborted, or the DataTree that pymc_safetrunc.sample returned."
    )


def _target(path: str | os.PathLike[str]) -> Path:
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(
            f"save_report(path={str(path)!r}): this is a folder; give a file in it, such as "
            f"{str(target / 'report.html')!r}."
        )
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"save_report(path={str(path)!r}): the folder {str(target.parent)!r} is not there; "
            "make it first, or give another."
        )
    return target


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pymc_safetrunc", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markup) else printable(value),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("document.html")


def _verdict(run: _Run) -> tuple[str, str]:
    """Return the kind, which is a class of the style sheet, and the verdict in words."""
    if run.report is not None:
        return "stopped", "Sampling was stopped"
    assert run.group is not None  # without a report there is a group
    divergent, draws = (
        int(divergent_draws(run.group).sum()),
        int(run.group["transitions_draw"].sum()),
    )
    if divergent == 0:
        return "good", "Sampling finished, and no draw diverged"
    return "doubtful", f"Sampling finished, and {divergent:,} of {draws:,} draws diverged"


def _chains(group: Dataset) -> list[Mapping[str, Any]]:
    return group.drop_dims("run").to_dataframe().reset_index().to_dict("records")


def _timeline(group: Dataset) -> Markup:
    figure = Figure(figsize=(9, timeline_height(group.sizes["chain"])), layout="constrained")
    draw_timeline(figure.add_subplot(), group)
    return _data_uri(figure)


def _divergences(found: Concentration | None) -> Markup | None:
    if found is None:
        return None
    figure = Figure(figsize=(5.5, 5.5), layout="constrained")
    draw_divergences(figure.add_subplot(), found)
    return _data_uri(figure)


def _data_uri(figure: Figure) -> Markup:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    return Markup("data:image/png;base64,") + base64.b64encode(file.getvalue()).decode()


def _summary(idata: DataTree | None) -> dict[str, Any]:
    """Return ArviZ's table, and the names that found no place in it; or why there is none."""
    if idata is None or "posterior" not in idata.children:
        return {"table": None, "why": "There is no draw after tuning to summarise.", "left": []}
    chosen, left, rows = [], [], 0
    for name, variable in idata["posterior"].data_vars.items():
        size = int(np.prod(variable.shape[2:]))
        if rows + size <= MOST_ROWS:
            chosen.append(name)
            rows += size
        else:
            left.append(str(name))
    if not chosen:
        why = (
            f"Every variable has more than {MOST_ROWS} entries." if left else "It has no variable."
        )
        return {"table": None, "why": why, "left": left}
    try:
        with warnings.catch_warnings(), pd.option_context("display.max_colwidth", None):
            warnings.simplefilter("ignore")  # of few or constant draws; the table shows them
            table = az.summary(idata, var_names=chosen).to_html(border=0, classes="numbers")
    except Exception as error:  # whatever ArviZ cannot do, the rest of the page is worth having
        why = f"ArviZ could not summarise it: {type(error).__name__}: {error}"
        return {"table": None, "why": why, "left": left}
    return {"table": Markup(printable(table)), "why": "", "left": left}
