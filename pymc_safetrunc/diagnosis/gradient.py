"""`check_gradient`: the gradient beside a central difference, entry by entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pytensor
from pymc.model import Model
from pymc.pytensorf import compile, join_nonshared_inputs, rewrite_pregrad

from pymc_safetrunc.diagnosis.point import resolve

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["central_difference", "check_gradient"]

# Error of the extrapolated difference below which a disagreement is never reported, as a
# multiple of machine epsilon times |logp|: its evaluation cannot be better than a few roundings.
ROUNDINGS = 8.0
# A gradient may differ from the difference by this many of the difference's error estimates.
ERRORS_ALLOWED = 4.0
# Relative agreement that is asked for where the error estimate is smaller still.
RELATIVE = 1e-6


def check_gradient(point: Mapping[str, Any] | None = None, model: Model | None = None) -> DataFrame:
    """Compare the gradient of a model's log-density with a central difference.

    Needs pandas. Use it while developing a custom distribution or an Op with its own gradient.

    Parameters
    ----------
    point : dict, optional
        Values of the value variables, as ``model.initial_point()`` returns them; that point
        when None.
    model : Model, optional
        The model in context when None.

    Returns
    -------
    DataFrame
        A row for each entry of each continuous variable, with the columns ``variable``,
        ``index`` (tuple), ``value``, ``gradient``, ``difference`` (central, extrapolated to
        step 0), ``error`` (estimate of the difference's own error) and ``agrees``. An entry
        whose gradient is not finite does not agree; one whose difference is not finite
        (the point lies at the edge of the support) cannot be judged and has ``agrees`` None.

    Raises
    ------
    ImportError
        pandas is not installed.
    ValueError
        The point lacks a variable, or names one that the model does not have.

    Examples
    --------
    >>> import pymc as pm
    >>> from pymc_safetrunc.diagnosis import check_gradient
    >>> with pm.Model() as model:
    ...     x = pm.Normal("x", 1, 2)
    >>> table = check_gradient({"x": 2.0}, model)
    >>> float(table.gradient[0]), bool(table.agrees[0])
    (-0.25, True)
    """
    try:
        import pandas as pd
    except ImportError as missing:
        raise ImportError(
            "check_gradient returns a pandas DataFrame, and pandas is not installed: "
            "pip install pandas"
        ) from missing
    model, values = resolve(point, model, "check_gradient")
    logp, gradient, start, entries = _functions(model, values)
    slopes = gradient(start)
    rows = []
    for position, (name, index) in enumerate(entries):
        difference, error = central_difference(logp, start, position)
        rows.append(
            {
                "variable": name,
                "index": index,
                "value": start[position],
                "gradient": slopes[position],
                "difference": difference,
                "error": error,
                "agrees": _agrees(slopes[position], difference, error),
            }
        )
    columns = ["variable", "index", "value", "gradient", "difference", "error", "agrees"]
    return pd.DataFrame(rows, columns=columns)


def central_difference(
    function: Callable[[np.ndarray], float], start: np.ndarray, position: int
) -> tuple[float, float]:
    """Extrapolate central differences to step 0 (Ridders), and estimate the error.

    C. J. F. Ridders, Advances in Engineering Software 4 (1982) 75: steps shrink by 1.4, a
    Neville tableau removes one even power of the step at a time, and the entry that differs
    least from its neighbours is taken.
    """
    shrink, size = 1.4, 10
    step = 0.1 * max(abs(start[position]), 1.0)
    tableau = np.full((size, size), np.nan)
    best, best_error = np.nan, np.inf
    # beyond the edge of the support the density is 0 and its logarithm -inf
    with np.errstate(invalid="ignore", over="ignore"):
        for column in range(size):
            above, below = start.copy(), start.copy()
            above[position] += step
            below[position] -= step
            width = above[position] - below[position]  # what the rounded arguments differ by
            high, low = function(above), function(below)
            tableau[0, column] = (high - low) / width
            noise = ROUNDINGS * np.finfo("float64").eps * max(abs(high), abs(low)) / width
            factor = shrink**2
            for row in range(1, column + 1):
                left, upper = tableau[row - 1, column - 1], tableau[row - 1, column]
                tableau[row, column] = (upper * factor - left) / (factor - 1)
                factor *= shrink**2
                value = tableau[row, column]
                error = max(abs(value - upper), abs(value - left), noise)
                if error <= best_error:
                    best, best_error = value, error
            step /= shrink
    return float(best), float(best_error) if np.isfinite(best_error) else float("nan")


def _agrees(gradient: float, difference: float, error: float) -> bool | None:
    if not np.isfinite(gradient):
        return False
    if not np.isfinite(difference):
        return None
    return bool(abs(gradient - difference) <= ERRORS_ALLOWED * error + RELATIVE * abs(difference))


def _functions(model: Model, values: dict[str, np.ndarray]):
    """Log-density and gradient as functions of one vector, the vector, and its entries."""
    continuous = model.continuous_value_vars
    logp = model.logp()
    (replaced,), vector = join_nonshared_inputs(
        point=values, inputs=continuous, outputs=[logp], make_inputs_shared=False
    )
    replaced = rewrite_pregrad(replaced)
    others = {v: values[v.name] for v in model.value_vars if v not in continuous}
    givens = [(v, pytensor.shared(x)) for v, x in others.items()]
    options = {"givens": givens, "on_unused_input": "ignore"}
    with model:
        value = compile([vector], replaced, **options)
        gradient = compile(
            [vector], pytensor.grad(replaced, vector, disconnected_inputs="ignore"), **options
        )
    start = np.concatenate(
        [np.asarray(values[v.name], "float64").ravel() for v in continuous] or [np.empty(0)]
    ).astype(vector.type.dtype)
    entries = [
        (v.name, tuple(int(i) for i in index))
        for v in continuous
        for index in np.ndindex(np.shape(values[v.name]))
    ]
    return (lambda x: float(value(x))), gradient, start, entries
