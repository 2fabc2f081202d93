"""`docs/families.md` lists every univariate distribution of the installed PyMC with its route."""

import re
from pathlib import Path

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pymc.distributions import continuous, discrete, mixture

from pymc_safetrunc.distributions.families import dispatch
from pymc_safetrunc.distributions.truncated import SafeTruncatedRV, Truncated

PAGE = Path(__file__).parents[2] / "docs" / "families.md"
NAMES = [*continuous.__all__, *discrete.__all__, *mixture.__all__]
# Module of a family's mass -> its route; a family without an entry is integrated.
ROUTES = {
    "general": "quadrature",
    "counts": "sum",
    "mixtures": "parts",
    "refused": "refused",
}
ARGUMENTS = {
    "AsymmetricLaplace": {"mu": 0, "b": 1, "kappa": 2},
    "BetaBinomial": {"alpha": 1, "beta": 2, "n": 9},
    "Binomial": {"n": 9, "p": 0.3},
    "Categorical": {"p": [0.2, 0.3, 0.5]},
    "DiscreteUniform": {"lower": 0, "upper": 9},
    "DiscreteWeibull": {"q": 0.5, "beta": 1},
    "ExGaussian": {"nu": 1},
    "HyperGeometric": {"N": 50, "k": 10, "n": 20},
    "Interpolated": {"x_points": np.arange(3.0), "pdf_points": np.array([0.0, 1.0, 0.0])},
    "Kumaraswamy": {"a": 2, "b": 3},
    "Mixture": {"w": [0.4, 0.6], "comp_dists": [pm.Normal.dist(), pm.Gumbel.dist(0, 1)]},
    "NormalMixture": {"w": [0.4, 0.6], "mu": [0, 1], "sigma": 1},
    "OrderedLogistic": {"eta": 0.0, "cutpoints": [-1.0, 1.0]},
    "OrderedProbit": {"eta": 0.0, "cutpoints": [-1.0, 1.0]},
    "SkewStudentT": {"a": 2, "b": 3, "mu": 0, "sigma": 1},
    "StudentT": {"nu": 4},
    "HalfStudentT": {"nu": 4},
    "Wald": {"mu": 1, "lam": 1},
    "Rice": {"nu": 1, "sigma": 1},
    "Bernoulli": {"p": 0.3},
    "Geometric": {"p": 0.3},
    "ChiSquared": {"nu": 4},
    "Exponential": {"lam": 1},
    "HalfCauchy": {"beta": 1},
    "Poisson": {"mu": 3},
    "NegativeBinomial": {"mu": 3, "alpha": 2},
    "Pareto": {"alpha": 2, "m": 0.1},
    "Gumbel": {"mu": 0, "beta": 1},
    "Laplace": {"mu": 0, "b": 1},
    "Cauchy": {"alpha": 0, "beta": 1},
    "Beta": {"alpha": 2, "beta": 3},
    "Gamma": {"alpha": 2, "beta": 3},
    "InverseGamma": {"alpha": 2, "beta": 3},
    "Weibull": {"alpha": 2, "beta": 3},
    "HurdleGamma": {"psi": 0.5, "alpha": 2, "beta": 3},
    "HurdleLogNormal": {"psi": 0.5, "mu": 0, "sigma": 1},
    "HurdleNegativeBinomial": {"psi": 0.5, "mu": 3, "alpha": 2},
    "HurdlePoisson": {"psi": 0.5, "mu": 3},
    "ZeroInflatedBinomial": {"psi": 0.5, "n": 9, "p": 0.3},
    "ZeroInflatedNegativeBinomial": {"psi": 0.5, "mu": 3, "alpha": 2},
    "ZeroInflatedPoisson": {"psi": 0.5, "mu": 3},
}
# Refused, or with one text for the conditions of all its parts.
NOT_COUNTED = {"refused", "parts"}
# Lower and upper bound that leave a part of each support.
BOUNDS = {True: (1, 2), False: (0.2, 0.7)}


def listed():
    """Route of each distribution on the page."""
    rows = re.findall(r"^\| `(\w+)` \| ([\w ]+?) \|", PAGE.read_text(), flags=re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a distribution is listed twice"
    return dict(rows)


def route(name):
    """The route that `Truncated` takes."""
    base = getattr(pm, name).dist(**ARGUMENTS.get(name, {}))
    try:
        law = Truncated.dist(base, *BOUNDS[not base.dtype.startswith("float")])
    except NotImplementedError:
        return "refused"
    op = law.owner.op
    if not isinstance(op, SafeTruncatedRV):
        return "closed form"
    mass = dispatch.log_interval_mass.dispatch(type(op.base_rv_op))
    return ROUTES.get(mass.__module__.rsplit(".", 1)[-1], "closed form")


def test_every_distribution_is_listed():
    assert sorted(listed()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_route(name):
    assert listed()[name] == route(name)


@pytest.mark.parametrize("name", [n for n, way in listed().items() if way not in NOT_COUNTED])
def test_every_condition_has_its_words(name):
    """What tells a user which parameter is wrong counts them: two for "0 < p < 1"."""
    op = getattr(pm, name).dist(**ARGUMENTS.get(name, {})).owner.op
    params = [pt.vector() for _ in dispatch.parameter_indices(op)]
    conditions, words = dispatch.legal(op, *params)
    assert len(conditions) == sum(
        max(1, len(re.findall("[<>]", part))) for part in words.split(", ") if part
    )


def test_a_refusal_says_what_to_write():
    with pytest.raises(NotImplementedError, match=r"write pm\.Uniform"):
        Truncated.dist(pm.Flat.dist(), lower=np.float64(0))
