"""Time and memory of `diagnose`.

Memory is the peak of what Python and NumPy allocate, over the bytes of the model's own arrays.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt

import pymc_safetrunc as pst
from pymc_safetrunc.diagnosis import diagnose
from pymc_safetrunc.diagnosis.factors import model_data_bytes

WARM_SECONDS = 2.0
COLD_SECONDS = 30.0
MEMORY_RATIO = 5.0
OBSERVATIONS = 20_000
# Large enough for the arrays to outweigh the Python objects of the graphs, some 10 MB.
MEMORY_OBSERVATIONS = 1_000_000


def truncated(n: int, upper: float, family=pm.TruncatedNormal) -> pm.Model:
    """Regression truncated at 0, its upper bound infinite or not, as data."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=n)
    with pm.Model() as model:
        a, b, s = pm.Normal("a"), pm.Normal("b"), pm.HalfNormal("s")
        up = pm.Data("up", upper)
        family("y", a + b * pm.Data("x", x), s, lower=0, upper=up, observed=np.abs(x) + 0.1)
    return model


def truncated_sample(n: int, upper: float, family) -> pm.Model:
    """Truncated at 0 with scalar parameters: the observations are the only large array."""
    y = np.abs(np.random.default_rng(1).normal(size=n)) + 0.1
    with pm.Model() as model:
        mu, s = pm.Normal("mu"), pm.HalfNormal("s")
        family("y", mu, s, lower=0, upper=pm.Data("up", upper), observed=y)
    return model


def counts(n: int, scale: float) -> pm.Model:
    """Poisson regression with three likelihoods; a large scale overflows."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(n, 2))
    X[-1] = np.abs(X[-1]) * scale
    with pm.Model() as model:
        b = pm.Normal("b", shape=2, initval=np.ones(2))
        effect = pm.Normal("effect", shape=50)
        eta = pm.Data("X", X) @ b + effect[pm.Data("group", rng.integers(0, 50, n))]
        pm.Poisson("n", mu=pt.exp(eta), observed=rng.poisson(3, n))
        pm.Normal("y", eta, 1, observed=rng.normal(size=n))
        pm.StudentT("t", nu=4, mu=eta, sigma=1, observed=rng.normal(size=n))
    return model


def tail(n: int) -> pm.Model:
    """Gamma observations truncated so far in the tail that no mass is left between the bounds."""
    with pm.Model() as model:
        a = pm.HalfNormal("a")
        y = np.linspace(51, 55, n)
        pm.Truncated("y", pm.Gamma.dist(1 + a, 1), lower=50, upper=60, observed=y)
    return model


def loops() -> pm.Model:
    """A loop of 1,000 steps beside an LKJ prior, whose density holds loops of its own."""
    y = np.random.default_rng(3).normal(size=(100, 4))
    with pm.Model() as model:
        chol, _, _ = pm.LKJCholeskyCov("chol", n=4, eta=2, sd_dist=pm.HalfNormal.dist(1))
        pm.MvNormal("y", np.zeros(4), chol=chol, observed=y)
        rho, x0 = pm.Normal("rho", 0.5, 0.1), pm.Normal("x0")
        path = pytensor.scan(
            lambda x, rho: pt.tanh(rho * x) + 0.1,
            outputs_info=[x0],
            non_sequences=[rho],
            n_steps=1000,
            return_updates=False,
        )
        pm.Normal("z", path, 1, observed=np.zeros(1000))
    return model


def run() -> list[Row]:
    """Return rows of what was measured, the figure, its bound and a note."""
    cases: dict[str, Callable[[], pm.Model]] = {
        f"truncated regression, {OBSERVATIONS:,} observations, healthy": lambda: truncated(
            OBSERVATIONS, 1e3
        ),
        f"truncated regression, {OBSERVATIONS:,} observations, infinite bound": lambda: truncated(
            OBSERVATIONS, np.inf
        ),
        f"safe truncated regression, {OBSERVATIONS:,} observations, infinite bound": (
            lambda: truncated(OBSERVATIONS, np.inf, pst.TruncatedNormal)
        ),
        f"three likelihoods of {OBSERVATIONS:,}, healthy": lambda: counts(OBSERVATIONS, 1.0),
        f"three likelihoods of {OBSERVATIONS:,}, overflow": lambda: counts(OBSERVATIONS, 1e4),
        f"truncated gamma in its tail, {OBSERVATIONS:,} observations": lambda: tail(OBSERVATIONS),
        "LKJ and a loop of 1,000 steps": loops,
    }
    rows = []
    for name, build in cases.items():
        model = build()
        cold = seconds(model)
        expect(model, name)
        warm = statistics.median(seconds(model) for _ in range(3))
        scans = build is loops
        rows.append(row(f"{name}: first call, s", cold, COLD_SECONDS))
        rows.append(row(f"{name}: warm, s", warm, COLD_SECONDS if scans else WARM_SECONDS))
    for name, model in {
        "truncated regression, healthy": truncated(MEMORY_OBSERVATIONS, 1e3),
        "truncated regression, infinite bound": truncated(MEMORY_OBSERVATIONS, np.inf),
        "truncated, scalar parameters, healthy": truncated_sample(
            MEMORY_OBSERVATIONS, 1e3, pm.TruncatedNormal
        ),
        "truncated, scalar parameters, infinite bound": truncated_sample(
            MEMORY_OBSERVATIONS, np.inf, pm.TruncatedNormal
        ),
        "safe truncated, scalar parameters, infinite bound": truncated_sample(
            MEMORY_OBSERVATIONS, np.inf, pst.TruncatedNormal
        ),
        "three likelihoods, healthy": counts(MEMORY_OBSERVATIONS, 1.0),
        "three likelihoods, overflow": counts(MEMORY_OBSERVATIONS, 1e4),
        "truncated gamma in its tail": tail(MEMORY_OBSERVATIONS),
    }.items():
        title = f"{name}, {MEMORY_OBSERVATIONS:,} observations: peak memory / model's data"
        rows.append(row(title, memory_ratio(model), MEMORY_RATIO))
    return rows


def expect(model: pm.Model, name: str) -> None:
    """Raise when a model is not as healthy, or as sick, as its name says."""
    words = ("healthy", "safe", "LKJ")
    if diagnose(model=model).ok != any(word in name for word in words):
        raise AssertionError(f"{name}: {diagnose(model=model)}")


def seconds(model: pm.Model) -> float:
    started = time.perf_counter()
    diagnose(model=model)
    return time.perf_counter() - started


def memory_ratio(model: pm.Model) -> float:
    """Peak of what NumPy and Python allocate during a diagnosis, over the model's own data."""
    data = model_data_bytes(model, model.initial_point())
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    diagnose(model=model)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (peak - before) / data


Row = tuple[str, float, float, str]


def row(what: str, figure: float, bound: float) -> Row:
    return what, figure, bound, "" if figure <= bound else "beyond its bound"


if __name__ == "__main__":
    for what, figure, bound, note in run():
        print(f"{what:<90} {figure:>8.3f}  (at most {bound:g}) {note}")
