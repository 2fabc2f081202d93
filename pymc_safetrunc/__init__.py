"""Exact truncated distributions for PyMC, and a watchdog that stops doomed sampling."""

import re
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymc_safetrunc import dims, math
    from pymc_safetrunc.diagnosis import check_gradient, check_model, diagnose
    from pymc_safetrunc.distributions.truncated import Truncated
    from pymc_safetrunc.distributions.truncated_normal import TruncatedNormal
    from pymc_safetrunc.installation import install, installed, is_installed, uninstall
    from pymc_safetrunc.report.document import save_report
    from pymc_safetrunc.report.plots import plot_watchdog
    from pymc_safetrunc.watchdog import SamplingAborted, WatchdogPolicy, watch
    from pymc_safetrunc.watchdog.sample import sample

__version__ = metadata.version("pymc-safetrunc")

# Public name -> module that holds it. Resolved on first use (PEP 562): importing the package
# loads neither Numba nor any optional package.
_HOME = {
    "SamplingAborted": "pymc_safetrunc.watchdog",
    "Truncated": "pymc_safetrunc.distributions.truncated",
    "TruncatedNormal": "pymc_safetrunc.distributions.truncated_normal",
    "WatchdogPolicy": "pymc_safetrunc.watchdog",
    "check_gradient": "pymc_safetrunc.diagnosis",
    "check_model": "pymc_safetrunc.diagnosis",
    "diagnose": "pymc_safetrunc.diagnosis",
    "dims": "pymc_safetrunc.dims",
    "install": "pymc_safetrunc.installation",
    "installed": "pymc_safetrunc.installation",
    "is_installed": "pymc_safetrunc.installation",
    "math": "pymc_safetrunc.math",
    "plot_watchdog": "pymc_safetrunc.report.plots",
    "sample": "pymc_safetrunc.watchdog.sample",
    "save_report": "pymc_safetrunc.report.document",
    "uninstall": "pymc_safetrunc.installation",
    "watch": "pymc_safetrunc.watchdog",
}

__all__ = [
    "SamplingAborted",
    "Truncated",
    "TruncatedNormal",
    "WatchdogPolicy",
    "__version__",
    "check_gradient",
    "check_model",
    "diagnose",
    "dims",
    "install",
    "installed",
    "is_installed",
    "math",
    "plot_watchdog",
    "sample",
    "save_report",
    "uninstall",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(_HOME[name])
    except ImportError as error:
        pinned = ("pymc", "pytensor")
        if (error.name or "").split(".")[0] not in pinned:
            raise
        installed = ", ".join(f"{p} {metadata.version(p)}" for p in pinned)
        requirements = metadata.requires("pymc-safetrunc") or ()
        wanted = [r for r in requirements if re.split(r"[^\w.-]", r, maxsplit=1)[0] in pinned]
        raise ImportError(
            f"pymc_safetrunc.{name} needs {' and '.join(wanted)}; installed are {installed}: "
            f"{error}. Install those versions, or a pymc-safetrunc for the installed ones.",
            name=error.name,
        ) from error
    value = module if _HOME[name] == f"{__name__}.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
