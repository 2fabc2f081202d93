"""Data that are not finite, or do not suit the model, and parameters outside their domain."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor import sparse
from scipy.sparse import csr_matrix

from tests.diagnosis.sick.case import sick

inf = np.inf


@sick("y", "Sub", index=(1,), source="y", rule="nonfinite-data")
def infinite_observation():
    m = pm.Normal("m")
    pm.Normal("y", m, 1, observed=[0.0, inf, 1.0])


@sick("y", "Mul", index=(2,), source="x", rule="nonfinite-data")
def missing_covariate():
    b = pm.Normal("b")
    x = pm.Data("x", [1.0, 2.0, 3.0])
    x.set_value(np.array([1.0, 2.0, np.nan]))  # pm.Data refuses a NaN, pm.set_data does not
    pm.Normal("y", b * x, 1, observed=[0.0, 1.0, 2.0])


@sick("y", "Dot", source="X", rule="nonfinite-data", index=(1,))
def missing_covariate_in_a_matrix():
    b = pm.Normal("b", shape=2)
    X = pm.Data("X", np.ones((3, 2)))
    X.set_value(np.array([[1.0, 2.0], [np.nan, 1.0], [0.0, 1.0]]))
    pm.Normal("y", X @ b, 1, observed=[0.0, 1.0, 2.0])


@sick("y", "Add", source="nu", rule="inf-minus-inf")
def infinite_degrees_of_freedom():
    s = pm.HalfNormal("s")
    nu = pm.Data("nu", inf)  # gammaln(inf) - gammaln(inf)
    pm.StudentT("y", nu=nu, mu=0, sigma=s, observed=[0.1, 0.2])


@sick("y", "Exp", index=(1,), rule="exp-overflow")
def indexed_group_effect():
    effect = pm.Normal("effect", shape=3, initval=np.array([0.0, 0.0, 720.0]))
    rate = pt.exp(effect[np.array([0, 2, 1])])  # the second observation is of group 2
    pm.Potential("y", -rate)


@sick("y", "AdvancedSubtensor", rule="operation-failed")
def index_out_of_range():
    effect = pm.Normal("effect", shape=3)
    group = pm.Data("group", [0, 3, 1])  # there is no group 3
    pm.Normal("y", effect[group], 1, observed=[0.1, 0.2, 0.3])


@sick("y", "CheckParameterValue", rule="invalid-parameter", severity="warning")
def scale_that_is_negative():
    s = pm.Normal("s", initval=-1.0)
    pm.Normal("y", 0, s, observed=[0.1, 0.2])


@sick("y", "Log", index=(2,), rule="log-of-zero")
def covariate_in_another_order_than_the_observations():
    b = pm.Normal("b")
    x = pm.Data("x", [0.0, 1.0, 2.0])
    pm.Normal("y", pt.log(x)[::-1] * b, 1, observed=[0.1, 0.2, 0.3])  # entry 0 of x


@sick("y", "Log", rule="log-of-zero")
def weight_that_spoils_every_observation():
    b = pm.HalfNormal("b")
    w = pm.Data("w", [0.0, 1.0, 2.0])  # as many as observations, which they have nothing to do with
    pm.Normal("y", pt.log(w).sum() * b, 1, observed=[0.1, 0.2, 0.3])


@sick("y", "CheckParameterValue", index=(2,), source="sd", rule="invalid-parameter")
def scale_of_a_group_that_is_negative():
    mu = pm.Normal("mu")
    sd = pm.Data("sd", [1.0, -1.0])
    pm.Normal("y", mu, sd[np.array([0, 0, 1])], observed=[1.0, 2.0, 3.0])


@sick("y", "CheckParameterValue", source="sigma", rule="invalid-parameter")
def scale_that_is_the_number_zero():
    pm.Normal("y", pm.Normal("m"), 0.0, observed=[1.0, 2.0])


def rate(X):
    """Log rate of three observations on a sparse design of two columns."""
    b = pm.Normal("b", shape=(2, 1), initval=np.ones((2, 1)))
    return sparse.structured_dot(sparse.as_sparse_variable(csr_matrix(X)), b)[:, 0]


@sick("y", "Exp", index=(1,), rule="exp-overflow")
def sparse_covariate_that_is_unscaled():
    pm.Poisson("y", pt.exp(rate([[1.0, 0.0], [0.0, 800.0], [1.0, 1.0]])), observed=[1, 2, 3])


@sick("y", "StructuredDot", rule="nonfinite-data")
def sparse_covariate_that_is_missing():
    pm.Normal("y", rate([[1.0, 0.0], [0.0, np.nan], [1.0, 1.0]]), 1, observed=[0.1, 0.2, 0.3])
