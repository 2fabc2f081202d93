"""A gradient that is wrong, and one that is always zero."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pymc_safetrunc.diagnosis.difference import ERRORS_ALLOWED, central_difference, is_random
from pymc_safetrunc.diagnosis.expression import plain
from pymc_safetrunc.diagnosis.facts import Facts, Probe, probed
from pymc_safetrunc.diagnosis.rules.model import remedies
from pymc_safetrunc.findings import Finding

__all__ = ["flat_direction", "wrong_gradient"]

# A kink makes a right gradient disagree at one point, and a wrong one may be right at one point.
POINTS, DISAGREEING = 3, 2
# Relative agreement that is asked for: solvers of differential equations and quadratures inside
# a model reach it by default.
RELATIVE = 1e-5
# Entries of a variable that are looked at one by one, to name the wrong one.
ENTRIES = 50
# Farther than any bound that is meant to hold a variable on the unconstrained scale.
FAR = 1e9
# Fewer points than these say nothing about "everywhere".
ENOUGH = 3


def wrong_gradient(facts: Facts) -> Iterator[Finding]:
    """Compare the gradient along one direction a variable with a central difference."""
    probes = [probe for probe in facts.of("initial", "jittered") if probe.finite][:POINTS]
    if probes and is_random(probes[0].logp, facts.density(probes[0].point)[0]):
        facts.notes.append(
            "The log-density is another one at every call (pm.Minibatch, random numbers), so that "
            "its gradient was not compared with differences."
        )
        return
    for variable in probes[0].gradient if probes else ():
        if np.asarray(probes[0].point[variable]).dtype == "float32":
            continue  # single precision leaves a difference too few digits
        disagreeing: list[tuple[Probe, tuple[float, float]]] = []
        for left, probe in zip(range(len(probes), 0, -1), probes, strict=True):
            if len(disagreeing) + left < DISAGREEING:
                break
            found = _disagreement(facts, probe, variable, _signs(probe.gradient[variable]))
            if found is not None:
                disagreeing.append((probe, found))
        if len(disagreeing) >= DISAGREEING:
            yield _wrong(facts, *disagreeing[0], variable, (len(disagreeing), len(probes)))


def _signs(gradient: np.ndarray) -> np.ndarray:
    # along the gradient's own signs nothing cancels
    return np.where(gradient < 0, -1.0, 1.0)


def _disagreement(
    facts: Facts, probe: Probe, variable: str, direction: np.ndarray
) -> tuple[float, float] | None:
    """Slope along a direction and its central difference, where they disagree."""
    slope = float((np.asarray(probe.gradient[variable], "float64") * direction).sum())

    def along(x: np.ndarray) -> float:
        # where the density raises it is NaN, as beyond the edge of the support
        return probed(facts.density, probe.kind, {**probe.point, variable: x}).logp

    difference, error = central_difference(along, probe.point[variable], direction)
    if not np.isfinite(difference):
        return None  # the edge of the support: nothing can be said
    size = max(abs(slope), abs(difference))
    if abs(slope - difference) <= ERRORS_ALLOWED * error + RELATIVE * size:
        return None
    return slope, difference


def _wrong(
    facts: Facts, probe: Probe, found: tuple[float, float], variable: str, points: tuple[int, int]
) -> Finding:
    index = None
    gradient = probe.gradient[variable]
    if gradient.size > 1:
        largest = np.argsort(-np.abs(gradient), axis=None)[:ENTRIES]
        for flat in largest:
            single = np.zeros(gradient.size)
            single[flat] = 1.0
            entry = _disagreement(facts, probe, variable, single.reshape(gradient.shape))
            if entry is not None:
                found = entry
                index = tuple(int(i) for i in np.unravel_index(flat, gradient.shape))
                break
    slope, difference = found
    entry_words = f" at entry {', '.join(map(str, index))}" if index else ""
    return Finding(
        "wrong-gradient",
        "error",
        f"The gradient by {plain(variable)} is {slope:.6g}{entry_words}, and a central difference "
        f"of the log-density says {difference:.6g}; so it is at {points[0]} of the {points[1]} "
        "starting points looked at. Look at the gradient of custom Ops and at expressions that "
        "round or count.",
        variable=variable,
        quantity="gradient",
        index=index,
        remedy=remedies.gradient_table(plain(variable)),
    )


def flat_direction(facts: Facts) -> Iterator[Finding]:
    """Find variables, or entries of them, that the log-density does not depend on."""
    probes = [probe for probe in facts.probes if probe.finite]
    if len(probes) < ENOUGH:
        return
    for variable in probes[0].gradient:
        values = np.stack([np.asarray(probe.gradient[variable]) for probe in probes])
        flat = (values == 0).all(axis=0)
        if not flat.any():
            continue
        some = f"{int(flat.sum())} of the {flat.size} entries of " if not flat.all() else ""
        first = tuple(int(i) for i in np.argwhere(flat)[0]) if some else None
        yield Finding(
            "flat-direction",
            # without a bound either there is no posterior to sample
            "error" if _is_endless(facts, probes[0], variable, flat) else "warning",
            f"The log-density does not depend on {some}{plain(variable)}: its gradient was 0 at "
            f"all {len(probes)} points looked at. A chain drifts along it without end; give it a "
            "prior, use it in the model, or take it out. Rounding (round, floor, a comparison) "
            "between it and the likelihood has the same effect.",
            variable=variable,
            quantity="gradient",
            index=first,
            remedy=remedies.with_prior(plain(variable)),
        )


def _is_endless(facts: Facts, probe: Probe, variable: str, flat: np.ndarray) -> bool:
    """Whether the log-density stays what it is, however far the flat entries go."""
    start = np.asarray(probe.point[variable])
    moved = [np.where(flat, start + sign * FAR, start).astype(start.dtype) for sign in (-1, 1)]
    return all(
        probed(facts.density, "corner", {**probe.point, variable: x}).logp == probe.logp
        for x in moved
    )
