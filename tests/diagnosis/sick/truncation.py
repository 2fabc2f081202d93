"""Truncation and censoring: PyMC's distributions and the safe ones."""

import numpy as np
import pymc as pm
import pymc.dims as pmd
import pytensor.tensor as pt

import pymc_safetrunc as pst
from tests.diagnosis.sick.case import sick

inf = np.inf


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


@sick("t", "Switch", index=(2,), source="t", rule="outside-support")
def observation_outside_the_bounds():
    s = pm.HalfNormal("s")
    pm.TruncatedNormal("t", 0, s, lower=0, upper=2, observed=[0.5, 1.5, 2.5])  # 2.5 > 2


@sick("y", "Switch", index=(1,), source="y", rule="outside-support")
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


@sick("g", "Log", rule="log-of-zero")
def logarithm_in_a_parameter_of_a_truncated_distribution():
    x = pm.Normal("x", initval=0.0)
    pm.Truncated("g", pm.Normal.dist(pt.log(pt.abs(x)), 1), lower=0.1, upper=5, observed=[1.0, 2.0])


@sick("g", "Log", rule="log-of-zero")
def logarithm_in_a_parameter_of_a_truncated_normal():
    x = pm.Normal("x", initval=0.0)
    pm.TruncatedNormal("g", pt.log(pt.abs(x)), 1, lower=0.1, upper=5, observed=[1.0, 2.0])


@sick("y", "Log", rule="equal-cdfs")
def truncated_normal_whose_bounds_are_close():
    s = pm.HalfNormal("s", initval=3.0)
    pm.TruncatedNormal("y", 0, s, lower=1, upper=1 + 2.3e-16, observed=[1.0])  # one float apart


@sick("V", "Mul", quantity="gradient", variable="s_log__", source="mu", rule="zero-times-inf")
def infinite_mean_beside_an_infinite_bound():
    s = pm.HalfNormal("s")
    mu, up = pm.Data("mu", inf), pm.Data("up", inf)  # mending the bound mends nothing
    pm.TruncatedNormal("V", mu, s, lower=0, upper=up, observed=[0.5, 1.5])


@sick("V", "Sub", source="x", index=(1,), rule="inf-minus-inf")
def infinite_covariate_beside_an_infinite_bound():
    s = pm.HalfNormal("s")
    x, up = pm.Data("x", [1.0, inf]), pm.Data("up", [inf, 3.0])
    pm.TruncatedNormal("V", s * x, s, lower=0, upper=up, observed=[0.5, 1.5])


@sick("t", "Switch", index=(2, 1), source="t", rule="outside-support")
def observation_in_a_matrix_outside_the_bounds():
    s = pm.HalfNormal("s")
    up = pm.Data("up", [3.0, 2.0])
    pm.TruncatedNormal("t", 0, s, lower=0, upper=up, observed=[[0.5, 1.0], [1.0, 1.5], [1.0, 2.5]])


@sick("t", "Switch", index=(1,), source="t", rule="outside-support", severity="warning")
def observation_outside_a_bound_that_may_move():
    top = pm.HalfNormal("top", initval=2.0)
    pm.Uniform("t", 0, top, observed=[0.5, 2.5])  # 2.5 > 2, but top may grow


@sick("z", "Log", source="lo", rule="inverted-bounds")
def bounds_upside_down_of_a_free_variable():
    lo, up = pm.Data("lo", 3.0), pm.Data("up", 2.0)
    pm.TruncatedNormal("z", 0, pm.HalfNormal("s"), lower=lo, upper=up)


@sick("z", "CheckParameterValue", source="lo", rule="inverted-bounds")
def safe_bounds_upside_down_of_a_free_variable():
    lo, up = pm.Data("lo", 3.0), pm.Data("up", 2.0)
    pst.TruncatedNormal("z", 0, pm.HalfNormal("s"), lower=lo, upper=up)


@sick(
    *("z", "Neg"),
    quantity="gradient",
    variable="z_interval__",
    index=(1,),
    source="lo",
    rule="inverted-bounds",
)
def bounds_upside_down_of_a_uniform():
    lo, up = pm.Data("lo", [0.0, 3.0]), pm.Data("up", 2.0)
    pm.Uniform("z", lo, up, shape=2)  # the initial point is a NaN


@sick("x", "CheckParameterValue", source="sigma", rule="invalid-parameter")
def safe_scale_that_is_a_negative_number():
    pst.TruncatedNormal("x", 0, -1.0, lower=0, upper=3)


def rows(values):
    """Observations with a named dimension."""
    pm.modelcontext(None).add_coord("row", range(len(values)))
    return pmd.as_xtensor(np.array(values), dims="row")


@sick(
    "V", "Mul", quantity="gradient", variable="s_log__", source="up", rule="runtime-infinite-bound"
)
def infinite_bound_with_named_dimensions():
    s = pmd.HalfNormal("s")
    up = pmd.as_xtensor(pm.Data("up", inf), dims=())
    pmd.TruncatedNormal("V", 0, s, lower=0, upper=up, observed=rows([0.5, 1.5]))


@sick("u", "CheckParameterValue", rule="inverted-bounds")
def swapped_bounds_with_named_dimensions():
    pmd.Uniform("u", pmd.as_xtensor(2.0), pmd.as_xtensor(1.0), observed=rows([1.2, 1.4]))


@sick("V", "Switch", index=(1,), source="V", rule="outside-support")
def observation_outside_with_named_dimensions():
    s = pmd.HalfNormal("s")
    pmd.TruncatedNormal("V", 0, s, lower=0, upper=2, observed=rows([0.5, 2.5]))
