"""Variables in units that are far apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pymc_safetrunc.diagnosis.expression import plain
from pymc_safetrunc.diagnosis.facts import Facts, probed
from pymc_safetrunc.diagnosis.rules.model import remedies
from pymc_safetrunc.findings import Finding

__all__ = ["unscaled_parameters"]

# A leapfrog step fits the smallest scale; 2**10 of them, NUTS's deepest tree, cross 1e3 of those.
# Tuning learns some orders of magnitude more, from draws that it has to get first.
LARGEST_RATIO = 1e6
# Draws and points below which a scale is a guess.
ENOUGH = 3
# Longer arrays of factors are no longer something to read and copy.
SHOWN_FACTORS = 24


def unscaled_parameters(facts: Facts) -> Iterator[Finding]:
    """Find variables whose prior scales or gradients are orders of magnitude apart."""
    for what, sizes in (("prior scales", _prior_scales(facts)), ("gradients", _slopes(facts))):
        outliers = _outliers(sizes)
        if not outliers:
            continue
        positive = np.concatenate([size[size > 0] for size in sizes.values()])
        factors = {name: _factors(facts, name, sizes[name], what) for name in outliers}
        # ten times more or less is no trouble
        factors = {name: f for name, f in factors.items() if np.abs(np.log10(f)).max() > 1}
        if not factors:
            continue
        smallest, largest = positive.min(), positive.max()
        worst = next(iter(factors))  # in the order of the outliers
        names = {_rv_name(facts, name): _code(factor) for name, factor in factors.items()}
        by = [
            f"{plain(name)} by {_words(factor)}"
            for name, factor in zip(names, factors.values(), strict=True)
        ]
        yield Finding(
            "unscaled-parameters",
            "warning",
            f"The {what} of the model's variables lie between {smallest:.0e} and {largest:.0e}; "
            f"{plain(worst)} is furthest from the others. A step that suits one is far too "
            "long or too short for another. Standardise the data behind them, or let the sampler "
            f"see them divided by these factors: {', '.join(by)}.",
            variable=worst,
            quantity="gradient" if what == "gradients" else None,
            remedy=remedies.scaled(names),
        )
        return  # both tell of the same units


def _prior_scales(facts: Facts) -> dict[str, np.ndarray]:
    """Half the width of the middle two thirds of the prior draws, entry by entry."""
    probes = facts.of("prior")
    if len(probes) < ENOUGH:
        return {}
    scales = {}
    for value in facts.model.continuous_value_vars:
        draws = np.stack([np.asarray(probe.point[value.name]) for probe in probes])
        if np.isfinite(draws).all():
            low, high = np.quantile(draws, [0.16, 0.84], axis=0)
            scales[value.name] = np.asarray((high - low) / 2)
    return scales


def _slopes(facts: Facts) -> dict[str, np.ndarray]:
    """Typical size of the gradient near the starting point, entry by entry."""
    probes = [probe for probe in facts.of("initial", "jittered") if probe.finite]
    if len(probes) < ENOUGH:
        return {}
    unbounded = _unbounded(facts)
    return {
        name: np.median([np.abs(probe.gradient[name]) for probe in probes], axis=0)
        for name in probes[0].gradient
        if name in unbounded  # a logarithm or a log odds has no unit
    }


def _unbounded(facts: Facts) -> set[str]:
    model = facts.model
    return {
        model.rvs_to_values[rv].name for rv in model.free_RVs if model.rvs_to_transforms[rv] is None
    }


def _outliers(sizes: dict[str, np.ndarray]) -> list[str]:
    """Variables far from the middle of all, the furthest first, where the extremes are too far."""
    logs = {name: np.log10(size[size > 0]) for name, size in sizes.items() if (size > 0).any()}
    if not logs:
        return []
    everything = np.concatenate(list(logs.values()))
    # draws as few as these tell the ratio itself to a factor of two or three
    if np.ptp(everything) <= np.log10(3 * LARGEST_RATIO):
        return []
    centre = np.median([np.median(log) for log in logs.values()])
    away = {name: float(np.abs(log - centre).max()) for name, log in logs.items()}
    far = [name for name in away if away[name] > np.log10(LARGEST_RATIO) / 3]
    return sorted(far, key=lambda name: -away[name])


def _factors(facts: Facts, variable: str, size: np.ndarray, what: str) -> np.ndarray:
    """Powers of ten that bring the entries of a variable to the unit scale."""
    if what == "gradients":
        size = _widths(facts, variable, size)
    size = np.where(size > 0, size, 1.0)
    factors = 10.0 ** np.round(np.log10(size))
    if np.ptp(np.log10(factors)) < 1 or factors.size > SHOWN_FACTORS:
        return np.asarray(10.0 ** np.round(np.median(np.log10(size))))
    return factors


def _widths(facts: Facts, variable: str, slopes: np.ndarray) -> np.ndarray:
    """Width of the log-density by its curvature in each entry, else by its slope."""
    probe = next(p for p in facts.of("initial", "jittered") if p.finite)
    start = np.asarray(probe.point[variable], "float64")
    widths = 1 / np.where(slopes > 0, slopes, 1.0)
    if start.size > SHOWN_FACTORS:
        return widths
    unknown = np.full(start.shape, np.nan)
    for index in np.ndindex(start.shape):
        step = float(widths[index]) if start.ndim else float(widths)
        slopes_beside = []
        for sign in (-1, 1):
            moved = start.copy()
            moved[index] += sign * step
            point = {**probe.point, variable: moved.astype(probe.point[variable].dtype)}
            gradient = probed(facts.density, probe.kind, point).gradient
            # none where the density raises
            slopes_beside.append(np.asarray(gradient.get(variable, unknown))[index])
        curvature = abs(slopes_beside[1] - slopes_beside[0]) / (2 * step)
        if np.isfinite(curvature) and curvature > 0:
            widths = np.asarray(widths)
            widths[index] = curvature**-0.5
    return widths


def _rv_name(facts: Facts, variable: str) -> str:
    names = {value.name: rv.name for rv, value in facts.model.rvs_to_values.items()}
    return names.get(variable, variable)


def _words(factor: np.ndarray) -> str:
    return f"{factor.item():g}" if factor.ndim == 0 else "an array"


def _code(factor: np.ndarray) -> str:
    return repr(factor.item()) if factor.ndim == 0 else repr(factor.tolist())
