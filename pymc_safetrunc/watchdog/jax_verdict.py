"""What the result of NumPyro or BlackJAX says of its chains.

They tell which draws after tuning diverged, and nothing more. Where enough of them came in a row to
reach a limit, the cause is looked for near the chain; shorter rows count as energy errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby

import numpy as np
from pymc.blocking import DictToArrayBijection, RaveledVars
from xarray import DataTree

from pymc_safetrunc.watchdog.counter import Cause, ChainCounter, counted, first_limit
from pymc_safetrunc.watchdog.initial_points import fault_of
from pymc_safetrunc.watchdog.nearby import FARTHEST, Seen, bad_point_nearby, unconstraining
from pymc_safetrunc.watchdog.reporting import ChainStopped, Stop
from pymc_safetrunc.watchdog.request import Request

__all__ = ["judge"]

Density = Callable[[Mapping[str, np.ndarray]], tuple[float, np.ndarray]]


def judge(
    request: Request, tree: DataTree, density: Density, step: str
) -> tuple[list[ChainCounter], ChainStopped | None]:
    """Count every chain, and return the stop that the first of them asks for, if any.

    Parameters
    ----------
    request : Request
    tree : DataTree
        What ``pm.sample`` returned. Nothing in it tells of tuning but its length: its transitions
        are counted as good.
    density : callable
        Log-density and gradient at a point.
    step : str
        How the report names the step.
    """
    policy, tune = request.policy, int(tree["posterior"].attrs["tuning_steps"])
    limits = [m for m in (policy.max_nonfinite, policy.max_divergent) if m is not None]
    shortest, surroundings = min(limits, default=None), _Surroundings(request, tree, density)
    counters, stopped = [], None
    for chain, diverging in enumerate(tree["sample_stats"].diverging.values):
        seen: list[Seen | None] = [None] * tune
        for is_bad, row in groupby(diverging):
            length, found = len(list(row)), None
            if is_bad and shortest is not None and length >= shortest:
                found = surroundings.look(chain, len(seen) - tune + shortest - 1)
            elif is_bad:
                found = Seen(Cause.ENERGY_ERROR)
            seen += [found] * length
        causes = [None if one is None else one.cause for one in seen]
        counters.append(counted(causes, tune))
        reached = first_limit(causes, tune, policy)
        if reached is None or stopped is not None:
            continue
        counter, limit = reached
        last = seen[counter.transitions - 1]
        assert last is not None
        stop = Stop(
            last.cause,
            limit=limit,
            run_length=counter.run_length(limit),
            transitions=counter.transitions,
            point=last.point,
            step=step,
            detail="Found in the result: this sampler cannot be stopped half-way.",
        )
        stopped = ChainStopped(chain, stop)
    return counters, stopped


class _Surroundings:
    """Where the chains were, and what is near."""

    def __init__(self, request: Request, tree: DataTree, density: Density) -> None:
        self._model, self._seed = request.model, int(request.seeds[0])
        self._draws = {name: draws.values for name, draws in tree["posterior"].data_vars.items()}
        self._density = density
        self._layout = DictToArrayBijection.map(self._model.initial_point()).point_map_info
        self._points: np.ndarray | None = None  # chain, draw, coordinate

    def look(self, chain: int, draw: int) -> Seen:
        """Find out why the transition to a draw diverged, as far as that can be told."""
        points = self._unconstrained()
        if points is None:
            return Seen(Cause.ENERGY_ERROR)
        state = points[chain, draw]
        cause = fault_of(*self._flat_density(state))
        if cause is not None:
            return Seen(cause, self._as_point(state))
        # A trajectory is no longer than the posterior is wide, and what lies farther off is no
        # cause: far out many a healthy density overflows.
        width = np.ptp(points, axis=(0, 1))
        moved = bool(width.all())
        bad = bad_point_nearby(
            self._flat_density,
            state,
            seed=self._seed,
            scale=width if moved else 1.0,
            farthest=np.sqrt(state.size) if moved else FARTHEST,
        )
        x, cause = (state, Cause.ENERGY_ERROR) if bad is None else bad
        return Seen(cause, self._as_point(x))

    def _unconstrained(self) -> np.ndarray | None:
        if self._points is None:
            unconstrained = unconstraining(self._model, self._draws)
            if unconstrained is None:
                return None
            chains, draws = next(iter(self._draws.values())).shape[:2]
            self._points = np.array(
                [
                    [
                        unconstrained({name: x[chain, draw] for name, x in self._draws.items()})
                        for draw in range(draws)
                    ]
                    for chain in range(chains)
                ]
            )
        return self._points

    def _as_point(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return DictToArrayBijection.rmap(RaveledVars(x, self._layout))

    def _flat_density(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return self._density(self._as_point(x))
