"""A half normal with an uncertain scale, its infinite bound spelt in four ways."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import arviz as az
import numpy as np
import pymc as pm
from rich.markup import escape
from scipy.optimize import brentq
from scipy.special import digamma, erf
from scipy.stats import invgamma, norm

import pymc_safetrunc as pst
from pymc_safetrunc.demo.comparison import STANDARD_ERRORS, Comparison, Shown, new_table, sample

# the finite entry of the bound that is an array
FINITE = 4.0
# upper bound of V, as a user writes it; called inside the model
SPELLINGS = {
    "None": lambda: None,
    "np.inf": lambda: np.inf,
    "pm.Data(inf)": lambda: pm.Data("upper", np.inf),
    f"[{FINITE:g}, inf]": lambda: np.array([FINITE, np.inf]),
}
SHAPE, SCALE = 2, 3
DRAWS = 4000
STEPS = 2 * len(SPELLINGS)
# what the package promises of its gradients
GRADIENT_TOLERANCE = 1e-11


def run(step: Callable[[str], None], draws: int) -> Iterator[Shown]:
    """Yield the table of gradients and that of draws."""
    yield gradients(step)
    yield draws_beside_exact(step, draws)


def build(distribution, spelling: str) -> pm.Model:
    """Sigma ~ InverseGamma(2, 3), V ~ distribution(0, sigma) above 0, with one of the bounds."""
    with pm.Model() as model:
        sigma = pm.InverseGamma("sigma", SHAPE, SCALE)
        distribution("V", mu=0, sigma=sigma, lower=0, upper=SPELLINGS[spelling]())
    return model


def gradients(step: Callable[[str], None]) -> Shown:
    """PyMC's gradient, ours and the closed form at sigma = 1, V = 2."""
    table = new_table()
    table.add_column("upper")
    table.add_column("gradient in")
    for heading in ("PyMC", "pymc_safetrunc", "closed form"):
        table.add_column(heading, justify="right")
    comparisons, lost = [], []
    for spelling in SPELLINGS:
        step(f"Gradient, upper={escape(spelling)}")
        is_array = spelling.startswith("[")
        # unconstrained coordinates of V = 2: log odds in [0, 4], log above a lower bound
        v = np.array([0.0, np.log(2)]) if is_array else np.array(np.log(2))
        point = {"sigma_log__": np.array(0.0), "V_interval__": v}
        theirs, ours = (
            build(distribution, spelling).compile_dlogp()(point)
            for distribution in (pm.TruncatedNormal, pst.TruncatedNormal)
        )
        if not np.isfinite(theirs).all():
            lost.append(f"upper={escape(spelling)}")
        names = ["log σ", "logit V₀/4", "log V₁"] if is_array else ["log σ", "log V"]
        rows = zip(names, theirs, ours, exact_gradient(is_array), strict=True)
        for i, (name, their, our, exact) in enumerate(rows):
            numbers = [their, our, exact]
            table.add_row(escape(spelling) if i == 0 else "", name, *map(number, numbers))
            what = f"gradient in {name}, upper={spelling}"
            comparisons.append(Comparison(what, our, exact, GRADIENT_TOLERANCE * abs(exact)))
        table.add_section()
    note = f"Tolerance of ours: a relative {GRADIENT_TOLERANCE:g}."
    if lost:
        note = f"With {' or '.join(lost)}, NUTS cannot take a step on PyMC's gradient. {note}"
    return Shown(
        "1. σ ~ InverseGamma(2, 3), V ~ TruncatedNormal(0, σ, lower=0, upper=∞)\n\n"
        "Gradient of the log-density at σ = 1, V = 2, the bound written in four ways",
        table,
        note,
        comparisons,
    )


def number(value: float) -> str:
    """Nine decimals; what is not finite stands out."""
    return f"{value:.9f}" if np.isfinite(value) else f"[bold red]{value}[/]"


def exact_gradient(is_array: bool) -> list[float]:
    """Closed form at sigma = 1, V = 2, in the coordinates of the sampler."""
    # in log sigma: of the prior with its Jacobian, and of each V's -z^2 / 2 - log sigma
    prior, normal = -SHAPE + SCALE, 2.0**2 - 1
    # in log V: of -z^2 / 2, and 1 from the Jacobian
    unbounded = 1 - 2.0**2
    if not is_array:
        return [prior + normal, unbounded]
    # in log sigma: of -log(Phi(4 / sigma) - Phi(0))
    mass = FINITE * norm.pdf(FINITE) / (norm.cdf(FINITE) - 0.5)
    # in the log odds: dV = V (1 - V / 4) = 1, and the Jacobian is level at V = 2
    bounded = -2.0
    return [prior + 2 * normal + mass, bounded, unbounded]


def draws_beside_exact(step: Callable[[str], None], draws: int) -> Shown:
    """Draws by NUTS under each spelling beside the exact law."""
    known = list(statistics())
    columns: list[list[str]] = []
    comparisons: list[Comparison] = []
    for spelling in SPELLINGS:
        step(f"NUTS, upper={escape(spelling)}")
        result = sample(build(pst.TruncatedNormal, spelling), draws)
        posterior = result.posterior
        v = posterior["V"].values
        variables = {"σ": posterior["sigma"].values, "V": v}
        if v.ndim == 3:
            variables |= {"V₀": v[..., 0], "V": v[..., 1]}
        column, gaps = [], []
        for name, variable, exact, estimator in known:
            if variable not in variables:
                column.append("")
                continue
            estimate, error = estimator(variables[variable])
            column.append(f"{estimate:.3f}±{error:.3f}")
            gaps.append(abs(estimate - exact) / error)
            what = f"{name}, upper={spelling}"
            comparisons.append(Comparison(what, estimate, exact, STANDARD_ERRORS * error))
        rhat = max(float(r.max()) for r in az.rhat(posterior.dataset).values())
        divergences = int(result.sample_stats["diverging"].sum())
        columns.append([*column, f"{max(gaps):.1f}", str(divergences), f"{rhat:.3f}"])

    table = new_table()
    table.add_column("")
    for heading in ("exact", *SPELLINGS):
        table.add_column(escape(heading), justify="right")
    labels = [(s.name, f"{s.exact:.3f}") for s in known]
    labels += [("largest gap/±", ""), ("divergences", ""), ("largest r-hat", "")]
    for i, (label, *cells) in enumerate(zip(labels, *columns, strict=True)):
        table.add_row(*label, *cells, end_section=i == len(known) - 1)
    return Shown(
        "pymc_safetrunc sampled by NUTS: estimate ± Monte-Carlo standard error",
        table,
        "Exact: quadrature over σ with scipy. σ and V have no variance, hence quantiles, "
        f"probabilities and a logarithm. Tolerance: {STANDARD_ERRORS} standard errors. V₀ is the "
        f"entry whose bound is {FINITE:g}.",
        comparisons,
    )


class Statistic(NamedTuple):
    """Something known exactly, and its estimate with the standard error, from (chain, draw)."""

    name: str
    variable: str
    exact: float
    estimator: Callable[[np.ndarray], tuple[float, float]]


def statistics() -> Iterator[Statistic]:
    """Yield what is compared: of sigma, of V, and of V where its bound is finite."""
    median, high = partial(quantile, 0.5), partial(quantile, 0.95)
    yield Statistic("E log σ", "σ", np.log(SCALE) - digamma(SHAPE), lambda x: mean(np.log(x)))
    yield Statistic("median σ", "σ", invgamma.median(SHAPE, scale=SCALE), median)
    for name, upper in (("V", np.inf), ("V₀", FINITE)):
        below_one = cumulative(1.0, upper)
        yield Statistic(f"P({name} < 1)", name, below_one, lambda x: mean((x < 1).astype(float)))
        yield Statistic(f"median {name}", name, exact_quantile(0.5, upper), median)
        yield Statistic(f"95% point {name}", name, exact_quantile(0.95, upper), high)


def mean(x: np.ndarray) -> tuple[float, float]:
    """Mean and its Monte-Carlo standard error."""
    return float(x.mean()), float(az.mcse(x))


def quantile(p: float, x: np.ndarray) -> tuple[float, float]:
    """Quantile and its Monte-Carlo standard error."""
    return float(np.quantile(x, p)), float(az.mcse(x, method="quantile", prob=p))


def cumulative(v: float, upper: float) -> float:
    """P(V < v) where V's bound is `upper`, by quadrature over sigma."""

    def given(sigma):
        return erf(v / sigma / np.sqrt(2)) / erf(upper / sigma / np.sqrt(2))

    return invgamma(SHAPE, scale=SCALE).expect(given, epsabs=1e-10)


def exact_quantile(p: float, upper: float) -> float:
    """Value that V is below with probability p."""
    # P(V > 1000) < 1e-4, so that the quantiles wanted lie below
    return brentq(lambda v: cumulative(v, upper) - p, 0, min(upper, 1000))
