"""How far from the truth a truncated family may be, by its route.

An error is |got - truth| / max(|truth|, scale), as in ``tests.accuracy.budget``. The scale of a
log-density is 1. That of a derivative in a parameter is the larger of the untruncated
log-density's own derivative, from which that of the mass is subtracted, and of the size it has by
nature: 1/IQR for a location and for the value, 1/parameter for a scale or a shape. A derivative in
a bound is density over mass, made from logarithms, and is judged by its own digits.
"""

import numpy as np

from tests.accuracy import budget

# (of logp, of every gradient): the bars that were set. A closed form keeps all digits but those
# that its standardised arguments lose. A quadrature's error is what the check that it is resolved
# lets pass; a derivative, by the same nodes, bends more than the density that they are laid for.
LIMITS = {"closed": (1e-12, 1e-9), "quadrature": (1e-9, 1e-6)}
# Their mass has no closed form that float64 can use, or one with derivatives that have none.
QUADRATURE = frozenset(
    [
        "Gamma",
        "ChiSquared",
        "InverseGamma",
        "Beta",
        "StudentT",
        "HalfStudentT",
        "SkewStudentT",
        "ExGaussian",
        "Wald",
        "SkewNormal",
        "Rice",
        "VonMises",
        "HurdleGamma",
    ]
)
# A derivative in a bound: relative, down to here.
BOUND_SCALE = 1e-305


def route(name):
    return "quadrature" if name in QUADRATURE else "closed"


def limit(name, column):
    return LIMITS[route(name)][column != "logp"]


def truth_columns(table):
    """The columns that ``Truncated`` is judged by: logp and the gradients that the family has."""
    return [k for k in table if k == "logp" or k.startswith("d_")]


def errors(table, column, got):
    """Error of each case; where the truth is nan, only that the number is finite is asked."""
    if column == "logp":
        scale = 1.0
    else:
        scale = np.maximum(table.get(f"scale_{column}", BOUND_SCALE), BOUND_SCALE)
    truth = np.broadcast_to(table[column], np.shape(got))
    unjudged = np.isnan(truth)
    found = budget.error(got, np.where(unjudged, 0.0, truth), scale)
    return np.where(unjudged & np.isfinite(got), 0.0, found)


def worst(table, found, count=5):
    """Return the ``count`` cases with the largest errors, as text for an assertion message."""
    inputs = [k for k in table if k.startswith("parameter_")] + ["lower", "upper", "value"]
    return "\n".join(
        f"{found[i]:.2e} [{table['label'][i]}] "
        + ", ".join(f"{k.removeprefix('parameter_')}={float(table[k][i])!r}" for k in inputs)
        for i in np.argsort(-found)[:count]
    )
