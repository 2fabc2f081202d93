"""How far from the truth a number may be: errors, their natural scales and the limits.

An error is |got - truth| / max(|truth|, scale). The scale keeps a derivative that passes through
zero from being asked for digits that no formula in float64 can have: it is the root Fisher
information of the truncated law, the size that derivative typically has.
"""

from pathlib import Path

import numpy as np

LOGP_LIMIT = 1e-13
GRADIENT_LIMIT = 1e-11
SECOND_DERIVATIVE_LIMIT = 1e-8

LOGP_SCALE = 1.0
# Relative, save that subnormal numbers have no digits to be judged by.
RELATIVE_SCALE = 1e-290

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
