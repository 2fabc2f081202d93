"""The error that carries the report and every draw out of an aborted run."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from pymc.exceptions import SamplingError

if TYPE_CHECKING:
    from xarray import DataTree

    from pymc_safetrunc.findings import WatchdogReport

__all__ = ["SamplingAborted"]


class SamplingAborted(SamplingError):
    """Sampling was ended by the watchdog.

    Attributes
    ----------
    report : WatchdogReport
        What happened, where, why, and what to do.
    chains : dict of int to DataTree
        Every draw taken, chain by chain, tuning included. Empty when raised through a bare
        :func:`~pymc_safetrunc.watchdog.watch`, which never sees the trace.
    idata : DataTree or None
        The chains that had finished tuning, cut to their common length; where none had, the tuning
        draws. None without any draw.
    """

    def __init__(
        self,
        report: WatchdogReport,
        chains: dict[int, DataTree] | None = None,
        idata: DataTree | None = None,
    ) -> None:
        super().__init__(str(report))
        self.report = report
        self.chains = {} if chains is None else chains
        self.idata = idata

    def __reduce__(self):
        return type(self), (self.report, self.chains, self.idata)

    def _repr_html_(self) -> str:
        name = html.escape(type(self).__name__)
        return f"<div><h4>{name}</h4>{self.report._repr_html_()}</div>"
