"""Loops, and Ops of the user."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.raise_op import Assert

from tests.diagnosis.sick.case import sick

inf = np.inf


@sick("path", "Exp", index=(3,), rule="exp-overflow")
def recurrence_that_explodes():
    x0 = pm.Normal("x0", initval=1.0)
    xs = pytensor.scan(lambda x: pt.exp(x), outputs_info=[x0], n_steps=6, return_updates=False)
    pm.Potential("path", -xs[-1])


@sick("y", "Log", index=(0,), rule="log-of-zero")
def mixture_component_without_weight():
    m = pm.Normal("m")
    w = pm.Data("w", [0.0, 0.0])  # weights that sum to 0
    pm.Potential("y", pm.math.logsumexp(pt.log(w) - 0.5 * (1.0 - m) ** 2))


@sick("x", "Sqr", source="x", rule="nonfinite-point")
def point_that_is_infinite():
    pm.Normal("x", initval=inf)


@sick("obs", "Switch", index=(1,), source="obs", rule="outside-support", severity="warning")
def mixture_observation_outside_every_component():
    w = pm.Dirichlet("w", np.ones(2))
    pm.Mixture(
        "obs", w=w, comp_dists=[pm.Exponential.dist(1), pm.HalfNormal.dist(1)], observed=[0.3, -0.2]
    )  # both components start at 0


@sick("y", "CheckParameterValue", rule="invalid-parameter", severity="warning", index=(1,))
def probability_above_one():
    a = pm.Normal("a", initval=0.8)
    pm.Bernoulli("y", p=a * np.array([1.0, 2.0]), observed=[1, 0])


@sick("path", "Log", index=(3,), rule="log-of-negative")
def recurrence_that_leaves_its_domain():
    x0 = pm.Normal("x0", initval=2.5)
    steps = np.arange(6.0)
    xs = pytensor.scan(
        lambda t, x: pt.log(x - t),
        sequences=[pt.as_tensor(steps)],
        non_sequences=[x0],
        return_updates=False,
    )  # 2.5 - 3
    pm.Potential("path", xs.sum())


class Reciprocating(Op):
    """A user's Op, of which nothing is known but its values."""

    itypes = [pt.dscalar]  # noqa: RUF012
    otypes = [pt.dscalar]  # noqa: RUF012

    def make_node(self, x):
        return Apply(self, [pt.as_tensor(x)], [pt.dscalar()])

    def perform(self, node, inputs, outputs):
        with np.errstate(divide="ignore"):
            outputs[0][0] = np.asarray(np.log(inputs[0]))

    def pullback(self, inputs, outputs, cotangents):
        return [cotangents[0] / inputs[0]]


class Raising(Reciprocating):
    def perform(self, node, inputs, outputs):
        raise RuntimeError("the solver did not converge")


@sick("user", "Reciprocating")
def users_op_that_returns_infinity():
    x = pm.Normal("x", initval=0.0)
    pm.Potential("user", Reciprocating()(x))


@sick("user", "Raising", rule="operation-failed")
def users_op_that_raises():
    x = pm.Normal("x", initval=0.0)
    pm.Potential("user", Raising()(x))


@sick("p", "Log", rule="log-of-negative")
def branch_that_is_taken():
    x = pm.Normal("x", initval=1.0)
    other = Assert("x must be negative")(x, x < 0)
    pm.Potential("p", pytensor.ifelse(x > 0, pt.log(x - 2), other))


@sick("p", "Assert", rule="operation-failed")
def branch_that_is_taken_and_raises():
    x = pm.Normal("x", initval=1.0)
    pm.Potential("p", pytensor.ifelse(x > 0, Assert("x must be negative")(x, x < 0), pt.log(x)))


@sick("y", "Add", rule="operation-failed")
def lengths_that_do_not_fit():
    b = pm.Normal("b", shape=3)
    x = pm.Data("x", [1.0])  # of any length, and 1 is not broadcast at run time
    pm.Potential("y", b + x)


@sick("y", "MatrixInverse", rule="operation-failed")
def inverses_of_a_batch_with_a_singular_matrix():
    x = pm.Normal("x", initval=1.0)
    pm.Potential("y", pt.linalg.inv(x * np.stack([np.eye(2), np.ones((2, 2))])).sum())
