"""One draw and the array form: acceptance, extremes of the parameters, agreement of paths."""

import math
import sys

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.special import erfcx, ndtr

from pymc_safetrunc.kernels.truncated_normal_draw import FLAT, TAIL, draw
from pymc_safetrunc.kernels.truncated_normal_draw_array import draw_array

inf, nan = math.inf, math.nan

EXTREMES = [
    (-1e300, 1.0, 0.0, inf),
    (0.0, 1.0, 1e300, inf),
    (0.0, 1.0, -inf, -1e300),
    (1.0, 5e-324, 0.0, inf),
    (0.0, 5e-324, 1.0, 2.0),
    (0.0, 5e-324, -1.0, inf),
    (0.0, 1e300, 0.0, 5e-324),
    (0.0, 1.0, 1.0, math.nextafter(1.0, 2.0)),
    (-1e8, 1.0, 1.0, math.nextafter(1.0, 2.0)),
    (0.0, 1.7e308, -inf, inf),
    (1.7e308, 1.0, -1.7e308, inf),
    (-1.7e308, 1e-10, 0.0, 5e-324),
    (1.7e308, 1.7e308, -1.7e308, 1.7e308),
    (0.0, 1.0, -inf, inf),
    (0.0, 1.0, -inf, -sys.float_info.max),
    (0.0, 1.0, sys.float_info.max, inf),
]

ILLEGAL = [
    (nan, 1.0, 0.0, 1.0),
    (inf, 1.0, 0.0, 1.0),
    (0.0, nan, 0.0, 1.0),
    (0.0, 0.0, 0.0, 1.0),
    (0.0, -1.0, 0.0, 1.0),
    (0.0, inf, 0.0, 1.0),
    (0.0, 1.0, nan, 1.0),
    (0.0, 1.0, 0.0, nan),
    (0.0, 1.0, 1.0, 1.0),
    (0.0, 1.0, 2.0, 1.0),
    (0.0, 1.0, inf, inf),
]


# Gauss and Legendre's rule on [0, 1]: exact to rounding where the exponent stays below FLAT
NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
NODES, WEIGHTS = 0.5 * (NODES + 1.0), 0.5 * WEIGHTS


@njit(error_model="numpy")
def compiled_draws(rng, mu, sigma, lower, upper, n):
    return np.array([draw(rng, mu, sigma, lower, upper) for _ in range(n)])


def acceptance(a, d):
    """Probability that a proposal is accepted, and which method makes it."""
    b = a + d
    fall = d * (max(a, 0.0) + 0.5 * d)
    if fall < FLAT:
        s = d * NODES
        energy = s * (a + 0.5 * s) if a > 0 else 0.5 * (a + s) ** 2
        return np.exp(-energy) @ WEIGHTS, "flat"
    if a > TAIL:
        return a * (mills_ratio(a) - mills_ratio(b) * math.exp(-fall)), "tail"
    return (2.0 if a >= 0 else 1.0) * (ndtr(b) - ndtr(a)), "central"


def mills_ratio(a):
    return math.sqrt(math.pi / 2) * erfcx(a / math.sqrt(2))


def test_at_least_0_43_of_the_proposals_are_accepted():
    seen = set()
    for a in np.concatenate([-np.geomspace(1e-9, 40, 60), [0.0], np.geomspace(1e-9, 1e6, 200)]):
        for d in [*np.geomspace(1e-9, 1e3, 400), inf]:
            if a + (a + d) < 0:
                continue
            probability, method = acceptance(float(a), float(d))
            seen.add(method)
            assert probability > 0.43, (a, d, method)
    assert seen == {"flat", "tail", "central"}


class Counting:
    """A generator that counts the proposals: each takes an exponential or a normal."""

    def __init__(self):
        self.rng = np.random.default_rng(11)
        self.random = self.rng.random
        self.proposals = 0

    def standard_exponential(self):
        self.proposals += 1
        return self.rng.standard_exponential()

    def standard_normal(self):
        self.proposals += 1
        return self.rng.standard_normal()


@pytest.mark.parametrize(
    ("a", "d"), [(0.0, 1.5), (0.0, inf), (0.6, 1.3), (0.7, inf), (0.7, 1.3), (1e6, 1.5e-6)]
)
def test_proposals_are_accepted_as_often_as_integrated(a, d):
    rng, n = Counting(), 4000
    for _ in range(n):
        draw(rng, -a, 1.0, 0.0, d)
    expected, _ = acceptance(a, d)
    standard_error = math.sqrt(1 - expected) / expected / math.sqrt(n)
    assert abs(rng.proposals / n - 1 / expected) < 5 * standard_error + 1e-12


def test_width_that_is_subnormal_in_sigmas():
    """The width is 1e-20 and 1e-320 sigmas: 2,000 floats in sigmas, plenty in its own unit."""
    law = (0.0, 1e300, 0.0, 1e-20)
    for draws in (
        compiled_draws(np.random.default_rng(4), *law, 4000),
        draw_array(np.random.default_rng(4), *law, size=(4000,)),
    ):
        assert np.unique(draws).size == 4000


@pytest.mark.parametrize(
    "law",
    [*EXTREMES, (0.0, 1.0, -1.0, 2.0), (0.3, 2.0, 0.0, inf), (5.0, 2.0, 0.0, 1.0)],
    ids=str,
)
def test_python_and_numba_draw_the_same_numbers(law):
    rng = np.random.default_rng(7)
    in_python = [draw(rng, *law) for _ in range(200)]
    np.testing.assert_array_equal(compiled_draws(np.random.default_rng(7), *law, 200), in_python)


@pytest.mark.parametrize("law", EXTREMES, ids=str)
def test_extreme_laws_draw_finite_numbers_inside_the_bounds(law):
    _, _, lower, upper = law
    scalars = compiled_draws(np.random.default_rng(8), *law, 1000)
    for draws in (scalars, draw_array(np.random.default_rng(8), *law, size=(1000,))):
        assert np.isfinite(draws).all()
        assert (draws >= lower).all()
        assert (draws <= upper).all()


# allow_subnormal: the widths of an ulp and subnormal sigmas are among the legal parameters
anything = st.floats(allow_nan=False, allow_subnormal=True)
finite = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True)
positive = st.floats(min_value=5e-324, allow_infinity=False, allow_subnormal=True)


@given(finite, positive, anything, anything, st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
@example(-1.7e308, 1e-10, 0.0, 5e-324, 0)
def test_every_legal_law_draws_a_finite_number_inside_the_bounds(mu, sigma, lower, upper, seed):
    assume(lower < upper)
    by_array = draw_array(np.random.default_rng(seed), mu, sigma, lower, upper, (20,))
    rng = np.random.default_rng(seed)
    for x in (*by_array, *(draw(rng, mu, sigma, lower, upper) for _ in range(20))):
        assert math.isfinite(x)
        assert lower <= x <= upper


@pytest.mark.parametrize("law", ILLEGAL, ids=str)
def test_illegal_parameters_are_named(law):
    rng = np.random.default_rng(9)
    with pytest.raises(ValueError, match=r"lower < upper; it got .*mu.*sigma.*lower.*upper"):
        draw(rng, *law)
    with pytest.raises(ValueError, match=r"lower < upper; it got .*mu.*sigma.*lower.*upper"):
        compiled_draws(rng, *law, 1)
    with pytest.raises(ValueError, match=f"mu={law[0]}, sigma={law[1]}, lower={law[2]}"):
        draw_array(rng, *law)


def test_the_illegal_entry_of_an_array_is_pointed_at():
    with pytest.raises(ValueError, match=r"sigma=-2.0, .* at index \(1, 0\)"):
        draw_array(np.random.default_rng(1), 0.0, np.array([[1.0], [-2.0]]), np.zeros(3), inf)


def test_far_tail_draws_from_the_smallest_scales():
    """At a = 1e300 the distance from the bound, 1e-300 sigmas, is exponential."""
    law = (-1e300, 1.0, 0.0, inf)
    for draws in (
        compiled_draws(np.random.default_rng(2), *law, 4000),
        draw_array(np.random.default_rng(2), *law, size=(4000,)),
    ):
        assert np.unique(draws).size == 4000
        # the mean of 4000 exponentials is within 5 of its standard errors, 1/sqrt(4000)
        assert abs(np.mean(draws * 1e300) - 1) < 5 / math.sqrt(4000)


def test_huge_scales_are_not_cut_at_the_bounds():
    """N(0, 1e308) on [-1.7e308, 1.7e308]: differences of parameters would overflow."""
    law = (0.0, 1e308, -1.7e308, 1.7e308)
    for draws in (
        compiled_draws(np.random.default_rng(3), *law, 4000),
        draw_array(np.random.default_rng(3), *law, size=(4000,)),
    ):
        assert (np.abs(draws) < 1.7e308).all()
        expected = 2 * (ndtr(0.5) - 0.5) / (2 * (ndtr(1.7) - 0.5))
        share = np.mean(np.abs(draws) < 0.5e308)
        # five standard errors of a share
        assert abs(share - expected) < 5 * math.sqrt(expected * (1 - expected) / 4000)
