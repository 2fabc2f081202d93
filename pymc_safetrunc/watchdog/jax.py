"""NumPyro and BlackJAX under the watchdog: checked before, judged after.

They give no sign before they are done, so a run cannot be stopped half-way. What can be known is
known at the start: at a point without a finite gradient every transition fails, in silence.
"""

from __future__ import annotations

import time
from typing import Any

import pymc as pm
from pymc.blocking import DictToArrayBijection, RaveledVars
from xarray import DataTree

from pymc_safetrunc import _upstream
from pymc_safetrunc.watchdog.errors import SamplingAborted
from pymc_safetrunc.watchdog.group import add_group
from pymc_safetrunc.watchdog.initial_points import fault_of, more_points, no_start
from pymc_safetrunc.watchdog.jax_verdict import judge
from pymc_safetrunc.watchdog.preflight import warn_before
from pymc_safetrunc.watchdog.reporting import ChainStopped, build_report
from pymc_safetrunc.watchdog.request import Request

__all__ = ["run"]


def run(request: Request, arguments: dict[str, Any]) -> DataTree:
    """Sample with ``pm.sample`` and judge the result before it is handed back.

    Parameters
    ----------
    request : Request
    arguments : dict
        The caller's own arguments of ``pm.sample``.

    Raises
    ------
    SamplingAborted
        If a chain has no usable starting point, or its draws reach a limit of the policy.
    ValueError
        If the policy has ``stall_seconds``.
    """
    sampler = str(request.nuts_sampler)
    if request.policy.stall_seconds is not None:
        raise ValueError(
            f"WatchdogPolicy(stall_seconds=...) cannot be honoured by {sampler}, which gives no "
            'sign before it is done. Use nuts_sampler="pymc" or "nutpie", or leave it None.'
        )
    started = time.monotonic()
    density = _upstream.jax_density(request.model)
    own, points = _starting_points(request, density, sampler)
    start = {value.name: own[0][value.name] for value in request.model.value_vars}
    warn_before(request, _by_variable(density, start), start, time.monotonic() - started)
    if points is not None:
        nuts = {**request.step_kwargs.get("nuts", {}), "jitter": False}
        arguments = {**arguments, "initvals": points, "nuts": nuts}
        arguments.pop("target_accept", None)
        arguments["nuts_sampler_kwargs"] = None
    tree = pm.sample(**arguments)
    counters, stopped = judge(request, tree, density, f"NUTS[{sampler}]")
    if stopped is not None:
        _abort(request, stopped, tree, counters, sampler)
    add_group(tree, counters, request.policy, sampler=sampler)
    return tree


def _by_variable(density, start):
    """Give the density with its gradient taken apart."""
    flat = DictToArrayBijection.map(start).point_map_info

    def apart(point):
        logp, gradient = density(point)
        return logp, DictToArrayBijection.rmap(RaveledVars(gradient, flat))

    return apart


def _starting_points(
    request: Request, density, sampler: str
) -> tuple[list[dict], list[dict] | None]:
    """Return usable points, and once more if the sampler has to be given them (else None)."""
    own = _upstream.jax_starts(
        request.model,
        request.chains,
        request.initvals,
        int(request.seeds[0]),
        jitter=request.step_kwargs.get("nuts", {}).get("jitter", True),
    )
    points, changed = [], False
    for chain, point in enumerate(own):
        fault = fault_of(*density(point))
        if fault is not None:
            changed = True
            first, first_fault, tried = point, fault, 1
            for point in more_points(request, chain):
                fault, tried = fault_of(*density(point)), tried + 1
                if fault is None:
                    break
        if fault is not None:
            stop = no_start(first_fault, first, tried, f"NUTS[{sampler}]")
            raise SamplingAborted(
                build_report(stop, chain=chain, model=request.model, sampler=sampler)
            )
        points.append(point)
    return points, points if changed else None


def _abort(request: Request, stopped: ChainStopped, tree, counters, sampler: str):
    report = build_report(stopped.stop, chain=stopped.chain, model=request.model, sampler=sampler)
    draws = tree.posterior.sizes["draw"]
    report.kept = {number: (0, draws) for number in range(len(counters))}
    groups = {name: group.to_dataset() for name, group in tree.children.items()}
    chains = {
        number: DataTree.from_dict(
            {
                f"/{name}": data.isel(chain=[number]) if "chain" in data.dims else data
                for name, data in groups.items()
            }
        )
        for number in range(len(counters))
    }
    add_group(tree, counters, request.policy, sampler=sampler, report=report)
    raise SamplingAborted(report, chains, tree)
