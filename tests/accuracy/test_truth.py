"""The stored truth against routes that share nothing with the formulas that made it."""

from itertools import pairwise

import numpy as np
import pytest
from mpmath import mp, mpf
from mpmath.calculus.quadrature import GaussLegendre
from scipy import stats

from tests.accuracy import budget, exact

RULE = GaussLegendre(mp)
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
    """The columns of the table from integrals of the density over the interval, by Gauss-Legendre.

    The density is taken relative to its largest value and integrated from there outwards, piece by
    piece, until it has fallen by 1e-45; all moments are central or about x, so nothing cancels.
    """
    x, mu, sigma, lower, upper = (mpf(v) for v in (x, mu, sigma, lower, upper))
    mode = min(max(mu, lower), upper)
    slope = abs(mode - mu) / sigma
    # exp(-slope s - s^2/2) is below 1e-45 beyond this distance s, in units of sigma
    reach = 207 / (slope / 2 + mp.sqrt(slope**2 / 4 + 104))
    low, high = max(lower, mode - reach * sigma), min(upper, mode + reach * sigma)

    nodes = []
    for start, end in ((low, mode), (mode, high)):
        if start == end:
            continue
        cuts = mp.linspace(start, end, 25)
        for left, right in pairwise(cuts):
            nodes += RULE.get_nodes(left, right, 4, mp.prec)

    def relative_density(y):
        return mp.exp(-(y - mode) * ((y - mode) / 2 + (mode - mu)) / sigma**2)

    weights = [(y, w * relative_density(y)) for y, w in nodes]
    total = mp.fsum(w for _, w in weights)

    def mean(function):
        return mp.fsum(w * function(y) for y, w in weights) / total

    def square_less_x(y):
        return (y - x) * (y + x - 2 * mu)

    mean_y = mean(lambda y: y)
    mean_square = mean(square_less_x)
    variance = mean(lambda y: (y - mean_y) ** 2)
    variance_of_square = mean(lambda y: (square_less_x(y) - mean_square) ** 2)
    covariance = mean(lambda y: (y - mean_y) * (square_less_x(y) - mean_square))
    d_mu, d_sigma = (x - mean_y) / sigma**2, -mean_square / sigma**3
    return {
        "logp": -(x - mode) * (x + mode - 2 * mu) / (2 * sigma**2) - mp.log(total),
        "d_x": -(x - mu) / sigma**2,
        "d_mu": d_mu,
        "d_sigma": d_sigma,
        "d_lower": relative_density(lower) / total if mp.isfinite(lower) else mpf(0),
        "d_upper": -relative_density(upper) / total if mp.isfinite(upper) else mpf(0),
        "d2_mu_mu": -variance / sigma**4,
        "d2_mu_sigma": -2 * d_mu / sigma - covariance / sigma**5,
        "d2_sigma_sigma": -3 * d_sigma / sigma - variance_of_square / sigma**6,
        "sd_x": mp.sqrt(variance),
        "sd_square": mp.sqrt(variance_of_square),
    }


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
