"""Results made by hand, so that every number in them is known."""

import numpy as np
from xarray import Dataset, DataTree

from pymc_safetrunc.watchdog import WatchdogPolicy
from pymc_safetrunc.watchdog.counter import Cause, ChainCounter
from pymc_safetrunc.watchdog.group import add_group

DIVERGENT, NOT_FINITE = Cause.ENERGY_ERROR, Cause.LOGP_NAN


def counter(transitions, tune, bad=()):
    """A chain; bad holds (first transition, last one + 1, cause)."""
    made = ChainCounter(None, tune)
    causes = [None] * transitions
    for start, end, cause in bad:
        causes[start:end] = [cause] * (end - start)
    for cause in causes:
        made.record(cause)
    return made


def tree(diverging, coords=None, group="posterior", **variables):
    """Draws and their divergences; variables are arrays or (dims, array)."""
    given = {
        name: value if isinstance(value, tuple) else (("chain", "draw"), value)
        for name, value in variables.items()
    }
    stats = group.replace("unconstrained_", "").replace("posterior", "sample_stats")
    return DataTree.from_dict(
        {
            f"/{group}": Dataset(given, coords),
            f"/{stats}": Dataset({"diverging": (("chain", "draw"), diverging)}),
        }
    )


def with_group(draws, counters, report=None):
    add_group(draws, counters, WatchdogPolicy(), sampler="pymc", report=report)
    return draws


def synthetic(chains, draws, tune=20):
    """Chains whose draw number equal to their own number diverges."""
    rng = np.random.default_rng(5)
    diverging = np.zeros((chains, draws), dtype=bool)
    diverging[range(chains), range(chains)] = True
    x = rng.normal(size=(chains, draws)) - 5 * diverging
    counters = [
        counter(tune + draws, tune, [(tune + chain, tune + chain + 1, DIVERGENT)])
        for chain in range(chains)
    ]
    return with_group(tree(diverging, x=x, y=rng.normal(size=(chains, draws))), counters)
