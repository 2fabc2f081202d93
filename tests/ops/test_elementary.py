"""Elementary functions against mpmath, with derivatives, on every backend."""

import math

import numpy as np
import pytensor.tensor as pt
import pytest
from mpmath import mp, mpf
from pytensor.tensor.elemwise import Elemwise

from pymc_safetrunc.ops import elementary
from tests.backends import LINKERS, compiled

SIZES = [1e-300, 1e-17, 1e-8, 0.03, 0.5, 0.69, 0.7, 1.0, 3.7, 36.0, 300.0, 700.0]
BOTH_SIDES = [-x for x in SIZES] + SIZES
HUGE = [1e99, 1e101, 1e160, 1e300]

# Op, its arguments, the function and its derivative
CASES = {
    "exp_minus, 0": (elementary.exp_minus, [0.0], BOTH_SIDES, mp.exp, mp.exp),
    "exp_minus, 1": (elementary.exp_minus, [1.0], BOTH_SIDES, mp.expm1, mp.exp),
    "log_plus, 0": (elementary.log_plus, [0.0], [*SIZES, *HUGE], mp.log, lambda x: 1 / x),
    "log_plus, 1": (
        elementary.log_plus,
        [1.0],
        [-0.999, -0.5, -1e-3, -1e-17, 0.0, *SIZES, *HUGE],
        lambda x: mp.log(1 + x),
        lambda x: 1 / (1 + x),
    ),
    "log1mexp": (
        elementary.log1mexp,
        [],
        SIZES,
        lambda x: mp.log(-mp.expm1(-x)),
        lambda x: 1 / mp.expm1(x),
    ),
    "log1p_square": (
        elementary.log1p_square,
        [],
        [*BOTH_SIDES, 0.0, *HUGE],
        lambda x: mp.log(1 + x * x),
        lambda x: 2 * x / (1 + x * x),
    ),
    "log1p_square_slope": (
        elementary.log1p_square_slope,
        [],
        [*BOTH_SIDES, 0.0, *HUGE[:2]],
        lambda x: 2 * x / (1 + x * x),
        lambda x: 2 * (1 - x * x) / (1 + x * x) ** 2,
    ),
}


# derivatives that are formed as a difference of numbers up to 2
DIFFERENCES = ("log1p_square_slope", "exp_minus, 1")


@pytest.mark.parametrize("linker", LINKERS)
def test_value_and_derivative(linker):
    x = [pt.dvector() for _ in CASES]
    values = [Elemwise(op)(v, *more) for v, (op, more, *_) in zip(x, CASES.values(), strict=True)]
    slopes = [pt.grad(value.sum(), v) for value, v in zip(values, x, strict=True)]
    places = [np.array(places) for _, _, places, *_ in CASES.values()]
    with np.errstate(all="ignore"):
        got = compiled(x, [*values, *slopes], linker)(*places)
    for i, (name, (_, _, _, function, slope)) in enumerate(CASES.items()):
        with mp.workdps(400):
            exact = [(float(function(mpf(p))), float(slope(mpf(p)))) for p in places[i]]
        value, derivative = np.transpose(exact)
        # a few roundings
        np.testing.assert_allclose(got[i], value, rtol=2e-15, atol=1e-307, err_msg=name)
        atol = 1e-15 if name in DIFFERENCES else 1e-307
        np.testing.assert_allclose(
            got[len(CASES) + i], derivative, rtol=2e-15, atol=atol, err_msg=name
        )


@pytest.mark.parametrize("linker", LINKERS)
def test_at_the_ends(linker):
    x, one = pt.dvector(), pt.dvector()
    outputs = [Elemwise(elementary.exp_minus)(x, one), Elemwise(elementary.log_plus)(x, one)]
    with np.errstate(all="ignore"):
        rise, log = compiled([x, one], outputs, linker)(
            [800.0, 800.0, -math.inf, -math.inf, 0.0, -1.0, -2.0, math.nan],
            [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0],
        )
    np.testing.assert_array_equal(rise[:4], [math.inf, math.inf, 0.0, -1.0])
    np.testing.assert_array_equal(log[4:], [-math.inf, -math.inf, math.nan, math.nan])
