"""`check_gradient`: the gradient beside a central difference, entry by entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pytensor
from pymc.model import Model
from pymc.pytensorf import compile, join_nonshared_inputs, rewrite_pregrad

from pymc_safetrunc.diagnosis.difference import (
    ERRORS_ALLOWED,
    ROUNDINGS,
    central_difference,
    is_random,
)
from pymc_safetrunc.diagnosis.errors import first_line
from pymc_safetrunc.diagnosis.point import resolve

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["check_gradient"]

# Relative agreement that is asked for where the error estimate is smaller still; in single
# precision the roundings of the gradient itself are larger.
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
        The point does not suit the model, the log-density has no gradient, or is another one at
        every call, as with `pm.Minibatch`.
    TypeError
        The point is no dictionary or the model none of PyMC's, or no model was given and none is
        in context.

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
    columns = ["variable", "index", "value", "gradient", "difference", "error", "agrees"]
    if not model.continuous_value_vars:
        return pd.DataFrame(columns=columns)
    logp, gradient, start, entries = _functions(model, values)
    if is_random(logp(start), logp(start)):
        raise ValueError(
            "The log-density is another one at every call (pm.Minibatch and other random numbers "
            "inside do that), so that no difference says what its gradient is. Give the model all "
            "of its data, and check that."
        )
    slopes = gradient(start)
    eps = float(np.finfo(start.dtype).eps)
    rows = []
    for position, (name, index) in enumerate(entries):
        direction = np.zeros(start.shape)
        direction[position] = 1.0
        difference, error = central_difference(logp, start, direction)
        rows.append(
            {
                "variable": name,
                "index": index,
                "value": start[position],
                "gradient": slopes[position],
                "difference": difference,
                "error": error,
                "agrees": _agrees(slopes[position], difference, error, eps),
            }
        )
    return pd.DataFrame(rows, columns=columns)


def _agrees(gradient: float, difference: float, error: float, eps: float) -> bool | None:
    if not np.isfinite(gradient):
        return False
    if not np.isfinite(difference):
        return None
    relative = max(RELATIVE, ROUNDINGS * eps)
    return bool(abs(gradient - difference) <= ERRORS_ALLOWED * error + relative * abs(difference))


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
        try:
            slope = pytensor.grad(replaced, vector, disconnected_inputs="ignore")
        except Exception as error:  # a user's Op may raise what it likes when differentiated
            raise ValueError(
                f"The log-density of this model has no gradient: {first_line(error)}"
            ) from error
        gradient = compile([vector], slope, **options)
    start = np.concatenate(
        [np.asarray(values[v.name], "float64").ravel() for v in continuous]
    ).astype(vector.type.dtype)
    entries = [
        (v.name, tuple(int(i) for i in index))
        for v in continuous
        for index in np.ndindex(np.shape(values[v.name]))
    ]
    return value, gradient, start, entries
