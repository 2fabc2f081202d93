"""What scipy says of a regression truncated at 0: nothing here imports this package or PyMC."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import approx_fprime, minimize
from scipy.special import log_ndtr
from scipy.stats import multivariate_t, norm

# heavier tails than any posterior of some hundred observations, so that the weights are bounded
PROPOSAL_DF = 8


def log_likelihood(mean, log_sigma, y):
    """Sum over the last axis of log phi((y - mean) / sigma) - log sigma - log Phi(mean / sigma)."""
    sigma = np.exp(log_sigma)
    return (norm.logpdf((y - mean) / sigma) - log_sigma - log_ndtr(mean / sigma)).sum(axis=-1)


def maximum_likelihood(design, y, start=None) -> tuple[np.ndarray, np.ndarray]:
    """Estimate of (coefficients, log sigma) and its covariance, from the observed information."""
    # columns and outcome between -1 and 1, or BFGS stalls
    largest, unit = np.abs(design).max(axis=0), np.abs(y).max()
    design, y = design / largest, y / unit

    def objective(theta):
        return -log_likelihood(design @ theta[:-1], theta[-1], y)

    def gradient(theta):
        mean, sigma = design @ theta[:-1], np.exp(theta[-1])
        z = (y - mean) / sigma
        hazard = np.exp(norm.logpdf(mean / sigma) - log_ndtr(mean / sigma))
        in_log_sigma = (z**2 - 1 + hazard * mean / sigma).sum()
        return -np.append(design.T @ (z - hazard) / sigma, in_log_sigma)

    if start is None:
        start = np.append(np.linalg.lstsq(design, y)[0], np.log(y.std()))
    theta = minimize(objective, start, jac=gradient, options={"gtol": 1e-6}).x
    information = approx_fprime(theta, gradient)
    covariance = np.linalg.inv((information + information.T) / 2)
    back = np.append(unit / largest, 1.0)
    estimate = theta * back + np.append(np.zeros(len(largest)), np.log(unit))
    return estimate, covariance * np.outer(back, back)


def posterior_mean(
    design, y, log_prior: Callable, estimate, covariance, draws: int = 10_000, seed: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean of (coefficients, sigma) with its standard error, by importance sampling.

    `log_prior` takes an array (draw, parameter) of (coefficients, log sigma) and returns the log
    of their prior density, up to a constant.
    """
    proposal = multivariate_t(estimate, covariance, df=PROPOSAL_DF, seed=seed)
    theta = proposal.rvs(draws)
    log_weight = (
        log_likelihood(theta[:, :-1] @ design.T, theta[:, -1:], y)
        + log_prior(theta)
        - proposal.logpdf(theta)
    )
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    theta[:, -1] = np.exp(theta[:, -1])
    mean = weight @ theta
    return mean, np.sqrt(weight**2 @ (theta - mean) ** 2)
