"""Symmetries, monotony and continuity of the kernels, which hold whatever the true values are."""

import math

import numpy as np
import pytensor.tensor as pt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pytensor.tensor.elemwise import Elemwise

from pymc_safetrunc.kernels import truncated_normal as kernels
from pymc_safetrunc.ops import truncated_normal as ops
from tests.backends import LINKERS, compiled

EPS = float(np.finfo("float64").eps)
# A log-density is a product and a logarithm: a few roundings of max(1, |log-density|).
LOGP_ROUNDING = 8 * EPS
# kernels.truncated_normal: just outside the narrow region two digits are lost to cancellation,
# 2e-14 in units of the natural scale; the second-order kernels lose up to 1/delta^4.
FIRST_ORDER = 1e-13
SECOND_ORDER = 1e-11

FAST = settings(max_examples=150, deadline=None)


def signed(lowest, highest):
    """Floats of either sign, their exponent uniform."""
    exponents = st.floats(lowest, highest)
    return st.builds(lambda e, sign: sign * 10.0**e, exponents, st.sampled_from((-1.0, 1.0)))


@st.composite
def laws(draw, infinite=True):
    """(mu, sigma, lower, upper) in every region."""
    sigma = 10 ** draw(st.floats(-6, 6))
    mu = draw(st.one_of(st.just(0.0), signed(-3, 3))) * sigma
    lower = mu + sigma * draw(st.one_of(st.just(0.0), signed(-4, 6), st.floats(-12, 12)))
    width = sigma * draw(st.one_of(signed(-8, 3), st.floats(1e-3, 5)))
    upper = lower + abs(width)
    assume(lower < upper)
    if infinite:
        lower, upper = draw(
            st.sampled_from(((lower, upper), (lower, math.inf), (-math.inf, upper)))
        )
    return mu, sigma, lower, upper


@st.composite
def laws_and_values(draw, infinite=True):
    mu, sigma, lower, upper = draw(laws(infinite))
    share = draw(st.floats(0, 1))
    if math.isinf(upper):
        x = lower + sigma * share
    elif math.isinf(lower):
        x = upper - sigma * share
    else:
        x = lower + (upper - lower) * share
    return min(max(x, lower), upper), mu, sigma, lower, upper


def log_density(x, mu, sigma, lower, upper):
    anchor, log_mass, *_ = kernels.normalizer(mu, sigma, lower, upper)
    return kernels.log_density(x, mu, sigma, anchor, log_mass)


def standardised_gradient(x, mu, sigma, lower, upper):
    """Log-density and its gradient in mu, sigma and the bounds, times sigma: free of the anchor."""
    anchor, log_mass, m1, m2, at_lower, at_upper = kernels.normalizer(mu, sigma, lower, upper)
    s, kappa = (x - anchor) / sigma, (anchor - mu) / sigma
    return np.array(
        [
            kernels.log_density(x, mu, sigma, anchor, log_mass),
            s - m1,
            2 * kappa * (s - m1) + s * s - m2,
            at_lower * sigma,
            at_upper * sigma,
        ]
    )


def central_curvature(mu, sigma, lower, upper):
    """Var(z), Cov(z, z^2), Var(z^2) of z = (X - mu)/sigma: free of the anchor."""
    anchor, *_ = kernels.normalizer(mu, sigma, lower, upper)
    v11, v12, v22 = kernels.curvature(mu, sigma, lower, upper)
    kappa = (anchor - mu) / sigma
    return np.array([v11, v12 + 2 * kappa * v11, v22 + 4 * kappa * v12 + 4 * kappa * kappa * v11])


@FAST
@given(laws_and_values())
def test_reflection(arguments):
    x, mu, sigma, lower, upper = arguments
    here = standardised_gradient(x, mu, sigma, lower, upper)
    there = standardised_gradient(-x, -mu, sigma, -upper, -lower)
    there = there[[0, 1, 2, 4, 3]] * [1, -1, 1, 1, 1]
    v11, _, v22 = central_curvature(mu, sigma, lower, upper)
    scale = [max(1, abs(here[0])), math.sqrt(v11), math.sqrt(v22), *(here[3:] + 1e-290)]
    assert np.all(abs(here - there) <= FIRST_ORDER * np.array(scale))


@FAST
@given(laws_and_values(), st.integers(-60, 60))
def test_scaling_by_a_power_of_two_is_exact(arguments, power):
    _x, *parameters = arguments
    factor = 2.0**power
    anchor, log_mass, m1, m2, *ends = kernels.normalizer(*parameters)
    scaled = kernels.normalizer(*(factor * v for v in parameters))
    assert scaled[0] == factor * anchor
    assert scaled[2:4] == (m1, m2)
    assert [factor * v for v in scaled[4:]] == ends
    shift = power * math.log(2)
    size = max(1, abs(log_mass), abs(shift))
    assert abs(scaled[1] - log_mass - shift) <= 4 * EPS * size
    assert kernels.curvature(*(factor * v for v in parameters)) == kernels.curvature(*parameters)


@FAST
@given(
    st.lists(st.integers(-4096, 4096), min_size=4, max_size=4, unique=True).map(sorted),
    st.floats(0.01, 100),
    st.integers(-(2**20), 2**20),
    st.booleans(),
)
def test_translation_by_an_integer_is_exact(grid, sigma, shift, mode_inside):
    # multiples of 1/256 below 2^21: every difference and midpoint is a float
    points = [v / 256 for v in grid]
    lower, x, mu, upper = points if mode_inside else (points[1], points[2], points[0], points[3])
    _, *here = kernels.normalizer(mu, sigma, lower, upper)
    _, *there = kernels.normalizer(mu + shift, sigma, lower + shift, upper + shift)
    assert here == there
    moved = log_density(x + shift, mu + shift, sigma, lower + shift, upper + shift)
    assert moved == log_density(x, mu, sigma, lower, upper)


@FAST
@given(laws_and_values(), st.floats(0, 1))
def test_density_falls_away_from_the_mode(arguments, share):
    x, mu, sigma, lower, upper = arguments
    mode = min(max(mu, lower), upper)
    nearer = mode + share * (x - mode)
    far, near = (log_density(v, mu, sigma, lower, upper) for v in (x, nearer))
    assert near >= far - LOGP_ROUNDING * max(1, abs(near))


@FAST
@given(laws_and_values(infinite=False), st.floats(1e-10, 1e3))
def test_a_wider_interval_has_a_lower_density(arguments, growth):
    x, mu, sigma, lower, upper = arguments
    wider = upper + growth * (upper - lower)
    before = log_density(x, mu, sigma, lower, upper)
    after = log_density(x, mu, sigma, lower, wider)
    rounding = FIRST_ORDER if growth > 1e-6 else LOGP_ROUNDING
    assert after <= before + rounding * max(1, abs(before))
    assert log_density(x, mu, sigma, lower, math.inf) <= after + FIRST_ORDER * max(1, abs(after))


def with_delta(delta, a):
    """Standardised bounds from a with the log ratio of densities delta."""
    return a, a + 2 * delta / (a + math.sqrt(a * a + 2 * delta))


def with_width(d, a):
    return a, a + d


def with_a(a, b):
    return a, b


BOUNDARIES = [
    *((with_delta, kernels.NARROW_DELTA, a) for a in (0.4, 1.0, 30.0, 1e4)),
    *((with_delta, kernels.NARROW_DELTA_2, a) for a in (0.5, 3.0, 30.0, 1e4)),
    *((with_delta, kernels.FAR_DELTA, a) for a in (0.0, 0.3, 2.0, 30.0, 1e4)),
    *((with_delta, kernels.UNDERFLOW, a) for a in (0.0, 2.0, 1e4)),
    *((with_width, kernels.NARROW_WIDTH, a) for a in (-0.35, -0.3, -0.6, 0.02)),
    *((with_width, kernels.NARROW_WIDTH_2, a) for a in (-1.0, -0.9, -1.9, -0.2)),
    *((with_a, 0.0, b) for b in (0.2, 0.9, 3.0, 12.0, math.inf)),
    *((with_a, -kernels.FAR_BOUND, b) for b in (-2.0, 3.0, 9.0, math.inf)),
]


@pytest.mark.parametrize(("boundary", "at", "other"), BOUNDARIES)
@pytest.mark.parametrize("mirrored", [False, True])
def test_continuity(boundary, at, other, mirrored):
    """Both sides of a boundary, a few ulp apart, agree but for what that step itself changes."""
    step = 4 * EPS * max(1.0, abs(at))
    sides = []
    for position in (at - step, at + step):
        a, b = boundary(position, other) if boundary is not with_a else (position, other)
        lower, upper = (-b, -a) if mirrored else (a, b)
        x = (-1 if mirrored else 1) * (other + 0.1 if boundary is with_delta else a + 0.05)
        law = 0.0, 1.0, lower, upper
        sides.append(np.concatenate([standardised_gradient(x, *law), central_curvature(*law)]))
    left, right = sides
    v11, v22 = left[5], left[7]
    natural = np.array(
        [
            max(1, abs(left[0])),
            math.sqrt(v11),
            math.sqrt(v22),
            max(1, left[3]),
            max(1, left[4]),
            v11,
            math.sqrt(v11 * v22),
            v22,
        ]
    )
    limit = np.array([FIRST_ORDER] * 5 + [SECOND_ORDER] * 3)
    # The step, and the rounding of the far bound, times the slope in a bound: of the size of the
    # densities there, and for a density of their squares.
    moved = 4 * step + 4 * EPS * (abs(other) if math.isfinite(other) else 1)
    slope = 1 + abs(left[:5]).max()
    slopes = np.array([slope] * 3 + [slope**2] * 2 + [slope] * 3)
    allowed = limit * natural + moved * slopes
    assert np.all(abs(left - right) <= allowed), (left - right) / allowed


@pytest.fixture(scope="module")
def sample():
    """Laws in every region, one per row."""
    rng = np.random.default_rng(4)
    n = 4000
    sigma = 10 ** rng.uniform(-6, 6, n)
    mu = sigma * rng.normal(size=n) * 10 ** rng.uniform(-3, 2, n)
    a = rng.choice([-1, 1], n) * 10 ** rng.uniform(-4, 6, n)
    width = 10 ** rng.uniform(-8, 2, n)
    lower = mu + a * sigma
    upper = np.where(rng.random(n) < 0.2, np.inf, lower + width * sigma)
    lower = np.where(rng.random(n) < 0.2, -np.inf, lower)
    keep = lower < upper
    return mu[keep], sigma[keep], lower[keep], upper[keep]


def agree(got, expected, scale, limit):
    """Equal where infinite, within ``limit`` units of the scale elsewhere."""
    got, expected = np.asarray(got), np.asarray(expected)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(expected))
    error = abs(got - expected) / np.maximum(abs(expected), scale)
    assert np.nanmax(error) <= limit


@pytest.mark.parametrize("linker", LINKERS)
def test_paths_agree_with_python(sample, linker):
    """The paths differ by their libm and by fused multiply-adds: one rounding an operation.

    Moments are then off by what the cancellation at the edge of the narrow region makes of that.
    """
    variables = [pt.dvector() for _ in range(4)]
    outputs = [*Elemwise(ops.normalizer)(*variables), *Elemwise(ops.curvature)(*variables)]
    got = compiled(variables, outputs, linker)(*sample)
    rows = list(zip(*(v.tolist() for v in sample), strict=True))
    first = np.array([kernels.normalizer(*row) for row in rows]).T
    second = np.array([kernels.curvature(*row) for row in rows]).T
    sd, sd_square = np.sqrt(second[0]), np.sqrt(second[2])
    np.testing.assert_array_equal(got[0], first[0])
    agree(got[1], first[1], 1.0, 8 * EPS)
    agree(got[2], first[2], sd, FIRST_ORDER)
    agree(got[3], first[3], sd_square, FIRST_ORDER)
    agree(got[4], first[4], 1e-290 / sample[1], FIRST_ORDER)
    agree(got[5], first[5], 1e-290 / sample[1], FIRST_ORDER)
    agree(got[6], second[0], 0, SECOND_ORDER)
    agree(got[7], second[1], sd * sd_square, SECOND_ORDER)
    agree(got[8], second[2], 0, SECOND_ORDER)


@pytest.mark.parametrize(
    "parameters",
    [
        (math.nan, 1.0, 0.0, 1.0),
        (0.0, math.nan, 0.0, 1.0),
        (0.0, 1.0, math.nan, 1.0),
        (0.0, 1.0, 0.0, math.nan),
        (math.inf, 1.0, 0.0, 1.0),
        (0.0, 0.0, 0.0, 1.0),
        (0.0, -1.0, 0.0, 1.0),
        (0.0, math.inf, 0.0, 1.0),
        (0.0, 1.0, 1.0, 1.0),
        (0.0, 1.0, 2.0, 1.0),
        (0.0, 1.0, math.inf, math.inf),
        (0.0, 1.0, -math.inf, -math.inf),
    ],
)
def test_illegal_parameters_are_nan(parameters):
    assert np.isnan(kernels.normalizer(*parameters)).all()
    assert np.isnan(kernels.curvature(*parameters)).all()
