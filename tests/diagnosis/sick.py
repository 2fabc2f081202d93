"""Models that are sick on purpose: what is wrong stands beside each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

import pymc_safetrunc as pst

inf = np.inf


@dataclass(frozen=True)
class Sick:
    """A model and what a diagnosis has to say about it."""

    build: Callable[[], Any]
    factor: str
    operation: str
    quantity: str = "logp"
    variable: str | None = None
    index: tuple[int, ...] | None = None
    source: str | None = None
    rule: str | None = None
    severity: str = "error"

    @property
    def name(self) -> str:
        return self.build.__name__


SICK: list[Sick] = []


def sick(factor, operation, **kwargs):
    def register(build):
        SICK.append(Sick(build, factor, operation, **kwargs))
        return build

    return register


# Truncation and censoring


@sick(
    "V", "Mul", quantity="gradient", variable="s_log__", source="up", rule="runtime-infinite-bound"
)
def infinite_bound_as_data():
    s = pm.InverseGamma("s", 2, 3)
    up = pm.Data("up", inf)
    pm.TruncatedNormal("V", 0, s, lower=0, upper=up, observed=[0.5, 1.5])  # 0 * inf backwards


@sick(
    "V",
    "Mul",
    quantity="gradient",
    variable="s_log__",
    source="up",
    index=(1,),
    rule="runtime-infinite-bound",
)
def infinite_bound_for_one_observation():
    s = pm.InverseGamma("s", 2, 3)
    up = pm.Data("up", [3.0, inf, 4.0])  # the second observation has no upper bound
    pm.TruncatedNormal("V", 0, s, lower=0, upper=up, observed=[0.5, 1.5, 2.5])


@sick(
    "V",
    "TrueDiv",
    quantity="gradient",
    variable="s_log__",
    source="rate",
    rule="runtime-infinite-bound",
)
def infinite_bound_computed():
    s = pm.InverseGamma("s", 2, 3)
    rate = pm.Data("rate", 0.0)
    pm.TruncatedNormal("V", 0, s, lower=0, upper=1 / rate, observed=[0.5, 1.5])  # 1 / 0


@sick(
    "c", "Mul", quantity="gradient", variable="b_log__", source="low", rule="runtime-infinite-bound"
)
def infinite_bound_of_a_truncated_cauchy():
    b = pm.HalfNormal("b")
    low = pm.Data("low", -inf)
    pm.Truncated("c", pm.Cauchy.dist(0, b), lower=low, upper=3.0, observed=[0.5, 1.5])


@sick("g", "Log1mexp", index=(0,), rule="equal-cdfs")
def truncated_gamma_in_its_tail():
    a = pm.HalfNormal("a")
    pm.Truncated("g", pm.Gamma.dist(1 + a, 1), lower=50, upper=60, observed=[51.0, 55.0])


@sick("n", "Log1mexp", index=(0,), rule="equal-cdfs")
def truncated_poisson_in_its_tail():
    mu = pm.HalfNormal("mu")
    pm.Truncated("n", pm.Poisson.dist(mu), lower=60, observed=[61, 64])  # 1 - cdf is 0


@sick("g", "Log1mexp", index=(1,), rule="equal-cdfs")
def censored_gamma_beyond_its_tail():
    a = pm.HalfNormal("a")
    pm.Censored("g", pm.Gamma.dist(1 + a, 1), lower=None, upper=60.0, observed=[1.0, 60.0])


@sick("t", "Switch", index=(2,), source="t", rule="outside-support", severity="warning")
def observation_outside_the_bounds():
    s = pm.HalfNormal("s")
    pm.TruncatedNormal("t", 0, s, lower=0, upper=2, observed=[0.5, 1.5, 2.5])  # 2.5 > 2


@sick("y", "Switch", index=(1,), source="y", rule="outside-support", severity="warning")
def observation_outside_safe_bounds():
    s = pm.HalfNormal("s")
    up = pm.Data("up", [inf, 2.0, 3.0])
    pst.TruncatedNormal("y", 0, s, lower=0, upper=up, observed=[0.5, 2.5, 1.0])  # 2.5 > 2


@sick("y", "Normalizer", quantity="gradient", variable="eta", rule="invalid-parameter")
def safe_scale_that_underflows():
    eta = pm.Normal("eta", initval=-800.0)
    pst.TruncatedNormal("y", 0, pt.exp(eta), lower=0, upper=2, observed=[0.5, 1.5])  # exp is 0


@sick(
    *("y", "CheckParameterValue"),
    index=(1,),
    source="lo",
    rule="inverted-bounds",
    severity="warning",
)
def bounds_upside_down_in_the_data():
    s = pm.HalfNormal("s")
    lo, up = pm.Data("lo", [0.0, 3.0]), pm.Data("up", 2.0)  # 3 > 2
    pst.TruncatedNormal("y", 0, s, lower=lo, upper=up, observed=[0.5, 1.0])


@sick("y", "Normalizer", quantity="gradient", variable="s_log__", rule="inverted-bounds")
def bound_that_has_moved_beyond_the_other():
    s = pm.HalfNormal("s")
    lo = pm.Normal("lo", initval=3.0)
    pst.TruncatedNormal("y", 0, s, lower=lo, upper=2, observed=[0.5, 1.0])


# Mixtures and simplexes


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


# Linear algebra


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


# Overflow and underflow


@sick("y", "Exp", index=(2,), rule="exp-overflow")
def poisson_with_an_unscaled_covariate():
    b = pm.Normal("b", initval=1.0)
    x = np.array([1.0, 2.0, 1000.0])  # e**1000
    pm.Poisson("y", mu=pt.exp(b * x), observed=[2, 7, 900])


@sick("fit", "TrueDiv", rule="underflowed-scale", index=(0,))
def scale_that_underflowed():
    x = pm.Normal("x", initval=30.0)
    y = np.array([0.5, 1.5])
    scale = pt.exp(-(x**2)) + pt.exp(-2 * x**2)  # e**-900 is 0
    pm.Potential("fit", -pt.abs(y / scale))


@sick("diff", "Sub", source="big", rule="inf-minus-inf")
def difference_of_infinities():
    x = pm.Normal("x", initval=1.0)
    big = pm.Data("big", inf)
    pm.Potential("diff", pt.gammaln(big + x) - pt.gammaln(big))


@sick("mask", "Mul", source="w", rule="zero-times-inf")
def infinite_weight_on_nothing():
    x = pm.Normal("x", initval=0.0)
    w = pm.Data("w", inf)
    pm.Potential("mask", -w * pt.abs(x))  # inf * 0


@sick("mask", "TrueDiv", quantity="gradient", variable="x", index=(1,), rule="masked-branch")
def softmax_behind_a_switch():
    x = pm.Normal("x", shape=3, initval=np.array([1.0, 0.0, 2.0]))
    share = pt.special.softmax(pt.log(x))
    pm.Potential("mask", pt.switch(x > 0, share, 0.0).sum())  # 0 / 0 backwards at the masked entry


@sick("growth", "Pow", rule="power-overflow")
def power_that_overflows():
    k = pm.Normal("k", initval=400.0)
    pm.Potential("growth", -pt.pow(10.0, k))


@sick("h", "Cosh", rule="exp-overflow")
def cosh_that_overflows():
    k = pm.Normal("k", initval=900.0)
    pm.Potential("h", -pt.cosh(k))


# Logarithms, roots, powers, divisions


@sick("p", "Log", rule="log-of-zero", source=None)
def log_of_zero_in_a_potential():
    x = pm.Normal("x", initval=0.0)
    pm.Potential("p", pt.log(pt.abs(x)))


@sick("p", "Log", index=(1,), rule="log-of-negative")
def log_of_a_negative():
    x = pm.Normal("x", initval=1.0)
    offset = pm.Data("offset", [0.5, -3.0, 1.0])
    pm.Potential("p", pt.log(x + offset))  # 1 - 3


@sick("dist", "TrueDiv", quantity="gradient", variable="x", index=(0,), rule="sqrt-of-zero")
def distance_at_its_kink():
    x = pm.Normal("x", shape=2, initval=np.zeros(2))
    pm.Potential("dist", -pt.sqrt((x**2).sum()))  # the gradient of a norm at 0 is 0 / 0


@sick("kink", "TrueDiv", quantity="gradient", variable="w", rule="zero-over-zero")
def root_of_a_power():
    w = pm.Normal("w", initval=0.0)
    # PyMC differentiates w**2 before it becomes sqr(w): the compiled gradient is w / |w|
    pm.Potential("kink", -pt.sqrt(w**2))


@sick("far", "TrueDiv", quantity="gradient", variable="x", rule="sqrt-of-zero", index=(0, 0, 0))
def distances_with_a_constant_mask():
    x = pm.Normal("x", shape=(3, 2), initval=np.arange(6.0).reshape(3, 2))
    distance = pt.sqrt(((x[:, None] - x[None, :]) ** 2).sum(axis=-1))
    pm.Potential("far", -pt.switch(np.eye(3, dtype=bool), 0.0, distance).sum())


@sick("root", "Sqrt", rule="sqrt-of-negative")
def root_of_a_negative():
    x = pm.Normal("x", initval=2.0)
    pm.Potential("root", pt.sqrt(1 - x))


@sick("share", "TrueDiv", rule="zero-over-zero")
def share_of_nothing():
    x = pm.Normal("x", shape=2, initval=np.zeros(2))
    pm.Potential("share", x / x.sum())


@sick("inverse", "TrueDiv", rule="division-by-zero")
def division_by_zero():
    x = pm.Normal("x", initval=0.0)
    pm.Potential("inverse", -1 / pt.abs(x))


@sick("power", "Pow", rule="power-of-negative")
def fractional_power_of_a_negative():
    x = pm.Normal("x", initval=-1.0)
    pm.Potential("power", -(x**1.3))


@sick("power", "Pow", quantity="gradient", variable="x", rule="power-of-zero")
def fractional_power_at_zero():
    x = pm.Normal("x", initval=0.0)
    pm.Potential("power", -(x**0.3))  # the slope at 0 is infinite


@sick("angle", "ArcCos", rule="outside-domain")
def angle_of_an_impossible_cosine():
    x = pm.Normal("x", initval=1.2)
    pm.Potential("angle", pt.arccos(x))


@sick("custom", "Log", index=(1,), rule="log-of-zero")
def custom_distribution_without_care():
    b = pm.HalfNormal("b")

    def logp(value, b):
        return b * pt.log(value) - value  # forgets that a value may be 0

    pm.CustomDist("custom", b, logp=logp, observed=np.array([1.0, 0.0, 2.0]))


# Data


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


# Loops and user Ops


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


# Parameters outside their domain


@sick("y", "CheckParameterValue", rule="invalid-parameter", severity="warning")
def scale_that_is_negative():
    s = pm.Normal("s", initval=-1.0)
    pm.Normal("y", 0, s, observed=[0.1, 0.2])
