"""Draws of `pst.TruncatedNormal` under Numba, the Python path and JAX."""

import warnings
from types import MappingProxyType

import mpmath
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.testing import BaseTestDistributionRandom
from pytensor.compile.mode import get_default_mode
from pytensor.link.numba.linker import NumbaLinker
from scipy.special import erfcx, ndtr
from scipy.stats import kstest

import pymc_safetrunc as pst
from pymc_safetrunc.kernels.truncated_normal_draw import FLAT, draw
from pymc_safetrunc.kernels.truncated_normal_draw_array import draw_array
from pymc_safetrunc.ops.truncated_normal_rv import safe_truncated_normal
from tests import optional

inf = np.inf

# CVM, as every linker but the other two, runs NumPy's array form
MODES = ("NUMBA", "CVM", "JAX")

REGIMES = {
    "whole line": (1.0, 2.0, -inf, inf),
    "body": (0.3, 1.5, -2.0, 4.0),
    "body, off centre": (0.0, 1.0, -0.2, 3.0),
    "body, to the left": (0.0, 1.0, -3.0, 0.4),
    "half": (0.0, 1.0, 0.0, inf),
    "half, to the left": (0.0, 1.0, -inf, 0.0),
    "one bound, far below": (5.0, 1.0, -3.0, inf),
    "one bound, near the mode": (-0.5, 1.0, 0.0, inf),
    "two bounds, beside the mode": (-0.6, 1.0, 0.0, 1.5),
    "right tail, a = 2": (-2.0, 1.0, 0.0, inf),
    "right tail, a = 8, cut": (-8.0, 1.0, 0.0, 0.3),
    "right tail, a = 40": (-4.0, 0.1, 0.0, inf),
    "right tail, a = 1e6": (-1e6, 1.0, 0.0, inf),
    "right tail, a = 1e6, cut": (-1e6, 1.0, 0.0, 2e-6),
    "left tail, a = 5": (5.0, 1.0, -inf, 0.0),
    "left tail, a = 1e6": (1e6, 1.0, -inf, 0.0),
    "left tail, a = 1e6, cut": (1e3, 1e-3, -1e-8, 0.0),
    "narrow, straddling": (0.1, 3.0, -0.2, 0.3),
    "narrow, in the tail": (-1e6, 1.0, 0.0, 1.2e-6),
    "narrow, 1e-12 sigmas": (-2.0, 1.0, 0.0, 1e-12),
    "1.4 sigmas, beside the mode": (-0.3, 1.0, 0.0, 1.4),
    "1.7 sigmas, straddling": (0.2, 1.0, -0.5, 1.2),
    "wide, straddling, mode at one end": (0.05, 1.0, -60.0, 0.1),
    "wide, a just negative": (0.0, 0.5, -1e-3, 0.9),
}
MU, SIGMA, LOWER, UPPER = (
    np.array(column)[:, None] for column in zip(*REGIMES.values(), strict=True)
)
DRAWS = 20_000
FAR_TAIL = MappingProxyType({"mu": -2.0, "sigma": 0.5, "lower": 0.0, "upper": 1.0})

NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
NODES, WEIGHTS = 0.5 * (NODES + 1.0), 0.5 * WEIGHTS


def cdf(x, mu, sigma, lower, upper):
    """P(X <= x) by formulas that share nothing with the methods of drawing."""
    a, b, d = (lower - mu) / sigma, (upper - mu) / sigma, (upper - lower) / sigma
    if a + b < 0:
        return 1.0 - cdf(-x, -mu, sigma, -upper, -lower)
    s = (x - lower) / sigma
    if d * (max(a, 0.0) + 0.5 * d) < FLAT:
        return mass_near(a, s) / mass_near(a, np.array([d]))
    if a > 0:
        whole = -np.expm1(log_survival(a, d)) if d < inf else 1.0
        return -np.expm1(log_survival(a, s)) / whole
    return (ndtr((x - mu) / sigma) - ndtr(a)) / (ndtr(b) - ndtr(a))


def mass_near(a, s):
    """int_0^s exp(-a t - t^2/2) dt by Gauss and Legendre."""
    t = s[:, None] * NODES
    return s * (np.exp(-t * (a + 0.5 * t)) @ WEIGHTS)


def log_survival(a, s):
    """log of (1 - Phi(a + s)) / (1 - Phi(a))."""
    ratio = erfcx((a + s) / np.sqrt(2.0)) / erfcx(a / np.sqrt(2.0))
    return np.log(ratio) - s * (a + 0.5 * s)


def exact_cdf(x, mu, sigma, lower, upper):
    """The same by mpmath, with digits enough for the subtraction."""
    with mpmath.workdps(60):
        mu, sigma, x, lower, upper = (mpmath.mpf(float(v)) for v in (mu, sigma, x, lower, upper))
        # away from the mode, so that the tail functions do not round to 1
        sign = -1 if lower + upper > 2 * mu else 1
        low, here, high = (
            mpmath.erfc(-sign * (v - mu) / sigma / mpmath.sqrt(2)) for v in (lower, x, upper)
        )
        return float((here - low) / (high - low))


def compiled(outputs, mode, inputs=(), **kwargs):
    with warnings.catch_warnings():
        # JAX has generators of its own: PyTensor says that it copies the shared one
        warnings.filterwarnings("ignore", message="The RandomType SharedVariables")
        return pytensor.function(list(inputs), outputs, mode=mode, **kwargs)


@pytest.fixture(scope="module", params=MODES)
def mode(request):
    if request.param == "JAX":
        optional.require("jax")
    return request.param


def draws_of(mode, *parameters, size, seed, dtype="float64"):
    rng = pytensor.shared(np.random.default_rng(seed))
    _, rv = safe_truncated_normal(
        *parameters, size=size, rng=rng, dtype=dtype, return_next_rng=True
    )
    return np.asarray(compiled(rv, mode)())


@pytest.fixture(scope="module")
def draws(mode):
    size = (len(REGIMES), DRAWS)
    values = draws_of(mode, MU, SIGMA, LOWER, UPPER, size=size, seed=20260101)
    return dict(zip(REGIMES, values, strict=True))


@pytest.mark.parametrize("regime", REGIMES)
def test_law_is_the_exact_one(draws, regime):
    """Kolmogorov-Smirnov on the probability transform. The seed is fixed: 1e-3 is no chance."""
    law = REGIMES[regime]
    _, _, lower, upper = law
    x = draws[regime]
    assert (x >= lower).all()
    assert (x <= upper).all()
    assert kstest(cdf(x, *law), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("regime", REGIMES)
def test_the_judge_agrees_with_mpmath(regime):
    law = REGIMES[regime]
    x = np.sort(draw_array(np.random.default_rng(4), *law, size=(9,)))
    exact = [exact_cdf(v, *law) for v in x]
    # a thousandth of what 20,000 draws resolve
    np.testing.assert_allclose(cdf(x, *law), exact, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("mu", "lower", "upper"), [(-1e8, 0.0, inf), (1e8, -inf, 0.0)])
def test_far_tail_draws_are_all_different(mode, mu, lower, upper):
    """At a = 1e8 the draws lie within 1e-8 of the bound, where mu + sigma z has 8 values."""
    x = draws_of(mode, mu, 1.0, lower, upper, size=(2000,), seed=5)
    assert np.unique(x).size == 2000


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_and_bounds_that_the_dtype_cannot_hold(mode, dtype):
    lower, upper = 0.1 + 1e-12, 0.7 - 1e-12
    x = draws_of(
        mode, np.array([-1e6, 1e6, 0.4]), 1.0, lower, upper, size=(500, 3), seed=6, dtype=dtype
    )
    assert x.dtype == dtype
    assert (x.astype("float64") >= lower).all()
    assert (x.astype("float64") <= upper).all()
    whole_line = draws_of(mode, 0.0, 3e38, -inf, inf, size=(500,), seed=6, dtype=dtype)
    assert np.isfinite(whole_line).all()


def test_float32_parameters_are_computed_with_in_float64(mode):
    parameters = [np.float32(v) for v in (-1e6, 1.0, 0.0, inf)]
    x = draws_of(mode, *parameters, size=(5000,), seed=7, dtype="float32")
    assert (
        kstest(cdf(x.astype("float64"), *(float(p) for p in parameters)), "uniform").pvalue > 1e-3
    )


def test_integer_parameters(mode):
    x = draws_of(mode, 0, 1, 2, 3, size=(5000,), seed=8)
    assert kstest(cdf(x, 0, 1, 2, 3), "uniform").pvalue > 1e-3


def test_same_seed_same_draws(mode):
    def run(seed):
        rng = pytensor.shared(np.random.default_rng(seed))
        next_rng, rv = safe_truncated_normal(
            MU[:, 0], SIGMA[:, 0], LOWER[:, 0], UPPER[:, 0], rng=rng, return_next_rng=True
        )
        function = compiled(rv, mode, updates={rng: next_rng})
        return np.array([function(), function()])

    first, second = run(1)
    np.testing.assert_array_equal(run(1), [first, second])
    assert not (first == second).any()
    assert not (run(2)[0] == first).any()


def test_broadcasting_of_runtime_parameters(mode):
    mu, upper = pt.dvector("mu"), pt.dcol("upper")
    rv = pst.TruncatedNormal.dist(mu, 0.5, lower=-1, upper=upper)
    function = compiled(rv, mode, inputs=[mu, upper])
    x = function([0.0, 100.0, -100.0], [[0.0], [200.0]])
    assert x.shape == (2, 3)
    assert (x[0] <= 0).all()
    assert x[1, 1] > 50
    np.testing.assert_allclose(x[:, 2], -1, atol=0.1)


def test_illegal_parameters(mode):
    sigma = np.array([1.0, -2.0])
    if mode == "JAX":
        x = draws_of(mode, 0.0, sigma, 0.0, inf, size=None, seed=9)
        np.testing.assert_array_equal(np.isnan(x), [False, True])
        return
    with pytest.raises(ValueError, match="0 < sigma < inf"):
        draws_of(mode, 0.0, sigma, 0.0, inf, size=None, seed=9)


def test_numba_compiles_the_draw():
    """No object mode, of which PyTensor warns, and warnings are errors here."""
    rv = pst.TruncatedNormal.dist(0, 1, lower=pt.dvector("lower"), upper=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (lower,) = pytensor.graph.traversal.explicit_graph_inputs(rv)
        pytensor.function([lower], rv, mode="NUMBA")([0.0, 1.0])


class TestPyMCsOwnChecks(BaseTestDistributionRandom):
    pymc_dist = pst.TruncatedNormal
    pymc_dist_params = FAR_TAIL
    expected_rv_op_params = FAR_TAIL
    reference_dist_params = FAR_TAIL
    checks_to_run = (
        "check_pymc_params_match_rv_op",
        "check_pymc_draws_match_reference",
        "check_rv_size",
    )

    def reference_dist(self):
        """The path under test by the default mode: Numba's is one draw after the other."""
        rng = self.get_random_state(reset=True)
        if isinstance(get_default_mode().linker, NumbaLinker):
            return lambda size, **law: [draw(rng, **law) for _ in range(size)]
        return lambda size, **law: draw_array(rng, size=(size,), **law)


class TestPyMCsOwnChecksWithoutNumba(TestPyMCsOwnChecks):
    def test_distribution(self):
        with pytensor.config.change_flags(mode="CVM"):
            super().test_distribution()


class TestPyMCsChecksOfTau(BaseTestDistributionRandom):
    pymc_dist = pst.TruncatedNormal
    pymc_dist_params = MappingProxyType({"mu": -2.0, "tau": 4.0, "lower": 0.0})
    expected_rv_op_params = MappingProxyType({**FAR_TAIL, "upper": inf})
    checks_to_run = ("check_pymc_params_match_rv_op",)


@pytest.mark.parametrize("how", ["shape", "size", "dims", "observed"])
def test_shapes_in_a_model(how):
    with pm.Model(coords={"row": range(3)}):
        arguments = {
            "shape": {"shape": (3, 2)},
            "size": {"size": (3, 2)},
            "dims": {"dims": ("row", "column")},
            "observed": {"observed": np.ones((3, 2))},
        }[how]
        pm.modelcontext(None).add_coord("column", range(2))
        x = pst.TruncatedNormal("x", [0, 5], 1, lower=0, **arguments)
    values = pm.draw(x, draws=4, random_seed=1)
    assert values.shape == (4, 3, 2)
    assert np.unique(values).size == values.size
    np.testing.assert_array_equal(values, pm.draw(x, draws=4, random_seed=1))


def test_predictive_sampling():
    with pm.Model():
        sigma = pm.HalfNormal("sigma")
        upper = pm.Data("upper", np.array([inf, 1.0, 2.0]))
        pst.TruncatedNormal("x", 0, sigma, lower=0, upper=upper, observed=[0.5, 0.5, 0.5])
        prior = pm.sample_prior_predictive(draws=200, random_seed=1)
        posterior = pm.sample_posterior_predictive(prior.prior, random_seed=2, progressbar=False)
    for x in (prior["prior_predictive"]["x"], posterior["posterior_predictive"]["x"]):
        assert x.shape == (1, 200, 3)
        assert (x >= 0).all()
        assert (x.values <= [inf, 1.0, 2.0]).all()


def test_float32_model():
    with pytensor.config.change_flags(floatX="float32"):
        x = pst.TruncatedNormal.dist(-50, 1, lower=0.1, size=1000)
        assert x.dtype == "float32"
        values = pm.draw(x, random_seed=1)
    assert values.dtype == "float32"
    assert (values >= np.float32(0.1)).all()


def test_jax_without_float64():
    """Everything in float32 then: 23 bits of uniform, which 20,000 draws cannot tell."""
    jax = optional.require("jax")
    from pymc_safetrunc.backends.jax import random

    parameters = [column.astype("float32") for column in (MU, SIGMA, LOWER, UPPER)]
    with jax.enable_x64(False):
        draws = random.draw(jax.random.key(1), *parameters, shape=(len(REGIMES), DRAWS))
    assert draws.dtype == "float32"
    for law, x in zip(np.hstack(parameters).tolist(), np.asarray(draws), strict=True):
        assert (x >= law[2]).all()
        assert (x <= law[3]).all()
        assert kstest(cdf(x.astype("float64"), *law), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("law", [(-1e300, 1, 0, inf), (0, 1.7e308, -inf, inf), (1e300, 1, 0, 1)])
def test_jax_at_extreme_parameters(law):
    jax = optional.require("jax")
    from pymc_safetrunc.backends.jax import random

    with jax.enable_x64(True):
        x = np.asarray(random.draw(jax.random.key(2), *law, shape=(1000,)))
    assert np.isfinite(x).all()
    assert (x >= law[2]).all()
    assert (x <= law[3]).all()
