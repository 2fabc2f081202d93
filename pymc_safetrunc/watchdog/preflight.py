"""The cheap part of the check, before the first transition: with the function compiled anyway."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import numpy as np
from pymc.blocking import DictToArrayBijection, RaveledVars
from pymc.step_methods.compound import flatten_steps
from pymc.step_methods.hmc.base_hmc import BaseHMC

from pymc_safetrunc import _upstream
from pymc_safetrunc.diagnosis.check import quick_check
from pymc_safetrunc.watchdog.request import Request

__all__ = ["flat_density", "step_density", "warn_before"]

_log = logging.getLogger(__name__)

# Share of the time that compiling took, and seconds, that the check may take at most.
SHARE = 0.1
LONGEST = 1.0

Density = Callable[[Mapping[str, np.ndarray]], tuple[float, dict[str, np.ndarray]]]


def warn_before(
    request: Request, density: Density | None, point: Mapping[str, np.ndarray], compiling: float
) -> None:
    """Log one warning of all that a quick look at the model finds.

    Parameters
    ----------
    request : Request
    density : callable or None
        Log-density and gradient at a point; nothing is looked at without.
    point : dict
        A usable starting point.
    compiling : float
        Seconds that compiling took.
    """
    if request.quiet or density is None:
        return
    try:
        check = quick_check(request.model, density, point, min(SHARE * compiling, LONGEST))
    except Exception:  # a check must not keep anybody from sampling
        _log.debug("The check before sampling failed.", exc_info=True)
        return
    findings = [finding for finding in check.findings if finding.severity != "hint"]
    if findings:
        lines = [f"- {finding.message} [{finding.rule}]" for finding in findings]
        _log.warning(
            "Before sampling (pymc_safetrunc.check_model(model) says more, with remedies):\n%s",
            "\n".join(lines),
        )


def step_density(step) -> Density | None:
    """Give the density of the first step method that has a gradient, as a function of a point."""
    leaf = next((s for s in flatten_steps(step) if isinstance(s, BaseHMC)), None)
    if leaf is None:
        return None

    def density(point):
        for name, shared in leaf.shared.items():
            shared.set_value(point[name], borrow=True)
        q = DictToArrayBijection.map({name: point[name] for name in leaf.var_names})
        logp, gradient = _upstream.density_and_gradient(leaf, q)
        # the compiled function writes into the same array the next time
        return logp, DictToArrayBijection.rmap(RaveledVars(np.array(gradient), q.point_map_info))

    return density


def flat_density(function, point: Mapping[str, np.ndarray]) -> Density:
    """Give a density of a raveled point as a function of points with the shapes of this one."""
    layout = DictToArrayBijection.map(dict(point)).point_map_info

    def density(point):
        x = np.concatenate([np.ravel(point[entry[0]]) for entry in layout])
        logp, gradient = function(x)
        return logp, DictToArrayBijection.rmap(RaveledVars(np.array(gradient), layout))

    return density
