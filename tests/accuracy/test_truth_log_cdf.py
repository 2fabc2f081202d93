"""The stored truth of the log-CDF family against quadrature of the density."""

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy import special, stats

from tests.accuracy import budget
from tests.accuracy.quadrature import Law
from tests.accuracy.test_truth import ROUNDED, sample_rows

DIGITS = 60


@pytest.fixture(scope="module")
def table():
    return budget.load("log_cdf")


@pytest.fixture(scope="module")
def rows(table):
    return sample_rows(table, per_stratum=2, seed=3)


def agree(stored, truth, scale=budget.RELATIVE_SCALE):
    return abs(mpf(float(stored)) - truth) <= ROUNDED * max(abs(truth), scale)


def log_share(part, rest):
    """log(part / (part + rest)) of two laws over neighbouring intervals."""
    return -mp.log1p(mp.exp(rest.log_total - part.log_total))


def about(law, x):
    """E[X - x] and E[(X - mu)^2 - (x - mu)^2]: no cancellation when the law lies beside x."""
    return (
        law.mean(lambda y: y - x),
        law.mean(lambda y: (y - x) * (y + x - 2 * law.mu)),
    )


def test_log_cdf_and_survival_agree(table, rows):
    for i in rows:
        x, mu, sigma, lower, upper = (
            mpf(float(table[k][i])) for k in ("x", "mu", "sigma", "lower", "upper")
        )
        with mp.workdps(DIGITS):
            below, above = Law(mu, sigma, lower, x), Law(mu, sigma, x, upper)
            logcdf, logsf = log_share(below, above), log_share(above, below)
            cdf, survival = mp.exp(logcdf), mp.exp(logsf)
            step, square = (m - n for m, n in zip(about(below, x), about(above, x), strict=True))
            truth = {
                "cdf_d_x": below.density(x),
                "cdf_d_mu": survival * step / sigma**2,
                "cdf_d_sigma": survival * square / sigma**3,
                "cdf_d_lower": -below.density(lower) * survival,
                "cdf_d_upper": -above.density(upper) * survival,
                "sf_d_x": -above.density(x),
                "sf_d_mu": -cdf * step / sigma**2,
                "sf_d_sigma": -cdf * square / sigma**3,
                "sf_d_lower": below.density(lower) * cdf,
                "sf_d_upper": above.density(upper) * cdf,
            }
            assert agree(table["logcdf"][i], logcdf), i
            assert agree(table["logsf"][i], logsf), i
            for name, slope in truth.items():
                assert agree(table[name][i], slope, budget.LOG_CDF_GRADIENT_SCALE / sigma), (
                    i,
                    name,
                )


@pytest.mark.soak
def test_conditioning_is_what_one_ulp_of_each_input_does(table):
    """Each finite input moves by a small part of its ulp and the log CDFs are integrated anew."""
    part = mpf(10) ** -8
    for i in sample_rows(table, per_stratum=1, seed=5):
        inputs = {k: mpf(float(table[k][i])) for k in ("mu", "sigma", "lower", "x", "upper")}
        with mp.workdps(DIGITS):

            def log_shares(mu, sigma, lower, x, upper):
                below, above = Law(mu, sigma, lower, x), Law(mu, sigma, x, upper)
                return log_share(below, above), log_share(above, below)

            start, moved = log_shares(**inputs), [mpf(0), mpf(0)]
            for k, v in inputs.items():
                if mp.isfinite(v):
                    ulp = mpf(float(np.spacing(abs(table[k][i]))))
                    end = log_shares(**inputs | {k: v + part * ulp})
                    moved = [
                        m + abs(e - f) / part for m, e, f in zip(moved, end, start, strict=True)
                    ]
            for name, truth in zip(("cdf", "sf"), moved, strict=True):
                stored = table[f"{name}_conditioning"][i]
                # at one ulp from a bound the curvature adds part / 2
                assert abs(stored - truth) <= 1e-7 * truth + budget.RELATIVE_SCALE, (i, name)


def test_mean_and_variance_agree(table, rows):
    for i in rows:
        mu, sigma, lower, upper = (
            mpf(float(table[k][i])) for k in ("mu", "sigma", "lower", "upper")
        )
        with mp.workdps(DIGITS):
            law = Law(mu, sigma, lower, upper)
            mean = law.mean(lambda y: y)
            variance = mp.fsum(w * (y - mean) ** 2 for y, w in law.weights) / law.total
            # (X - mu)^2 about the mean, so that nothing of size (mean - mu)^2 has to cancel
            squares = [(y - mean) * (y + mean - 2 * mu) for y, _ in law.weights]
            covariance = (
                mp.fsum(w * (y - mean) * v for (y, w), v in zip(law.weights, squares, strict=True))
                / law.total
            )
            scale = mpf(float(table["sd_x"][i] * table["sd_square"][i])) / sigma**3
            assert agree(table["mean"][i], mean, table["sd_x"][i])
            assert agree(table["variance"][i], variance)
            assert agree(table["sd_x"][i], mp.sqrt(variance))
            assert agree(table["mean_d_mu"][i], variance / sigma**2)
            assert agree(table["mean_d_sigma"][i], covariance / sigma**3, scale)
            for bound, name in ((lower, "lower"), (upper, "upper")):
                slope = law.density(bound) * abs(mean - bound) if mp.isfinite(bound) else 0
                assert agree(table[f"mean_d_{name}"][i], slope), name


@pytest.mark.soak
def test_quantile_is_the_nearest_number(table, rows):
    """The CDF crosses q within 0.51 unit of the stored number; a rounding is half a unit."""
    for i in rows:
        x, q, mu, sigma, lower, upper, sd = (
            mpf(float(table[k][i])) for k in ("icdf", "q", "mu", "sigma", "lower", "upper", "sd_x")
        )
        unit = max(mpf(float(np.spacing(abs(table["icdf"][i])))), mpf(2) ** -52 * sd)
        with mp.workdps(DIGITS):
            assert lower <= x <= upper
            for point, side in ((x - 0.51 * unit, -1), (x + 0.51 * unit, 1)):
                if lower < point < upper:
                    below, above = Law(mu, sigma, lower, point), Law(mu, sigma, point, upper)
                    odds = below.log_total - above.log_total
                    assert side * (odds - mp.log(q / (1 - q))) > 0, (i, side)


@pytest.mark.soak
def test_log_ndtr_interval_agrees():
    table = budget.load("log_ndtr_interval")
    for i in sample_rows(table, per_stratum=2, seed=4):
        a, b = (mpf(float(table[k][i])) for k in "ab")
        with mp.workdps(DIGITS):
            law = Law(0, 1, a, b)
            outside = [Law(0, 1, *v) for v in ((-mp.inf, a), (b, mp.inf)) if v[0] < v[1]]
            ratio = mp.fsum(mp.exp(tail.log_total - law.log_total) for tail in outside)
            assert agree(table["value"][i], -mp.log1p(ratio)), i
            # a density of 1e-300 relative to the mode is a number as good as any: relative
            assert agree(table["d_a"][i], -law.density(a)), i
            assert agree(table["d_b"][i], law.density(b)), i


def test_log_ndtr_agrees():
    """With quadrature, and with scipy, which holds 2e-13 below 5 and loses the tail above."""
    table = budget.load("log_ndtr")
    for i in range(0, len(table["x"]), 50):
        x = mpf(float(table["x"][i]))
        with mp.workdps(DIGITS):
            below, above = Law(0, 1, -mp.inf, x), Law(0, 1, x, mp.inf)
            assert agree(table["value"][i], log_share(below, above)), x
            assert agree(table["d_x"][i], below.density(x)), x
    got = special.log_ndtr(table["x"])
    near = table["x"] < 5
    assert budget.error(got[near], table["value"][near]).max() < 2e-13


def test_scipy_agrees_where_it_is_good(table):
    x, mu, sigma, lower, upper, q = (table[k] for k in ("x", "mu", "sigma", "lower", "upper", "q"))
    a, b = (lower - mu) / sigma, (upper - mu) / sigma
    body = (
        (a < 1) & (b > -1) & (b - a > 0.5) & (np.abs(mu) < 10 * sigma) & (x > lower + 0.1 * sigma)
    )
    body &= (x < upper - 0.1 * sigma) & (q > 0.01) & (q < 0.99)
    body = np.flatnonzero(body & (np.abs(x - mu) < 4 * sigma))[:300]
    assert len(body) == 300
    law = stats.truncnorm(a[body], b[body], loc=mu[body], scale=sigma[body])
    assert budget.error(law.logcdf(x[body]), table["logcdf"][body], 1.0).max() < 1e-12
    assert budget.error(law.logsf(x[body]), table["logsf"][body], 1.0).max() < 1e-12
    assert (np.abs(law.ppf(q[body]) - table["icdf"][body]) / sigma[body]).max() < 1e-12
    assert (np.abs(law.mean() - table["mean"][body]) / sigma[body]).max() < 1e-12


def test_errors_count_what_is_not_finite_or_outside():
    assert budget.log_cdf_error([np.nan, -2.0, -2.0], -1.0, [0.0, 0.25, 0.1]).tolist() == [
        np.inf,
        0.0,
        pytest.approx(0.6),
    ]
    table = {k: np.array(v) for k, v in {"icdf": 1.0, "sd_x": 1.0, "lower": 0, "upper": 2}.items()}
    assert budget.quantile_error(1.0 + 2**-51, table) == 2
    assert budget.quantile_error(2.5, table) == np.inf
    assert budget.quantile_error(np.nan, table) == np.inf
    table = {"mean": np.array(1.0), "sd_x": np.array(1e-20)}
    assert budget.mean_error(1.0 + 2**-51, table) == 1
    assert budget.mean_error(np.inf, table) == np.inf
