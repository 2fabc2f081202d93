"""How far from the truth a number may be: errors, their natural scales and the limits.

An error is |got - truth| / max(|truth|, scale). The scale keeps a derivative that passes through
zero from being asked for digits that no formula in float64 can have: it is the root Fisher
information of the truncated law, the size that derivative typically has.
"""

from pathlib import Path

import numpy as np

# The bars that the package was set. A log-density and a log CDF are sums in which nothing large is
# subtracted; a derivative is a difference of moments, and a second one a difference of covariances,
# each of which costs digits at the edges of the regions.
LOGP_LIMIT = 1e-13
GRADIENT_LIMIT = 1e-11
SECOND_DERIVATIVE_LIMIT = 1e-8
LOG_CDF_LIMIT = 1e-13
LOG_CDF_GRADIENT_LIMIT = 1e-9
VARIANCE_LIMIT = 1e-11
MEAN_GRADIENT_LIMIT = 1e-9
# In the units of ``mean_error`` and ``quantile_error``: the mean is all that a float can hold, and
# the quantile loses two bits.
MEAN_LIMIT = 1.0
QUANTILE_LIMIT = 4.0

# What the tests hold the tables to: three times the largest error measured on any backend, as
# benchmarks/RESULTS.md has it, so that a loss of digits within a bar is seen.
LOGP_GUARD = 2e-14
GRADIENT_GUARD = 2e-12
SECOND_DERIVATIVE_GUARD = 5e-12
LOG_CDF_GUARD = 1.5e-14
LOG_CDF_GRADIENT_GUARD = 1.5e-12
VARIANCE_GUARD = 1.2e-14
MEAN_GRADIENT_GUARD = 1e-12

# A log-density near 0 is worth its absolute error: the density's relative one.
LOGP_SCALE = 1.0
# Relative, save that subnormal numbers have no digits to be judged by.
RELATIVE_SCALE = 1e-290
# Times 1/sigma; far in a tail the gradient of a log CDF near 0 is not worth more.
LOG_CDF_GRADIENT_SCALE = 1e-6
# Roundings of the inputs that a log CDF may suffer: standardising x and a bound takes two each.
INPUT_ULPS = 4

GRADIENTS = ("d_x", "d_mu", "d_sigma", "d_lower", "d_upper")
SECOND_DERIVATIVES = ("d2_mu_mu", "d2_mu_sigma", "d2_sigma_sigma")


def load(name):
    """Columns of the stored table ``name`` ("truncated_normal", "log_cdf", ...) as a dict."""
    with np.load(Path(__file__).with_name(f"{name}.npz")) as table:
        return dict(table)


def error(got, truth, scale=RELATIVE_SCALE):
    """|got - truth| / max(|truth|, scale), elementwise; infinite where ``got`` is not finite."""
    got, truth = np.asarray(got, dtype="float64"), np.asarray(truth, dtype="float64")
    size = np.maximum(np.abs(truth), scale)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(np.isfinite(got), np.abs(got - truth) / size, np.inf)


def scales(table):
    """Natural scale of each column of the table of the log-density, by column name."""
    x, mu, sigma = table["x"], table["mu"], table["sigma"]
    d_mu = table["sd_x"] / sigma**2
    d_sigma = table["sd_square"] / sigma**3
    # |x - mu| may be one rounding off: a scale needs no digits.
    d_x = np.maximum(np.abs(x - mu) / sigma**2, 1 / sigma)
    return {
        "logp": np.full_like(x, LOGP_SCALE),
        "d_x": d_x,
        "d_mu": d_mu,
        "d_sigma": d_sigma,
        "d_lower": RELATIVE_SCALE / sigma,
        "d_upper": RELATIVE_SCALE / sigma,
        "d2_mu_mu": d_mu**2,
        "d2_mu_sigma": d_mu * d_sigma,
        "d2_sigma_sigma": d_sigma**2,
    }


def limit(column):
    """Return the largest error allowed in a column of the table of the log-density."""
    if column == "logp":
        return LOGP_LIMIT
    return GRADIENT_LIMIT if column in GRADIENTS else SECOND_DERIVATIVE_LIMIT


def guard(column):
    """Return the largest error that the tests let pass in such a column."""
    if column == "logp":
        return LOGP_GUARD
    return GRADIENT_GUARD if column in GRADIENTS else SECOND_DERIVATIVE_GUARD


def log_cdf_error(got, truth, conditioning):
    """Relative error of a log CDF beyond what ``INPUT_ULPS`` ulp of its inputs do to it.

    ``conditioning`` is the stored sum of |derivative| * ulp(input). To be compared with
    ``LOG_CDF_LIMIT``.
    """
    got, truth = np.asarray(got, dtype="float64"), np.asarray(truth, dtype="float64")
    size = np.maximum(np.abs(truth), RELATIVE_SCALE)
    with np.errstate(invalid="ignore", over="ignore"):
        beyond = np.maximum(np.abs(got - truth) - INPUT_ULPS * np.asarray(conditioning), 0)
        return np.where(np.isfinite(got), beyond / size, np.inf)


def log_cdf_gradient_error(got, truth, sigma=1.0):
    """Error of a derivative of a log CDF (``sigma`` = 1: of log_ndtr and its interval).

    To be compared with ``LOG_CDF_GRADIENT_LIMIT``.
    """
    return error(got, truth, LOG_CDF_GRADIENT_SCALE / np.asarray(sigma))


def mean_error(got, table):
    """Error of the mean in units of 2 ulp(mean) or 1e-13 sd, whichever is larger."""
    unit = np.maximum(2 * np.spacing(np.abs(table["mean"])), 1e-13 * table["sd_x"])
    return _in_units(got, table["mean"], unit)


def mean_gradient_scales(table):
    """Scale of each derivative of the mean; in sigma it is a covariance and passes through zero."""
    d_sigma = table["sd_x"] * table["sd_square"] / table["sigma"] ** 3
    relative = np.full_like(d_sigma, RELATIVE_SCALE)
    return {
        "mean_d_mu": relative,
        "mean_d_sigma": d_sigma,
        "mean_d_lower": relative,
        "mean_d_upper": relative,
    }


def quantile_error(got, table):
    """Error of the quantile in units of max(ulp(x), eps sd); infinite outside the bounds."""
    got = np.asarray(got, dtype="float64")
    unit = np.maximum(np.spacing(np.abs(table["icdf"])), np.finfo("float64").eps * table["sd_x"])
    inside = (table["lower"] <= got) & (got <= table["upper"])
    return np.where(inside, _in_units(got, table["icdf"], unit), np.inf)


def _in_units(got, truth, unit):
    got = np.asarray(got, dtype="float64")
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(np.isfinite(got), np.abs(got - truth) / unit, np.inf)


def worst(errors, table, count=5):
    """Return the ``count`` rows with the largest errors, as text for an assertion message."""
    names = table["stratum_names"][table["stratum"]]
    lines = []
    for i in np.argsort(-errors)[:count]:
        inputs = ", ".join(
            f"{k}={float(table[k][i])!r}"
            for k in ("x", "q", "a", "b", "mu", "sigma", "lower", "upper")
            if k in table
        )
        lines.append(f"{errors[i]:.2e} [{names[i]}] {inputs}")
    return "\n".join(lines)
