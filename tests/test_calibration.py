"""Simulation-based calibration of truncated models: prior draws rank uniformly in posteriors.

Talts et al. (2018): with parameters from the prior and data from the model, the rank of each
parameter among its posterior draws is uniform if draws and log-density are of the same law.
"""

import numpy as np
import pymc as pm
import pytest
import simuk
from scipy.stats import chisquare

import pymc_safetrunc as pst

SIMULATIONS = 100
BINS = 5
OBSERVATIONS = 25
# Seven parameters: one in 1,400 runs of a right program, with other seeds, raises an alarm.
LEAST_P = 1e-4


def truncated_normal():
    mu, sigma = pm.Normal("mu", 0, 1), pm.Gamma("sigma", 8, 8)
    return pst.TruncatedNormal("x", mu, sigma, lower=0.5, observed=np.ones(OBSERVATIONS))


def gamma():
    alpha, beta = pm.Gamma("alpha", 8, 4), pm.Gamma("beta", 8, 8)
    law = pm.Gamma.dist(alpha, beta)
    return pst.Truncated("x", law, lower=2.0, upper=8.0, observed=np.full(OBSERVATIONS, 3.0))


def logistic():
    mu, s = pm.Normal("mu", 0, 1), pm.Gamma("s", 8, 8)
    law = pm.Logistic.dist(mu, s)
    return pst.Truncated("x", law, lower=1.0, upper=6.0, observed=np.full(OBSERVATIONS, 2.0))


def poisson():
    law = pm.Poisson.dist(pm.Gamma("mu", 2, 2))
    return pst.Truncated("x", law, lower=1, observed=np.ones(OBSERVATIONS, dtype="int64"))


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("likelihood", [truncated_normal, gamma, logistic, poisson])
def test_ranks_are_uniform(likelihood):
    with pm.Model() as model:
        likelihood()
    # 250 draws: a fifth of the ranks 0 to 250 in each bin, but for one
    sampling = {"draws": 250, "tune": 250, "chains": 1, "nuts_sampler": "pymc"}
    calibration = simuk.SBC(
        model, num_simulations=SIMULATIONS, sample_kwargs=sampling, seed=3, progress_bar=False
    )
    calibration.run_simulations()
    ranks = calibration.simulations["prior_sbc"]
    for name in ranks.data_vars:
        counts, _ = np.histogram(ranks[name], bins=BINS, range=(0, 251))
        assert counts.sum() == SIMULATIONS
        p = chisquare(counts).pvalue
        assert p > LEAST_P, f"{name}: {counts} simulations with ranks in each fifth, p = {p:.1e}"
