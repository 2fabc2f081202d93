"""The stored truth against routes that share nothing with the formulas that made it."""

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy import stats

from tests.accuracy import budget, exact
from tests.accuracy.quadrature import Law

# The stored numbers are rounded once (1.1e-16); the arithmetic here has digits to spare.
ROUNDED = 1.2e-16
# Hazards may be as small as 1e-290; a central difference has no digits left for those.
SMALLEST_SLOPE = mpf(10) ** -30


@pytest.fixture(scope="module")
def table():
    return budget.load("truncated_normal")


def sample_rows(table, per_stratum, seed):
    """A few rows of every stratum."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [
            rng.choice(np.flatnonzero(table["stratum"] == k), per_stratum, replace=False)
            for k in range(len(table["stratum_names"]))
        ]
    )


def quadrature(x, mu, sigma, lower, upper):
    """The columns of the table from integrals; moments are central or about x: nothing cancels."""
    law = Law(mu, sigma, lower, upper)
    x, mu, sigma = mpf(x), mpf(mu), mpf(sigma)

    def square_less_x(y):
        return (y - x) * (y + x - 2 * mu)

    mean_y = law.mean(lambda y: y)
    mean_square = law.mean(square_less_x)
    variance = law.mean(lambda y: (y - mean_y) ** 2)
    variance_of_square = law.mean(lambda y: (square_less_x(y) - mean_square) ** 2)
    covariance = law.mean(lambda y: (y - mean_y) * (square_less_x(y) - mean_square))
    d_mu, d_sigma = (x - mean_y) / sigma**2, -mean_square / sigma**3
    return {
        "logp": -(((x - mu) / sigma) ** 2) / 2 - law.log_total,
        "d_x": -(x - mu) / sigma**2,
        "d_mu": d_mu,
        "d_sigma": d_sigma,
        "d_lower": law.density(lower),
        "d_upper": -law.density(upper),
        "d2_mu_mu": -variance / sigma**4,
        "d2_mu_sigma": -2 * d_mu / sigma - covariance / sigma**5,
        "d2_sigma_sigma": -3 * d_sigma / sigma - variance_of_square / sigma**6,
        "sd_x": mp.sqrt(variance),
        "sd_square": mp.sqrt(variance_of_square),
    }


@pytest.mark.soak
def test_quadrature_agrees(table):
    scales = budget.scales(table)
    with mp.workdps(60):
        for i in sample_rows(table, per_stratum=4, seed=1):
            row = [float(table[k][i]) for k in ("x", "mu", "sigma", "lower", "upper")]
            for name, truth in quadrature(*row).items():
                scale = scales[name][i] if name in scales else 0
                stored = mpf(float(table[name][i]))
                difference = abs(stored - truth) / max(abs(truth), scale)
                assert difference < ROUNDED, (name, row, float(stored), mp.nstr(truth, 20))


def test_central_differences_agree(table):
    """Derivatives of the definition itself: log phi - log sigma - log(Phi(b) - Phi(a))."""
    scales = budget.scales(table)
    arguments = ("x", "mu", "sigma", "lower", "upper")
    for i in sample_rows(table, per_stratum=3, seed=2):
        row = [float(table[k][i]) for k in arguments]
        digits = 4 * exact.working_digits(*row[1:], row[0])
        with mp.workdps(digits):
            # a step far inside every length of the problem: third-order terms are below 1e-20
            step = mpf(10) ** (-digits // 4) * mpf(row[2])
            point = [mpf(v) for v in row]

            def shifted(k, h, point=point):
                return exact.log_density(*[v + h if j == k else v for j, v in enumerate(point)])

            for k, name in enumerate(arguments):
                column, scale = f"d_{name}", scales[f"d_{name}"][i]
                stored = mpf(float(table[column][i]))
                if not mp.isfinite(point[k]):
                    assert stored == 0
                    continue
                slope = (shifted(k, step) - shifted(k, -step)) / (2 * step)
                scale = max(scale, SMALLEST_SLOPE / point[2])
                difference = abs(stored - slope) / max(abs(slope), scale)
                assert difference < ROUNDED, (column, row, float(stored), mp.nstr(slope, 20))


def test_scipy_agrees_where_it_is_good(table):
    """In the body, with x - mu free of cancellation, scipy holds a dozen digits."""
    x, mu, sigma, lower, upper = (table[k] for k in ("x", "mu", "sigma", "lower", "upper"))
    a, b = (lower - mu) / sigma, (upper - mu) / sigma
    body = (a < 2) & (b > -2) & (b - a > 0.5) & (np.abs(x - mu) < 5 * sigma)
    body &= np.abs(mu) < 100 * sigma
    rows = np.flatnonzero(body)[:600]
    assert len(rows) == 600
    got = stats.truncnorm.logpdf(x[rows], a[rows], b[rows], loc=mu[rows], scale=sigma[rows])
    assert budget.error(got, table["logp"][rows], budget.LOGP_SCALE).max() < 1e-11


def test_table_covers_what_it_says(table):
    x, mu, sigma, lower, upper = (table[k] for k in ("x", "mu", "sigma", "lower", "upper"))
    assert len(x) >= 20_000
    assert ((lower <= x) & (x <= upper) & (lower < upper) & np.isfinite(x)).all()
    assert sigma.min() < 2e-6
    assert sigma.max() > 5e5
    nearest = np.minimum(np.abs(lower - mu), np.abs(upper - mu)) / sigma
    assert nearest[np.isfinite(nearest)].max() > 5e7
    for one_ulp in (np.nextafter(lower, np.inf) == upper, np.isneginf(lower), np.isposinf(upper)):
        assert one_ulp.sum() > 300
    assert (lower > mu).sum() > 5000
    assert (upper < mu).sum() > 5000
    assert (x == lower).sum() > 500
    assert (x == upper).sum() > 500
    assert len(np.unique(np.stack([x, mu, sigma, lower, upper]), axis=1).T) == len(x)


def test_error_counts_what_is_not_finite():
    got = budget.error([np.nan, np.inf, -np.inf, 1.5, 0.0], [1.0, 1.0, 1.0, 1.0, 0.0])
    assert got.tolist() == [np.inf, np.inf, np.inf, 0.5, 0.0]
    assert budget.error(3e-3, 1e-3, scale=1.0) == pytest.approx(2e-3)
