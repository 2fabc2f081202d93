"""A million draws with array parameters, beside pm.TruncatedNormal and scipy."""

import numpy as np
import pymc as pm
from scipy.stats import truncnorm

import pymc_safetrunc as pst
from benchmarks.timing import alternate

SIZE = 1_000_000
BOUND = 0.2
# a call of a peer takes a second: fewer rounds than for a log-density
ROUNDS = 9


def laws(size: int = SIZE) -> dict[str, np.ndarray]:
    """Mixed laws: bodies, tails to some ten sigmas, narrow intervals, one bound in four missing."""
    rng = np.random.default_rng(21)
    mu, lower = rng.normal(0, 3, size), rng.normal(0, 3, size)
    upper = lower + rng.exponential(2, size)
    upper[::4] = np.inf
    return {"mu": mu, "sigma": 0.5 + rng.exponential(1, size), "lower": lower, "upper": upper}


def drawing(distribution, mode: str | None = None):
    """A compiled function that draws and moves its generator on, as pm.draw runs it."""
    rv = distribution.dist(**laws())
    return pm.pytensorf.compile([], rv, random_seed=1, mode=mode)


def scipy_drawing():
    law, rng = laws(), np.random.default_rng(1)

    def draw():
        a, b = ((law[bound] - law["mu"]) / law["sigma"] for bound in ("lower", "upper"))
        return truncnorm.rvs(a, b, law["mu"], law["sigma"], random_state=rng)

    return draw


def run():
    """Rows of (what, figure, bound, note): time as a ratio to the peer's."""
    pymc_draws = drawing(pm.TruncatedNormal)
    for linker in ("numba", "cvm"):
        ours = drawing(pst.TruncatedNormal, mode=linker.upper())
        for peer, peer_draws in (
            ("pm.TruncatedNormal", pymc_draws),
            ("scipy.stats.truncnorm.rvs", scipy_drawing()),
        ):
            pair = alternate(ours, peer_draws, rounds=ROUNDS)
            note = f"{1e9 * pair.ours / SIZE:.0f} ns a draw against {1e9 * pair.peer / SIZE:.0f} ns"
            yield f"draws ({linker}) against {peer}", pair.ratio, BOUND, note


if __name__ == "__main__":
    for row in run():
        print(row)
