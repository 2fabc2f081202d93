"""For every rule one model with variables that must trigger it and variables that must not.

The first are named ``sick_...``, the others ``well_...``. ``use(variable, name, default)`` gives
the default at first; a second time, what the variable's remedy defines under that name.
"""

import numpy as np
import pymc as pm
import pymc.dims as pmd
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

import pymc_safetrunc as pst

CLINICS = {}


def clinic(rule, by="factor"):
    def register(build):
        CLINICS[rule] = (build, by)
        return build

    return register


@clinic("runtime-infinite-bound")
def infinite_bounds(use):
    s = pm.HalfNormal("s")
    inf, some, zero = pm.Data("inf", np.inf), pm.Data("some", [np.inf, 2.0]), pm.Data("zero", 0.0)
    common = {"mu": 0, "sigma": s, "observed": [0.5, 1.5]}

    def truncated_normal(name, distribution=pm.TruncatedNormal, **bounds):
        use(name, "TruncatedNormal", distribution)(name, **common, **bounds)

    truncated_normal("sick_data", lower=0, upper=inf)
    truncated_normal("sick_entry", lower=0, upper=some)
    truncated_normal("sick_computed", lower=0, upper=1 / zero)
    truncated_normal("sick_below", lower=-inf, upper=3)
    gamma = pm.Gamma.dist(2, s)
    use("sick_gamma", "Truncated", pm.Truncated)(
        "sick_gamma", gamma, lower=0.1, upper=inf, observed=[0.5]
    )
    named = {**common, "observed": pmd.as_xtensor([0.5, 1.5], dims="row")}
    pm.modelcontext(None).add_coord("row", range(2))
    for name, family, upper in (
        ("sick_named", use("sick_named", "TruncatedNormal", pmd.TruncatedNormal), inf),
        ("well_named", pmd.TruncatedNormal, 3.0),
        ("well_named_safe", pst.dims.TruncatedNormal, inf),
    ):
        family(name, **named, lower=0, upper=pmd.as_xtensor(upper, dims=()))
    truncated_normal("well_none", lower=0, upper=None)
    truncated_normal("well_constant", lower=0, upper=np.inf)
    truncated_normal("well_finite", lower=0, upper=pm.Data("three", 3.0))
    truncated_normal("well_safe", pst.TruncatedNormal, lower=0, upper=some)
    normal = pm.Normal.dist(0, s)
    pm.Censored("well_censored", normal, lower=0, upper=inf, observed=[0.5])


@clinic("inverted-bounds")
def inverted(use):
    s = pm.HalfNormal("s")
    two, one, pair = pm.Data("two", 2.0), pm.Data("one", 1.0), pm.Data("pair", [0.0, 2.0])

    def bounds(name, lower, upper):
        low, high = use(name, "in_order", lambda *given: given)(lower, upper)
        return {"lower": low, "upper": high}

    pm.TruncatedNormal("sick_data", 0, s, **bounds("sick_data", two, one), observed=[1.5])
    pm.TruncatedNormal("sick_entry", 0, s, **bounds("sick_entry", pair, one), observed=[0.5, 1.5])
    pm.Uniform("sick_uniform", **bounds("sick_uniform", two, one), observed=[1.5])
    swapped = bounds("sick_named", *(pmd.as_xtensor(x, dims=()) for x in (two, one)))
    pmd.Uniform("sick_named", **swapped, observed=pmd.as_xtensor(1.5))
    safe = bounds("sick_safe", two, one)
    pst.TruncatedNormal("sick_safe", 0, s, **safe, observed=[1.5])
    pm.TruncatedNormal("well_data", 0, s, lower=one, upper=two, observed=[1.5])
    pm.Uniform("well_uniform", one, two, observed=[1.5])
    pm.Censored("well_censored", pm.Normal.dist(0, s), lower=one, upper=two, observed=[1.0])
    counts, narrow = pm.Poisson.dist(s), pm.Data("narrow", 2.2)
    pm.Truncated("sick_counts", counts, **bounds("sick_counts", two, one), observed=[2])
    pm.Truncated("well_point_mass", counts, lower=two, upper=two, observed=[2])
    pst.Truncated("well_rounded", counts, lower=pm.Data("low", 1.6), upper=narrow, observed=[2])


@clinic("no-logp")
def without_log_density(use):
    x = pm.Normal("x")

    def truncated(name, base, lower, upper):
        middle = (lower + upper) / 2
        use(name, "Truncated", pm.Truncated)(name, base, lower=lower, upper=upper, observed=middle)

    truncated("sick_direction", pm.VonMises.dist(0, 1), -1, 1)
    truncated("sick_table", pm.Interpolated.dist(np.arange(3.0), np.ones(3)), 0.1, 0.5)
    truncated("sick_amplitude", pm.Rice.dist(nu=1, sigma=1), 0.1, 0.5)
    truncated("well_gamma", pm.Gamma.dist(2, 1), 0.1, 0.5)
    pst.Truncated("well_safe", pm.VonMises.dist(0, 1), lower=-1, upper=1, observed=0.1)
    pm.Normal("well_normal", x, 1, observed=0.1)


@clinic("nonfinite-logp")
def not_finite(use):
    x = pm.Normal("x", initval=0.0)
    pm.Potential("sick_log", use("sick_log", "safe_log", pt.log)(pt.abs(x)))
    pm.Potential("sick_root", use("sick_root", "safe_sqrt", pt.sqrt)(pt.abs(x) - 5.0))
    pm.Potential("sick_inverse", use("sick_inverse", "safe_divide", pt.true_div)(-1.0, pt.abs(x)))
    pm.Potential("well_softplus", -pt.log(1 + pt.exp(900 + x)))
    pm.Potential("well_quotient", x / x)
    pm.Potential("well_guarded", pt.switch(x > 0, x * pt.log(x), 0.0))


@clinic("nonfinite-gradient")
def no_gradient(use):
    x = pm.Normal("x", shape=2, initval=np.zeros(2))
    s = pm.HalfNormal("s")
    root = use("sick_distance", "safe_sqrt", pt.sqrt)
    pm.Potential("sick_distance", -root((x**2).sum()))
    pm.Potential("sick_power", -use("sick_power", "safe_power", pt.pow)(pt.abs(x[0]), 0.3))
    distribution = use("sick_bound", "TruncatedNormal", pm.TruncatedNormal)
    distribution("sick_bound", 0, s, lower=0, upper=pm.Data("up", np.inf), observed=[0.5])
    pm.Potential("well_absolute", -pt.sqrt(pt.sqr(x[1])))
    pm.Potential("well_clipped", -pt.sqrt(pt.maximum((x**2).sum(), 1e-300)))
    pst.TruncatedNormal("well_bound", 0, s, lower=0, upper=pm.Data("top", np.inf), observed=[0.5])


@clinic("data-outside-bounds")
def outside(use):
    s = pm.HalfNormal("s")

    def inside(name, lower, upper, values):
        function = use(name, "rows_inside", lambda lower, upper, values: [np.asarray(values)])
        return {"observed": function(lower, upper, values)[0]}

    pm.TruncatedNormal(
        "sick_truncated", 0, s, lower=0, upper=3, **inside("sick_truncated", 0, 3, [0.5, -0.5])
    )
    pm.Gamma("sick_gamma", 2, s, **inside("sick_gamma", 0, np.inf, [1.0, -1.0, 2.0]))
    pm.Uniform("sick_uniform", 0, 1, **inside("sick_uniform", 0, 1, [0.5, 1.5]))
    pm.TruncatedNormal("well_at_bounds", 0, s, lower=0, upper=3, observed=[0.0, 3.0])
    pm.Gamma("well_gamma", 2, s, observed=[1.0])
    pm.Uniform("well_uniform", 0, 1, observed=[0.0, 1.0])


class Slope(Op):
    """-x**2 with a gradient that is a multiple of the right one."""

    __props__ = ("factor",)

    def __init__(self, factor):
        self.factor = factor

    def make_node(self, x):
        return Apply(self, [pt.as_tensor(x)], [pt.dscalar()])

    def perform(self, node, inputs, outputs):
        outputs[0][0] = np.asarray(-(inputs[0] ** 2))

    def pullback(self, inputs, outputs, cotangents):
        return [-2.0 * self.factor * inputs[0] * cotangents[0]]


@clinic("wrong-gradient", by="variable")
def wrong_slopes(use):
    for name, factor in (
        ("sick_slightly", 1.001),
        ("sick_sign", -1.0),
        ("sick_nothing", 0.0),
        ("well_right", 1.0),
    ):
        pm.Potential(f"p_{name}", Slope(factor)(pm.Normal(name, 0, 10, initval=1.5)))
    entries = pm.Normal("sick_entry", 0, 10, shape=(2, 2), initval=np.full((2, 2), 1.5))
    pm.Potential("p_entry", Slope(0.5)(entries[1, 0]) + Slope(1.0)(entries[0, 0]))
    pm.Potential("kink", -pt.abs(pm.Normal("well_kink", initval=0.0)))
    pm.Potential("steep", -1e4 * (pm.Normal("well_steep", 0, 1e3) - 1e3) ** 2)


@clinic("flat-direction", by="variable")
def flat(use):
    def held(name, **kwargs):
        return use(name, "with_prior", lambda x: x)(pm.Flat(name, **kwargs))

    rounded, entry = held("sick_rounded"), held("sick_entry", shape=3)
    compared = held("sick_compared")
    where = pt.switch(compared > 1e6, 1.0, 0.0)
    used, half = pm.Flat("well_used"), pm.HalfNormal("well_half")
    normal = pm.Normal("well_normal")
    pm.Normal("well_at_its_mode")
    mu = pt.round(rounded) * 1e-3 + entry[0] + used + normal + where
    pm.Normal("y", mu, half, observed=[0.1, 0.4])


@clinic("empty-truncation")
def empty(use):
    mu = pm.Normal("mu", 0, 0.1)

    def truncated_normal(name, distribution=pm.TruncatedNormal, **arguments):
        use(name, "TruncatedNormal", distribution)(name, mu, 1, **arguments)

    truncated_normal("sick_above", lower=50, observed=[50.01, 50.02])
    truncated_normal("sick_below", lower=-80.0, upper=-60.0, observed=[-60.01])
    truncated_normal("sick_entry", lower=pm.Data("lower", [0.0, 45.0]), observed=[0.5, 45.01])
    gamma = pm.Gamma.dist(200, 1 + pm.HalfNormal("s"))
    use("sick_gamma", "Truncated", pm.Truncated)("sick_gamma", gamma, upper=1e-3, observed=[9e-4])
    truncated_normal("well_body", lower=-1, upper=3, observed=[0.5])
    truncated_normal("well_tail", lower=30, observed=[30.02])
    truncated_normal("well_safe", pst.TruncatedNormal, lower=50, observed=[50.01])
    pm.Truncated("well_gamma", pm.Gamma.dist(2, 1), upper=1e-3, observed=[9e-4])


@clinic("tail-truncation")
def tails(use):
    mu = pm.Normal("mu", 0, 0.1)
    rate = 1 + pm.HalfNormal("s", 0.1)

    def truncated_normal(name, distribution=pm.TruncatedNormal, **arguments):
        use(name, "TruncatedNormal", distribution)(name, mu, 1, **arguments)

    truncated_normal("sick_narrow", lower=1.0, upper=1 + 1e-12, observed=[1 + 5e-13])
    truncated_normal("sick_far", lower=1e5, upper=1.1e5, observed=[1e5 + 1e-6])
    use("sick_exponential", "Truncated", pm.Truncated)(
        "sick_exponential", pm.Exponential.dist(rate), lower=50.0, upper=60.0, observed=[50.5]
    )
    use("sick_gamma", "Truncated", pm.Truncated)(
        "sick_gamma", pm.Gamma.dist(2, rate), lower=35.0, observed=[36.0]
    )
    truncated_normal("well_body", lower=-1, upper=3, observed=[0.5])
    truncated_normal("well_tail", lower=10, upper=12, observed=[10.5])
    truncated_normal("well_safe", pst.TruncatedNormal, lower=1.0, upper=1 + 1e-12, observed=[1.0])
    pm.Truncated("well_gamma", pm.Gamma.dist(2, rate), lower=1.0, observed=[2.0])


@clinic("overflow-prone")
def overflow(use):
    x = np.linspace(-3, 3, 7)
    wide, narrow = pm.Normal("wide", 0, 150), pm.Normal("narrow", 0, 1)
    counts = np.ones(7, int)
    exp = use("sick_rate", "safe_exp", pt.exp)
    pm.Poisson("sick_rate", exp(wide * x), observed=counts)
    growth = use("sick_growth", "safe_exp", pt.exp)
    pm.Potential("sick_growth", -growth(wide + 1.0).sum())
    log = use("sick_log", "safe_log", pt.log)
    pm.Potential("sick_log", log(pt.abs(pm.Normal("inner", initval=1.0))))
    if "log_sum_exp" in use.names("sick_mixture"):
        log_sum_exp = use("sick_mixture", "log_sum_exp", None)
        mixture = log_sum_exp(np.log(0.5) - 0.5 * (x - wide) ** 2, -0.7 * (x + wide) ** 2)
    else:
        mixture = pt.log(0.5 * pt.exp(-0.5 * (x - wide) ** 2) + pt.exp(-0.7 * (x + wide) ** 2))
    pm.Potential("sick_mixture", mixture.sum())
    pm.Poisson("well_rate", pt.exp(narrow * x), observed=counts)
    pm.Bernoulli("well_logit", logit_p=wide * x, observed=counts)
    pm.Potential("well_log", pt.log(pm.HalfNormal("h")))
    pm.Potential("well_sum", pm.math.logsumexp(pt.stack([wide * x, -wide * x]), axis=0).sum())
    pm.Potential("well_held", -pt.exp(pt.minimum(wide, 700.0)))
    pm.Potential("well_square", -pt.exp(-(wide**2)))
    # its survival function is guarded by PyMC
    pm.Censored("well_inside_pymc", pm.Normal.dist(wide * x, 1), 0, None, observed=np.zeros(7))
