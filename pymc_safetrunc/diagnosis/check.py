"""`check_model`: what will go wrong, before it does."""

from __future__ import annotations

import logging
import math
import time
from typing import Any

import numpy as np
from pymc.model import Model
from pytensor.graph.basic import Variable

from pymc_safetrunc.diagnosis.errors import OutOfTime, first_line
from pymc_safetrunc.diagnosis.factors import without_density
from pymc_safetrunc.diagnosis.facts import (
    Density,
    Facts,
    Point,
    compiled_density,
    points_of,
    probed,
)
from pymc_safetrunc.diagnosis.point import resolve_model
from pymc_safetrunc.diagnosis.rules.model import CHEAP, RULES, ModelRule
from pymc_safetrunc.findings import Finding, ModelCheck
from pymc_safetrunc.report.words import by_severity

__all__ = ["check_model", "gather", "quick_check"]

_log = logging.getLogger(__name__)


def check_model(
    model: Model | None = None, *, random_seed: Any = None, draws: int = 20
) -> ModelCheck:
    """Look for what will go wrong in a model, before it is sampled.

    The log-density and its gradient are evaluated at the initial point, at jittered starting
    points, at draws from the prior and far out; then every rule of ``docs/checks.md`` is applied:
    values that are not finite, wrong gradients, risky bounds, tails in which PyMC's formula is
    out of digits, exponentials that overflow, units that are far apart, flat directions.

    Parameters
    ----------
    model : Model, optional
        The model in context when None.
    random_seed : int, Generator or SeedSequence, optional
        Seed of the jitter and of the draws from the prior.
    draws : int
        Draws from the prior; 0 for none.

    Returns
    -------
    ModelCheck
        ``.ok`` (nothing of severity error), ``.findings``, ``str()``, faces for notebooks and
        for rich, ``.to_dict()``.

    Raises
    ------
    TypeError
        What was given is no model, or none was given and none is in context.
    ValueError
        ``draws`` is negative or no whole number.

    Notes
    -----
    The model is compiled once, with its gradient, as for sampling.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc as pm
    >>> from pymc_safetrunc.diagnosis import check_model
    >>> with pm.Model() as model:
    ...     s = pm.HalfNormal("s")
    ...     up = pm.Data("up", np.inf)
    ...     V = pm.TruncatedNormal("V", 0, s, lower=0, upper=up, observed=[0.5, 1.5])
    >>> check = check_model(model, random_seed=1)
    >>> check.ok, sorted({finding.rule for finding in check.findings})
    (False, ['nonfinite-gradient', 'runtime-infinite-bound'])
    """
    started = time.monotonic()
    model = resolve_model(model, "check_model(model)")
    if not isinstance(draws, int | np.integer) or draws < 0:
        raise ValueError(f"draws must be 0 or a positive whole number; got {draws!r}.")
    return _check(gather(model, random_seed, int(draws)), RULES, started)


def gather(model: Model, random_seed: Any, draws: int) -> Facts:
    """Evaluate a model at every point worth looking at."""
    notes: list[str] = []
    rng = np.random.default_rng(random_seed)
    refused: frozenset[Variable] = frozenset()
    with model:
        try:
            density = compiled_density(model, notes)
        except Exception:
            refused = frozenset(without_density(model))
            if not refused:
                raise
            density = _unknown
        points = list(points_of(model, draws, rng, notes))
    probes = tuple(probed(density, kind, point) for kind, point in points)
    return Facts(model, density, probes, notes=notes, refused=refused)


def _unknown(point: Point) -> tuple[float, dict[str, np.ndarray]]:
    return math.nan, {}


def quick_check(
    model: Model, density: Density, point: Point, seconds: float, points: int = 6
) -> ModelCheck:
    """Apply the rules that need nothing but a density that is compiled anyway.

    Parameters
    ----------
    model : Model
    density : callable
        Takes a point, returns the log-density and the gradient by each variable.
    point : dict
        Where the sampler starts.
    seconds : float
        Time after which what was found so far is returned.
    points : int
        Points around it that are looked at too.

    Returns
    -------
    ModelCheck
    """
    started = time.monotonic()
    deadline = started + seconds

    def in_time(point: Point):
        if time.monotonic() > deadline:
            raise OutOfTime
        return density(point)

    try:
        probes = [probed(in_time, "initial", point)]
        rng = np.random.default_rng(0)
        for _ in range(points):
            at = {name: np.asarray(point[name]) for name in probes[0].gradient}
            moved = {n: (x + rng.uniform(-1, 1, x.shape)).astype(x.dtype) for n, x in at.items()}
            probes.append(probed(in_time, "jittered", {**point, **moved}))
    except OutOfTime:
        return ModelCheck(seconds=time.monotonic() - started)
    return _check(Facts(model, in_time, tuple(probes), deadline=deadline), CHEAP, started)


def _check(facts: Facts, rules: tuple[ModelRule, ...], started: float) -> ModelCheck:
    findings: list[Finding] = []
    for rule in rules:
        if time.monotonic() > facts.deadline:
            break
        try:
            for finding in rule(facts):
                findings.append(finding)
        except OutOfTime:
            break
        except Exception as error:  # what the other rules find must not be lost
            _log.debug("A rule failed.", exc_info=True)
            facts.notes.append(
                f"{rule.__name__.replace('_', '-')} could not be looked for: "
                f"{type(error).__name__}: {first_line(error)}"
            )
    findings = [f for f in findings if not _told_better(f, findings)]
    points: dict[str, int] = {}
    for probe in facts.probes:
        points[probe.kind] = points.get(probe.kind, 0) + 1
    return ModelCheck(
        findings=by_severity(findings),
        points=points,
        variables=tuple(value.name for value in facts.model.value_vars),
        notes=tuple(dict.fromkeys(facts.notes)),
        seconds=time.monotonic() - started,
    )


def _told_better(finding: Finding, others: list[Finding]) -> bool:
    """Whether a value that is not finite in places is that of an exponential already told of."""
    return (
        finding.rule.startswith("nonfinite")
        and finding.severity != "error"
        and any(
            other.rule == "overflow-prone"
            and (other.factor, other.operation) == (finding.factor, finding.operation)
            for other in others
        )
    )
