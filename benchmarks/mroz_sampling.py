"""Effective samples a second of the Mroz truncated regression, PyMC's rate over ours.

A rate is the smallest bulk effective sample size over the nine parameters for each second that the
sampler reports: tuning included, compilation not. Five seeds, the two distributions in turn; the
median of the ratios of the two.
"""

import logging

import arviz as az
import numpy as np
import pymc as pm

import pymc_safetrunc as pst
from pymc_safetrunc.demo.hours_of_work import build, working_women

SAMPLERS = ("pymc", "nutpie")
SEEDS = (1, 2, 3, 4, 5)
# One process, so that a shared machine's other work disturbs as little as it can.
SETTINGS = {"tune": 500, "draws": 1000, "chains": 2, "cores": 1}
BOUND = 1.0


def rate(model: pm.Model, sampler: str, seed: int, **settings) -> float:
    """Effective samples a second of the parameter that mixes worst."""
    posterior = pm.sample(
        **SETTINGS | settings,
        nuts_sampler=sampler,
        model=model,
        random_seed=seed,
        progressbar=False,
        compute_convergence_checks=False,
    ).posterior.to_dataset()
    smallest = min(float(ess.min()) for ess in az.ess(posterior, method="bulk").values())
    return smallest / posterior.attrs["sampling_time"]


def run():
    logging.getLogger("pymc").setLevel(logging.ERROR)
    data = working_women()
    models = [
        build(*data, distribution) for distribution in (pst.TruncatedNormal, pm.TruncatedNormal)
    ]
    for sampler in SAMPLERS:
        for model in models:  # the first call compiles
            rate(model, sampler, seed=0, tune=10, draws=10)
        rates = np.array([[rate(model, sampler, seed) for model in models] for seed in SEEDS])
        ours, peer = np.median(rates, axis=0)
        ratio = float(np.median(rates[:, 1] / rates[:, 0]))
        yield (
            f"effective samples a second ({sampler}): PyMC's / ours",
            ratio,
            BOUND,
            f"{ours:.0f} a second against {peer:.0f}",
        )


if __name__ == "__main__":
    for row in run():
        print(row)
