"""Whether a trace of nutpie's is reason to stop, and what is behind it."""

from __future__ import annotations

from xarray import DataTree

from pymc_safetrunc import _upstream
from pymc_safetrunc.watchdog.counter import NONFINITE, Cause, ChainCounter, first_limit
from pymc_safetrunc.watchdog.nearby import Seen, bad_point_nearby, unconstraining
from pymc_safetrunc.watchdog.nutpie_starts import Density
from pymc_safetrunc.watchdog.nutpie_trace import TREES, causes_of, real_lengths
from pymc_safetrunc.watchdog.reporting import ChainStopped, Stop, in_short
from pymc_safetrunc.watchdog.request import Request

__all__ = ["verdict"]

_UNTOLD = 'nutpie does not tell which: nuts_sampler="pymc" does.'


def verdict(tree: DataTree, request: Request, density: Density) -> ChainStopped | None:
    """Count the whole trace and return the stop it asks for, if any."""
    for chain, lengths in enumerate(real_lengths(tree)):
        causes = causes_of(tree, chain, lengths)
        found = first_limit(causes, lengths[0], request.policy)
        if found is None:
            continue
        counter, limit = found
        seen = Seen(causes[counter.transitions - 1])  # type: ignore[arg-type]
        if seen.cause in NONFINITE or seen.cause is Cause.EXCEPTION:
            seen = _look_around(tree, chain, counter, request, density, seen.cause)
        if seen.cause is Cause.LOGP_MINUS_INF:
            # nutpie does not tell NaN from -inf, which is legal: count again by what it was
            causes = [seen.cause if c in NONFINITE else c for c in causes]
            found = first_limit(causes, lengths[0], request.policy)
            if found is None:
                continue
            counter, limit = found
        stop = Stop(
            cause=seen.cause,
            limit=limit,
            run_length=counter.run_length(limit),
            transitions=counter.transitions,
            phase="tuning" if counter.tuning else "sampling",
            point=seen.point,
            step="NUTS[nutpie]",
        )
        if seen.cause is Cause.EXCEPTION:
            stop.detail = _UNTOLD if seen.error is None else in_short(seen.error)
        return ChainStopped(chain, stop, seen.error)
    return None


def _look_around(
    tree: DataTree,
    chain: int,
    counter: ChainCounter,
    request: Request,
    density: Density,
    cause: Cause,
) -> Seen:
    """Find what nutpie does not store: the proposal that was not finite, or what was raised."""
    phase = "warmup" if counter.tuning else "draw"
    index = counter.transitions - 1 - (0 if counter.tuning else counter.transitions_tune)
    draw = tree[TREES[phase][0]].dataset.isel(chain=chain, draw=index)
    unconstrained = unconstraining(request.model, draw)
    if unconstrained is None:
        return Seen(cause)
    state = last = unconstrained(draw)

    def remembering(x):
        nonlocal last
        last = x
        return density(x)

    try:
        bad = bad_point_nearby(remembering, state, seed=int(request.seeds[0]))
    except Exception as error:
        if cause is Cause.EXCEPTION:
            return Seen(cause, _upstream.as_point(request.model, last), error)
        bad = None
    if bad is None or cause is Cause.EXCEPTION:
        return Seen(cause, _upstream.as_point(request.model, state))
    x, cause = bad
    return Seen(cause, _upstream.as_point(request.model, x))
