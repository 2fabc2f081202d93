"""Two models that PyMC's NUTS runs to their end for nothing, under the watchdog."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import arviz as az
import numpy as np
import pymc as pm
from rich.console import Group
from rich.padding import Padding
from rich.text import Text
from scipy.special import digamma

import pymc_safetrunc as pst
from pymc_safetrunc.demo.comparison import (
    CHAINS,
    SEED,
    STANDARD_ERRORS,
    TARGET_ACCEPT,
    Comparison,
    Shown,
    new_table,
)
from pymc_safetrunc.report.text import diagnosis_text

DRAWS = 1000
STEPS = 5
SHAPE, SCALE = 2, 3
# beyond it the square root is NaN; the farther of the two modes of the load lies there
LIMIT = 5.0
MODES = (0.0, 6.0)
# for a terminal of 80 columns, the indent included
DIAGNOSIS_WIDTH = 76

SETTINGS: dict[str, Any] = {
    "chains": CHAINS,
    "target_accept": TARGET_ACCEPT,
    "random_seed": SEED,
    "quiet": True,
    "compute_convergence_checks": False,
}


def run(step: Callable[[str], None], draws: int) -> Iterator[Shown]:
    """Yield what happens to the model of the first part, and to one that falls off a cliff."""
    yield stopped_before_the_start(step, draws)
    yield stopped_on_the_way(step, draws)


def half_normal(distribution) -> pm.Model:
    """The model of the first part, its infinite bound handed over as data."""
    with pm.Model() as model:
        up = pm.Data("up", np.inf)
        s = pm.InverseGamma("s", SHAPE, SCALE)
        distribution("V", mu=0, sigma=s, lower=0, upper=up)
    return model


def load_test(square_root) -> pm.Model:
    """Strength left under a load of either of two kinds: the root of what is left to the limit."""
    with pm.Model() as model:
        load = pm.NormalMixture("load", w=[0.5, 0.5], mu=MODES, sigma=1)
        pm.Normal("strength", square_root(LIMIT - load), 1, observed=1.0)
    return model


def safe_square_root(x):
    """Return the remedy of the diagnosis: 0 beyond the limit, with a gradient of 0."""
    return pm.math.sqrt(pm.math.maximum(x, 1e-300))


def stopped_before_the_start(step: Callable[[str], None], draws: int) -> Shown:
    """PyMC's distribution is refused with a diagnosis, ours is sampled."""
    step("Watchdog: a model without a gradient")
    aborted = abort(half_normal(pm.TruncatedNormal), draws=draws)
    findings = aborted.report.diagnosis.findings if aborted.report.diagnosis else ()
    named = any(f.variable == "s_log__" and f.source == "up" for f in findings)

    step("The same model with pst.TruncatedNormal")
    remedied = pst.sample(draws, model=half_normal(pst.TruncatedNormal), **SETTINGS)
    log_s = np.log(remedied.posterior["s"].values)
    mean, error, exact = log_s.mean(), float(az.mcse(log_s)), np.log(SCALE) - digamma(SHAPE)
    what_it_found = "" if not named else " The diagnosis names the variable s and the data up."
    return Shown(
        '3. The watchdog: pst.sample on pm.TruncatedNormal with upper=pm.Data("up", inf)\n\n'
        "Without it PyMC's NUTS runs this model to its end, and every transition diverges",
        told(aborted),
        f"Transitions taken: {aborted.report.draw}.{what_it_found} With the remedy all "
        f"{CHAINS} chains ran to their end: E log s is {mean:.3f}±{error:.3f}, exactly "
        f"{exact:.3f}.",
        [
            Comparison("transitions of the model without a gradient", aborted.report.draw, 0, 0),
            Comparison("diagnoses that name s and up", named, 1, 0),
            Comparison("E log s of the remedied model", mean, exact, STANDARD_ERRORS * error),
            ran_to_the_end(remedied, draws),
        ],
    )


def stopped_on_the_way(step: Callable[[str], None], draws: int) -> Shown:
    """Stop chains at a cliff, keep what they drew, and sample again with the remedy."""
    # PyMC's own sampler: its draws are slow enough for the other chains to be met half-way
    settings: dict[str, Any] = {"draws": draws, "nuts_sampler": "pymc", "cores": 2}
    step("Watchdog: a cliff on the way")
    aborted = abort(load_test(pm.math.sqrt), **settings)
    step("The same draws by pm.sample")
    plain = pm.sample(
        model=load_test(pm.math.sqrt), discard_tuned_samples=False, **settings, **SETTINGS
    )
    step("The same model with the remedy")
    remedied = pst.sample(model=load_test(safe_square_root), **settings, **SETTINGS)

    table = new_table()
    for heading in ("chain", "tuning draws\nkept", "draws\nkept", "largest\nload"):
        table.add_column(heading, justify="right")
    table.add_column("the same as\npm.sample's")
    comparisons = [ran_to_the_end(remedied, draws)]
    for chain, tree in aborted.chains.items():
        kept, whole = loads(tree, 0), loads(plain, chain)
        difference = np.abs(kept - whole[: len(kept)]).max()
        tuning, others = aborted.report.kept[chain]
        row = (tuning, others, f"{kept.max():.2f}", "yes" if difference == 0 else "[bold red]no[/]")
        table.add_row(f"{chain}{' (stopped)' * (chain == aborted.report.chain)}", *map(str, row))
        comparisons.append(Comparison(f"change of the draws of chain {chain}", difference, 0, 0))
    kept_of = {chain: sum(counts) for chain, counts in aborted.report.kept.items()}
    stopped = -1 if aborted.report.chain is None else aborted.report.chain
    comparisons.append(
        Comparison(
            "draws kept of the stopped chain", kept_of.get(stopped, 0), aborted.report.draw, 0
        )
    )
    return Shown(
        f"A model whose density is NaN beyond {LIMIT:g}: √({LIMIT:g} - load), the load near "
        f"{MODES[0]:g} or near {MODES[1]:g}",
        Group(told(aborted), table),
        f"No draw was lost: {len(aborted.chains)} chains had begun. With the remedy all {CHAINS} "
        f"ran to their end and reached loads of {remedied.posterior['load'].values.max():.1f}.",
        comparisons,
    )


def abort(model: pm.Model, **settings) -> pst.SamplingAborted:
    """Sample a doomed model and return the error that ends it."""
    try:
        pst.sample(model=model, **settings, **SETTINGS)
    except pst.SamplingAborted as error:
        return error
    raise RuntimeError("The doomed model was sampled to its end.")


def told(aborted: pst.SamplingAborted) -> Group:
    """Return what the error says: where, why, and its diagnosis."""
    report = aborted.report
    where, why, *_ = str(report).splitlines()
    lines = [where, why]
    if report.diagnosis is not None:
        lines += ["", diagnosis_text(report.diagnosis, width=DIAGNOSIS_WIDTH)]
    indented = partial(Padding, pad=(0, 0, 0, 2))
    return Group(*(indented(Text(line)) for line in lines))


def loads(tree, chain: int) -> np.ndarray:
    """Every load a chain drew, tuning first."""
    groups = [name for name in ("warmup_posterior", "posterior") if name in tree.children]
    return np.concatenate([tree[name]["load"].values[chain] for name in groups])


def ran_to_the_end(result, draws: int) -> Comparison:
    """All draws of all chains of a model that was mended."""
    return Comparison("draws of the remedied model", result.posterior["draw"].size, draws, 0)
