"""The tensor functions where arguments are illegal, outside, or at the ends of the float range."""

import math
import sys
from functools import cache

import numpy as np
import pytensor.tensor as pt
import pytest
from mpmath import mp, mpf
from scipy import stats

import pymc_safetrunc as pst
from tests.accuracy import budget, far
from tests.backends import IEEE_LINKERS, LINKERS, compiled

INF, NAN = math.inf, math.nan
LARGEST, TINY = sys.float_info.max, 5e-324
NAMES = ("logp", *budget.GRADIENTS)


@pytest.fixture(scope="module", params=IEEE_LINKERS)
def evaluate(request):
    """Log-density and its five derivatives at rows of (x, mu, sigma, lower, upper)."""
    return evaluation(request.param)


@pytest.fixture(scope="module", params=LINKERS)
def evaluate_everywhere(request):
    """The same, on JAX too."""
    return evaluation(request.param)


@cache
def evaluation(linker):
    variables = [pt.dvector(name) for name in ("x", "mu", "sigma", "lower", "upper")]
    logp = pst.math.truncated_normal_logpdf(*variables)
    outputs = [logp, *pt.grad(logp.sum(), variables)]
    function = compiled(variables, outputs, linker)

    def evaluate(rows):
        with np.errstate(all="ignore"):
            return np.array(function(*np.array(rows, dtype="float64").T))

    return evaluate


def up(x, steps=1):
    for _ in range(steps):
        x = math.nextafter(x, INF)
    return x


EXTREMES = [
    # a to 1e300, with and without a far bound
    (1e300, 0.0, 1.0, 1e300, INF),
    (1.0, -1e300, 1.0, 0.0, INF),
    (0.0, 1.0, 1e-300, -INF, 0.0),
    (0.0, 1e300, 1.0, -1e300, 0.0),
    # one unit in the last place, at every magnitude, in the tail and astride the mode
    *((v, mu, 1.0, v, up(v)) for v in (1.0, 1e20, 1e300, 1e-300) for mu in (0.0, v)),
    *((up(v), v, 1e-5 * v, v, up(v, 2)) for v in (1.0, 1e20, 1e300, 1e-300)),
    # subnormal widths and values
    (0.0, 0.0, 1.0, 0.0, TINY),
    (TINY, 0.0, 1.0, 0.0, TINY),
    (0.0, -1e300, 1.0, 0.0, TINY),
    (TINY, 1.0, 1e-10, -TINY, TINY),
    (2e-310, 1e5, 1e-100, 1e-310, 3e-310),
    # bounds, scales and modes at the largest floats
    (0.0, 0.0, 1.0, -1e308, 1e308),
    (1.0, 0.0, 1.0, -1.7e308, 1.7e308),
    (1e308, 0.0, 1e308, -1.7e308, 1.7e308),
    (1e308, 1.7e308, 1e308, -1.7e308, 1.7e308),
    (-1e308, 1e308, 1.7e308, -1.7e308, 1.7e308),
    (-LARGEST, LARGEST, LARGEST, -LARGEST, LARGEST),
    (1e-300, 0.0, 1e308, 0.0, 1e-300),
    (1e308, 0.0, 1e308, 1e307, INF),
    # where the hazard over sigma leaves the range
    (0.0, 0.0, 1e-300, 0.0, INF),
    (1e10, 0.0, 1e-300, 1e10, up(1e10)),
    (7e161, 0.0, 2.8e-86, 7e161, up(7e161)),
]
SUBNORMAL_SIGMA = [
    (0.0, 0.0, TINY, 0.0, TINY),
    (0.0, 0.0, TINY, 0.0, INF),
    (0.5, 0.5, 1e-310, -INF, 1.0),
    (1e-310, 0.0, 1e-310, 0.0, INF),
    (3e-310, 1e-310, 1e-310, -1e-310, 5e-310),
]


def random_extremes(n=120):
    """Parameters of every magnitude a float has, sigma not subnormal."""
    rng = np.random.default_rng(12)

    def magnitude(low=-307, high=307):
        return float(rng.choice([-1, 1]) * 10 ** rng.uniform(low, high))

    rows = []
    while len(rows) < n:
        sigma = abs(magnitude())
        mu = [0.0, magnitude(), sigma * rng.normal(), magnitude(-20, 20)][rng.integers(4)]
        lower = [mu + 3 * sigma * rng.normal(), magnitude(), mu, -1.7e308][rng.integers(4)]
        width = [sigma * abs(magnitude(-5, 1)), abs(magnitude())][rng.integers(2)]
        upper = [INF, up(lower), lower + width, 1.7e308][rng.integers(4)]
        x = lower + min(sigma, upper / 2 - lower / 2) * rng.choice([0.0, rng.random()])
        row = x, mu, sigma, lower, upper
        if lower <= x <= upper and lower < upper and np.isfinite(row[:4]).all():
            rows.append(tuple(map(float, row)))
    return rows


def verdict(got, truth, scale, limit):
    """What is wrong with a number: None, or a word."""
    if math.isnan(got):
        return "NaN"
    if math.isinf(got):
        return None if abs(truth) > LARGEST / 2 and mp.sign(truth) == np.sign(got) else "infinite"
    size = max(abs(truth), scale, mpf(budget.RELATIVE_SCALE))
    return None if abs(mpf(float(got)) - truth) <= limit * size else "wrong"


def judge(evaluate, rows):
    """Compare with mpmath; a log-density may be -inf where a bound's distance overflows."""
    problems = []
    for row, got in zip(rows, evaluate(rows).T, strict=True):
        x, mu, sigma, lower, upper = row
        values, scales = far.log_density_and_gradient(*row)
        near = min(max(mpf(mu), mpf(lower)), mpf(upper))
        if got[0] == -INF:
            beyond = max(abs(mpf(x) - mpf(mu)), abs(near - mpf(mu))) / mpf(sigma)
            if not (beyond > mpf(2) ** 1022 or values["logp"] < -LARGEST):
                problems.append((row, "logp -inf"))
            problems += [(row, n) for n, v in zip(NAMES, got, strict=True) if math.isnan(v)]
            continue
        for name, value in zip(NAMES, got, strict=True):
            word = verdict(value, values[name], scales[name], budget.limit(name))
            if word:
                problems.append((row, name, word, float(value)))
    return problems


def test_extremes(evaluate):
    assert judge(evaluate, EXTREMES) == []


def test_random_extremes(evaluate):
    assert judge(evaluate, random_extremes()) == []


def test_subnormal_sigma(evaluate):
    """The log-density holds; so does the gradient in x, also where 1/sigma overflows."""
    got = evaluate(SUBNORMAL_SIGMA)
    for row, (logp, d_x, *_) in zip(SUBNORMAL_SIGMA, got.T, strict=True):
        values, scales = far.log_density_and_gradient(*row)
        assert verdict(logp, values["logp"], scales["logp"], budget.LOGP_LIMIT) is None, row
        assert verdict(d_x, values["d_x"], scales["d_x"], budget.GRADIENT_LIMIT) is None, row


@pytest.mark.parametrize(
    "parameters",
    [
        (NAN, 1.0, 0.0, 2.0),
        (0.0, NAN, 0.0, 2.0),
        (0.0, 1.0, NAN, 2.0),
        (0.0, 1.0, 0.0, NAN),
        (0.0, 0.0, 0.0, 2.0),
        (0.0, -1.0, 0.0, 2.0),
        (0.0, 1.0, 1.0, 1.0),
        (0.0, 1.0, 2.0, 0.0),
        (INF, 1.0, 0.0, 2.0),
        (0.0, INF, 0.0, 2.0),
    ],
)
def test_illegal_parameters_are_nan(evaluate_everywhere, parameters):
    mu, sigma, lower, upper = parameters
    x = 1.0 if not lower <= upper else np.clip(1.0, lower, upper)
    got = evaluate_everywhere([(x, mu, sigma, lower, upper)])[0, 0]
    inside = not (x < lower or x > upper)
    assert math.isnan(got) if inside else got == -INF


def test_values_outside_and_nan(evaluate_everywhere):
    rows = [
        (up(1.0), 0.0, 1.0, 0.0, 1.0),
        (-1e-300, 0.0, 1.0, 0.0, 1.0),
        (1e300, 0.0, 1e-5, 0.0, 1.0),
        (-INF, 0.0, 1.0, 0.0, 1.0),
        (INF, 0.0, 1.0, 0.0, 1.0),
        (INF, 0.0, 1.0, 0.0, INF),
        (-INF, 0.0, 1.0, -INF, INF),
    ]
    assert (evaluate_everywhere(rows)[0] == -INF).all()
    assert math.isnan(evaluate_everywhere([(NAN, 0.0, 1.0, 0.0, 1.0)])[0, 0])


@pytest.mark.parametrize("dtype", ["float32", "int8", "int64", "float64"])
def test_dtypes(dtype):
    """Float32 in, float32 out; integers count as float64; the work is done in float64."""
    arguments = [np.asarray(v, dtype=dtype) for v in (3, 1, 2, 0, 7)]
    got = pst.math.truncated_normal_logpdf(*arguments).eval()
    truth = pst.math.truncated_normal_logpdf(3.0, 1.0, 2.0, 0.0, 7.0).eval()
    assert got.dtype == ("float32" if dtype == "float32" else "float64")
    assert got == truth.astype(got.dtype)


def test_mean_far_in_a_tail_keeps_its_distance():
    """At a = 1e8 the mean lies 1/a - 2/a^3 above the bound: below the bound's own rounding."""
    lower, sigma = 1.0, 1e-8
    got = pst.math.truncated_normal_mean(0.0, sigma, lower, INF).eval()
    assert got == lower
    relative = pst.math.truncated_normal_mean(-lower, sigma, 0.0, INF).eval()
    assert relative == pytest.approx(1e-16 * (1 - 2e-16), rel=4e-16)


@pytest.mark.parametrize("linker", IEEE_LINKERS)
def test_quantile_at_any_scale(linker):
    """The law is a scale family: sigma times the quantile of the standard law."""
    variables = [pt.dvector() for _ in range(5)]
    quantile = compiled(variables, pst.math.truncated_normal_icdf(*variables), linker)
    q = np.array([1e-12, 0.3, 0.5, 0.9])
    for lower, upper in ((-INF, INF), (0.0, INF), (-1.0, 2.0), (40.0, 41.0)):
        zeros = np.zeros_like(q)
        standard = quantile(q, zeros, zeros + 1, zeros + lower, zeros + upper)
        for sigma in (1e-300, 1e-170, 1e-155, 1e155, 1e300):
            bounds = [zeros + sigma * bound for bound in (lower, upper)]
            got = quantile(q, zeros, zeros + sigma, *bounds)
            # sigma * bound is rounded, which in a tail is worth |a| roundings of the distance
            np.testing.assert_allclose(got, sigma * standard, rtol=1e-14)


@pytest.mark.parametrize(
    "parameters", [(0.0, -1.0, 0.0, 1.0), (0.0, 1.0, 1.0, 0.0), (NAN, 1, 0, 1)]
)
def test_log_tails_of_illegal_parameters_are_nan(parameters):
    for function in (pst.math.truncated_normal_logcdf, pst.math.truncated_normal_logsf):
        for x in (-5.0, 0.5, 5.0):
            assert math.isnan(function(x, *parameters).eval())


@pytest.mark.parametrize(
    "linker",
    ["FAST_COMPILE", *(pytest.param(linker, marks=pytest.mark.soak) for linker in LINKERS)],
)
def test_a_bound_out_of_reach_has_all_the_mass(linker):
    """More than 1.8e308 sigmas away: 0 and 1 to every use, with derivatives that are numbers."""
    variables = [pt.dvector(name) for name in ("x", "mu", "sigma", "lower", "upper")]
    mean = pst.math.truncated_normal_mean(*variables[1:])
    logcdf = pst.math.truncated_normal_logcdf(*variables)
    logsf = pst.math.truncated_normal_logsf(*variables)
    slopes = [g for out in (mean, logcdf, logsf) for g in pt.grad(out.sum(), variables[1:])]
    evaluate = compiled(variables, [mean, logcdf, logsf, *slopes], linker)
    tiny = 1e-150 if linker == "JAX" else 1e-300
    far = 1e10 * tiny / 1e-300
    rows = [
        # x, mu, sigma, lower, upper; mean, log CDF, log survival
        ((2 * far, 0, tiny, far, INF), (far, 0, -INF)),
        ((2 * far, 0, tiny, far, 3 * far), (far, 0, -INF)),
        ((-2 * far, 0, tiny, -INF, -far), (-far, -INF, 0)),
        ((-2 * far, 0, tiny, -3 * far, -far), (-far, -INF, 0)),
        # the bounds in reach, and the value not
        ((far, 0, tiny, -INF, INF), (0, 0, -INF)),
        ((-far, 0, tiny, -2 * far, INF), (0, -INF, 0)),
        ((far, 0, tiny, tiny, INF), (stats.norm.pdf(1) / stats.norm.sf(1) * tiny, 0, -INF)),
    ]
    inputs, truth = (np.array(part, dtype="float64").T for part in zip(*rows, strict=True))
    with np.errstate(all="ignore"):
        found = evaluate(*inputs)
    np.testing.assert_allclose(found[:3], truth, rtol=1e-13)
    assert np.isfinite(found[3:]).all()


@pytest.mark.parametrize("linker", LINKERS)
def test_log_ndtr_interval_standardises_the_limits(linker):
    """Value and derivatives in mu and sigma in the unit of the data, by mpmath."""
    rows = [
        (2.5, 3.5, 4.0, 2.0),
        (-INF, 3.5, 4.0, 2.0),
        (10.0, INF, 4.0, 0.5),
        (-INF, INF, 4.0, 2.0),
        (100.0, 101.0, -3.0, 1.5),
        (-INF, -1e5, 0.0, 10.0),
        # widths that a and b, standardised one by one, have lost
        *((a, a + width, 1.3, 2.0) for a in (2.5, -40.0) for width in (2**-4, 2**-20, 2**-40)),
    ]

    def truth(a, b, mu, sigma):
        alpha, beta, sigma = (mpf(a) - mu) / sigma, (mpf(b) - mu) / sigma, mpf(sigma)
        mass = mp.ncdf(beta) - mp.ncdf(alpha) if alpha < 0 else mp.ncdf(-alpha) - mp.ncdf(-beta)
        if mass == 0:
            raise ArithmeticError("too few digits")
        low, high = mp.npdf(alpha), mp.npdf(beta)
        moments = (0 if mp.isinf(z) else z * p for z, p in ((alpha, low), (beta, high)))
        first, last = moments
        scale = sigma * mass
        return [float(v) for v in (mp.log(mass), (low - high) / scale, (first - last) / scale)]

    variables = [pt.dvector(name) for name in ("a", "b", "mu", "sigma")]
    logp = pst.math.log_ndtr_interval(*variables)
    outputs = [logp, *pt.grad(logp.sum(), variables[2:])]
    with np.errstate(all="ignore"):
        got = compiled(variables, outputs, linker)(*np.array(rows).T)
    with mp.workdps(60):
        expected = [truth(*row) for row in rows]
    # alpha and beta are rounded once: eps z^2 of the log-probability, at z = 70
    np.testing.assert_allclose(np.transpose(got), expected, rtol=1e-12, atol=1e-300)
