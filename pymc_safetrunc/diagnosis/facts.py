"""What the rules of the check are given: a model's log-density and gradient at many points."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from pymc.blocking import DictToArrayBijection
from pymc.distributions.continuous import FlatRV, HalfFlatRV
from pymc.initial_point import make_initial_point_fn
from pymc.model import Model
from pytensor.graph.basic import Variable

from pymc_safetrunc.diagnosis.distribution import plain_rv
from pymc_safetrunc.diagnosis.errors import OutOfTime, first_line

__all__ = [
    "KINDS",
    "Density",
    "Facts",
    "Kind",
    "Probe",
    "compiled_density",
    "points_of",
    "probed",
]

Kind = Literal["initial", "jittered", "prior", "corner"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Point = Mapping[str, np.ndarray]
# Log-density and the gradient by each continuous value variable (none where there is no gradient).
Density = Callable[[Point], tuple[float, dict[str, np.ndarray]]]

# As many starting points as PyMC tries before it gives up.
JITTERED = 10
# How far a corner lies on the unconstrained scale: positive variables go from 4.5e-5 to 22,000,
# probabilities to 4.5e-5 from either end.
FAR = 10.0


@dataclass(frozen=True)
class Probe:
    """A point and what the model says there."""

    kind: Kind
    point: Point
    logp: float
    gradient: Mapping[str, np.ndarray]

    @property
    def finite(self) -> bool:
        """Whether the log-density and all of the gradient are finite."""
        return bool(
            np.isfinite(self.logp) and all(np.isfinite(g).all() for g in self.gradient.values())
        )


@dataclass(frozen=True)
class Facts:
    """A model at many points.

    `deadline` is a value of `time.monotonic` after which a rule gives up what it has not done;
    `refused` are the variables for which PyMC has no log-density: with any of them the model has
    none either, and only what is not a log-density can be looked at.
    """

    model: Model
    density: Density
    probes: tuple[Probe, ...]
    deadline: float = math.inf
    notes: list[str] = field(default_factory=list)
    refused: frozenset[Variable] = frozenset()

    def of(self, *kinds: Kind) -> list[Probe]:
        """Probes of these kinds."""
        return [probe for probe in self.probes if probe.kind in kinds]


def probed(density: Density, kind: Kind, point: Point) -> Probe:
    """Evaluate the density at a point; where it raises it is NaN, and the diagnosis says why."""
    try:
        with np.errstate(all="ignore"):
            logp, gradient = density(point)
    except OutOfTime:
        raise
    except Exception:  # a user's Op may raise what it likes
        logp, gradient = math.nan, {}
    return Probe(kind, dict(point), float(logp), gradient)


def compiled_density(model: Model, notes: list[str]) -> Density:
    """Compile the log-density with its gradient, as a gradient sampler does."""
    continuous = [value.name for value in model.continuous_value_vars]
    start = model.initial_point()
    if continuous:
        try:
            function = model.logp_dlogp_function(ravel_inputs=True, initial_point=start)
        except Exception as error:  # a user's Op may raise what it likes when differentiated
            reason = first_line(error)
        else:
            return _with_gradient(function, continuous)
    logp = model.compile_logp(sum=True)
    if continuous:
        notes.append(f"The model has no gradient, so that only values were checked: {reason}")
    names = [value.name for value in model.value_vars]
    return lambda point: (float(logp({name: point[name] for name in names})), {})


def _with_gradient(function, continuous: list[str]) -> Density:
    def density(point):
        function.set_extra_values(point)
        raveled = DictToArrayBijection.map({name: point[name] for name in continuous})
        logp, flat = function(raveled)
        gradient = DictToArrayBijection.rmap(
            type(raveled)(np.array(flat), raveled.point_map_info)  # the function reuses its output
        )
        return float(logp), gradient

    return density


def points_of(
    model: Model, draws: int, rng: np.random.Generator, notes: list[str]
) -> Iterator[tuple[Kind, Point]]:
    """Points worth looking at: where samplers start, where the prior lies, and far away."""
    start = model.initial_point()
    yield "initial", start
    continuous = {value.name for value in model.continuous_value_vars}
    jittered = {rv for rv in model.free_RVs if model.rvs_to_values[rv].name in continuous}
    for point in _drawn(model, {"jitter_rvs": jittered}, JITTERED, rng, notes):
        yield "jittered", point
    flat = (FlatRV, HalfFlatRV)
    overrides = {
        rv: "support_point"
        if isinstance(getattr(plain_rv(rv).owner, "op", None), flat)
        else "prior"
        for rv in model.free_RVs
    }
    for point in _drawn(model, {"overrides": overrides}, draws, rng, notes):
        # an ordered transform, for one, has no value for a draw that is not in order
        if all(np.isfinite(x).all() for x in point.values()):
            yield "prior", point
    for value in (0.0, FAR, -FAR):
        yield (
            "corner",
            {
                name: np.full_like(x, value) if name in continuous else x
                for name, x in start.items()
            },
        )


def _is_flat(rv: Variable) -> bool:
    return isinstance(getattr(plain_rv(rv).owner, "op", None), FlatRV | HalfFlatRV)


def _drawn(model: Model, how, number: int, rng, notes: list[str]) -> Iterator[Point]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            draw = make_initial_point_fn(model=model, **how)
            for seed in rng.integers(2**30, size=number):
                yield draw(int(seed))
    except Exception as error:  # a distribution without draws, a truncation without mass
        what = "prior" if "overrides" in how else "jittered"
        notes.append(f"Some {what} points are missing: {type(error).__name__}: {first_line(error)}")
