"""Models in good health, some of which look sick until they are rewritten."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pymc.dims as pmd
import pytensor
import pytensor.tensor as pt
from pytensor import sparse
from pytensor.raise_op import Assert
from scipy.sparse import csr_matrix

import pymc_safetrunc as pst

HEALTHY = []


def healthy(build):
    HEALTHY.append(build)
    return build


@healthy
def quotient_of_a_zero_by_itself():
    w = pm.Normal("w", initval=0.0)
    pm.Potential("p", w / w)  # rewritten to 1


@healthy
def root_of_the_square_of_zero():
    w = pm.Normal("w", initval=0.0)
    pm.Potential("p", -pt.sqrt(pt.sqr(w)))  # rewritten to -|w| before it is differentiated


@healthy
def root_of_a_power_of_zero():
    w = pm.Normal("w", initval=0.0)
    # PyMC differentiates w**2 before it becomes sqr(w): the compiled gradient is w / |w|, a NaN at
    # this one value. That is worth a warning, and no error.
    pm.Potential("p", -pt.sqrt(w**2))


@healthy
def log_of_an_exponential_that_would_overflow():
    w = pm.Normal("w", initval=800.0)
    pm.Potential("p", -pt.log(pt.exp(w)))


@healthy
def log_of_one_plus_an_exponential():
    w = pm.Normal("w", initval=800.0)
    pm.Potential("p", -pt.log(1 + pt.exp(w)))  # softplus


@healthy
def log_of_a_difference_of_exponentials():
    a = pm.Normal("a", initval=800.0)
    b = pm.Normal("b", initval=799.0)
    pm.Potential("p", pt.log(pt.exp(a) - pt.exp(b)))


@healthy
def log_of_a_saturated_sigmoid():
    w = pm.Normal("w", initval=50.0)
    pm.Potential("p", pt.log(1 - pt.sigmoid(w)) + pt.log(pt.sigmoid(-20 * w)))


@healthy
def switch_that_guards_a_logarithm():
    x = pm.Normal("x", shape=3, initval=np.array([1.0, 0.0, 2.0]))
    pm.Potential("p", pt.switch(x > 0, x * pt.log(x), 0.0).sum())


@healthy
def distances_with_a_masked_diagonal():
    x = pm.Normal("x", shape=(3, 2), initval=np.arange(6.0).reshape(3, 2))
    same = pm.Data("same", np.eye(3, dtype=bool))
    distance = pt.sqrt(((x[:, None] - x[None, :]) ** 2).sum(axis=-1))
    pm.Potential("p", -pt.switch(same, 0.0, distance).sum())


@healthy
def truncation_without_a_bound():
    s = pm.HalfNormal("s")
    pm.TruncatedNormal("V", 0, s, lower=0, upper=None, observed=[0.5, 1.5])


@healthy
def truncation_by_a_constant_infinity():
    s = pm.HalfNormal("s")
    pm.TruncatedNormal("V", 0, s, lower=0, upper=np.inf, observed=[0.5, 1.5])


@healthy
def truncation_by_finite_data():
    s = pm.HalfNormal("s")
    up = pm.Data("up", 3.0)
    pm.TruncatedNormal("V", 0, s, lower=0, upper=up, observed=[0.5, 1.5])


@healthy
def censored_regression():
    b = pm.Normal("b")
    x = np.linspace(-1, 1, 5)
    pm.Censored(
        "y", pm.Normal.dist(b * x, 1), lower=0, upper=None, observed=[0.0, 0.0, 0.1, 0.5, 1.1]
    )


@healthy
def eight_schools_non_centred():
    mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
    z = pm.Normal("z", shape=8)
    pm.Normal(
        "y", mu + tau * z, [15, 10, 16, 11, 9, 11, 10, 18], observed=[28, 8, -3, 7, -1, 1, 18, 12]
    )


@healthy
def neals_funnel():
    v = pm.Normal("v", 0, 3)
    pm.Normal("x", 0, pt.exp(v / 2), shape=9)


@healthy
def mixture_with_zero_weight():
    w = pm.Data("w", [1.0, 0.0])  # log(0) of a component, absorbed by the sum
    m = pm.Normal("m")
    pm.Mixture(
        "y", w=w, comp_dists=[pm.Normal.dist(m, 1), pm.Normal.dist(3, 1)], observed=[0.1, 0.3]
    )


@healthy
def mixture_with_a_component_of_other_support():
    w = pm.Dirichlet("w", np.ones(2))
    s = pm.HalfNormal("s")
    pm.Mixture(
        "y", w=w, comp_dists=[pm.Exponential.dist(s), pm.Normal.dist(0, s)], observed=[0.3, -0.2]
    )


@healthy
def zero_inflated_counts():
    psi, mu = pm.Beta("psi", 1, 1), pm.HalfNormal("mu")
    pm.ZeroInflatedPoisson("n", psi=psi, mu=mu, observed=[0, 0, 3])


@healthy
def correlated_effects():
    chol, _, _ = pm.LKJCholeskyCov("chol", n=3, eta=2, sd_dist=pm.HalfNormal.dist(1))
    pm.MvNormal("y", np.zeros(3), chol=chol, observed=np.ones((2, 3)))


@healthy
def gaussian_process():
    ell = pm.HalfNormal("ell")
    gp = pm.gp.Marginal(cov_func=pm.gp.cov.ExpQuad(1, ell))
    x = np.linspace(0, 1, 5)[:, None]
    gp.marginal_likelihood("y", X=x, y=np.sin(x[:, 0]), sigma=0.1)


@healthy
def loop_with_a_guard():
    x0 = pm.Normal("x0", initval=0.0)
    xs = pytensor.scan(
        lambda x: pt.switch(x > 0, pt.log(x), x - 1.0),
        outputs_info=[x0],
        n_steps=4,
        return_updates=False,
    )
    pm.Potential("p", -(xs**2).sum())


@healthy
def autoregression():
    rho = pm.Normal("rho", 0.5, 0.1)
    pm.AR(
        "y",
        rho=[0.0, rho],
        sigma=1.0,
        init_dist=pm.Normal.dist(0, 1),
        constant=True,
        observed=np.linspace(0, 1, 6),
    )


@healthy
def ordered_probit():
    cut = pm.Normal(
        "cut", shape=2, initval=np.array([-1.0, 1.0]), transform=pm.distributions.transforms.ordered
    )
    eta = pm.Normal("eta")
    pm.OrderedProbit("y", eta=eta, cutpoints=cut, observed=[0, 1, 2])


@healthy
def discrete_and_continuous():
    k = pm.Poisson("k", 3)
    s = pm.HalfNormal("s")
    pm.Normal("y", k, s, observed=[2.0, 4.0])


@healthy
def ifelse_that_avoids_a_logarithm():
    x = pm.Normal("x", initval=-1.0)
    pm.Potential("p", pytensor.ifelse(x > 0, pt.log(x), -(x**2)))


@healthy
def ifelse_whose_other_branch_raises():
    x = pm.Normal("x", initval=1.0)
    other = Assert("x must be negative")(x**2, x < 0)
    halved = pytensor.ifelse(x < 0, Assert("x must be below -1")(x, x < -1), x / 2)
    pm.Potential("p", pytensor.ifelse(halved > 0, -(halved**2), other))


@healthy
def indexed_group_effects():
    effect = pm.Normal("effect", shape=3)
    group = pm.Data("group", [0, 2, 1, 1])
    pm.Normal("y", effect[group], 1, observed=[0.1, 0.2, 0.3, 0.4])


@healthy
def regression_on_a_sparse_design():
    X = sparse.as_sparse_variable(csr_matrix([[1.0, 0.0, 2.0], [0.0, 0.5, 0.0]]))
    b = pm.Normal("b", shape=(3, 1))
    pm.Normal("y", sparse.structured_dot(X, b)[:, 0], 1, observed=[0.3, -0.2])


@healthy
def safe_truncation_without_any_bound():
    mu, s = pm.Normal("mu"), pm.HalfNormal("s")
    lo, up = pm.Data("lo", -np.inf), pm.Data("up", np.inf)
    pst.TruncatedNormal("y", mu, s, lower=lo, upper=up, observed=[-1.0, 2.0])


@healthy
def safe_truncation_with_named_dimensions():
    pm.modelcontext(None).add_coord("row", range(2))
    s, up = pmd.HalfNormal("s"), pmd.as_xtensor(pm.Data("up", np.inf), dims=())
    y = pmd.as_xtensor(np.array([0.5, 1.5]), dims="row")
    pst.dims.TruncatedNormal("y", 0, s, lower=0, upper=up, observed=y)


@healthy
def safe_truncation_in_a_far_tail():
    mu, s = pm.Normal("mu", initval=-40.0), pm.HalfNormal("s", initval=0.1)
    up = pm.Data("up", np.inf)
    pst.TruncatedNormal("y", mu, s, lower=0, upper=up, observed=[0.001, 0.01])


@healthy
def safe_truncation_of_a_free_variable_with_some_bounds():
    up = pm.Data("up", [np.inf, 2.0, 3.0])
    pst.TruncatedNormal("z", 0, pm.HalfNormal("s"), lower=-np.inf, upper=up, shape=3)


@healthy
def safe_truncation_observed_at_its_bounds():
    mu, s = pm.Normal("mu"), pm.HalfNormal("s")
    pst.TruncatedNormal("y", mu, s, lower=0, upper=2, observed=[0.0, 2.0])


@healthy
def safe_truncation_to_a_narrow_interval():
    mu, s = pm.Normal("mu"), pm.HalfNormal("s")
    pst.TruncatedNormal("y", mu, s, lower=1.0, upper=1 + 1e-9, observed=[1 + 5e-10])
