"""Mixtures, simplexes and linear algebra."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from tests.diagnosis.sick.case import sick

inf = np.inf


@sick("rest", "Log1p", rule="log-of-zero")
def mixture_weights_that_use_up_everything():
    w = pm.Uniform("w", 0, 1, shape=2)
    pm.Potential("rest", pt.log(1 - w.sum()))  # both start at 1/2


@sick("k", "Log", index=(1,), rule="log-of-zero")
def category_without_probability():
    b = pm.Normal("b")
    p = pt.stack([pt.sigmoid(b), 1 - pt.sigmoid(b), pt.zeros_like(b)])
    pm.Categorical("k", p=p, observed=[0, 2, 1])  # the third has probability 0


@sick("shares", "Exp", rule="exp-overflow", index=(1,))
def softmax_by_hand():
    eta = pm.Normal("eta", shape=3, initval=np.array([1.0, 900.0, 3.0]))
    e = pt.exp(eta)  # e**900 is inf
    pm.Potential("shares", (e / e.sum())[1])


@sick("mix", "Log", rule="log-of-underflow", index=(1,))
def log_of_a_sum_of_densities():
    m = pm.Normal("m")
    y = np.array([0.3, 60.0])  # e**(-60**2 / 2) underflows to 0
    pm.Potential("mix", pt.log(0.5 * pt.exp(-0.5 * (y - m) ** 2) + 0.5 * pt.exp(-((y + m) ** 2))))


@sick("z", "Log", rule="log-of-zero")
def zero_inflation_that_is_certain():
    mu = pm.HalfNormal("mu")
    psi = pm.Data("psi", 0.0)  # no zero is ever excess, and no count is possible
    pm.Potential("z", pt.log(psi * pt.exp(-mu)))


@sick("mv", "Cholesky", rule="not-positive-definite")
def covariance_that_is_none():
    m = pm.Normal("m", shape=2)
    r = pm.Data("r", 1.5)  # a correlation above 1
    pm.MvNormal(
        "mv",
        m,
        cov=pt.stack([pt.stack([1.0, r]), pt.stack([r, 1.0])]),
        observed=[[0.1, 0.2], [0.3, 0.1]],
    )


@sick("f", "Cholesky", rule="not-positive-definite")
def gaussian_process_with_repeated_inputs():
    ell = pm.HalfNormal("ell")
    x = np.array([0.0, 0.0, 1.0])[:, None]  # two rows of the covariance are the same
    cov = pm.gp.cov.ExpQuad(1, ell)(x) - 1e-6 * np.eye(3)
    pm.Potential("f", -pt.log(pt.linalg.cholesky(cov).diagonal()).sum())


@sick("d", "SLogDet", rule="singular-matrix")
def determinant_of_a_singular_matrix():
    a = pm.Normal("a", initval=2.0)
    matrix = pt.stack([pt.stack([a, 2.0]), pt.stack([2.0, 2.0])])  # at a = 2 its rows are equal
    pm.Potential("d", pt.log(pt.linalg.det(matrix)))
