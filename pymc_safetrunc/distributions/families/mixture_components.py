"""What PyMC's mixtures are made of: one family, whose parameters are those of the components.

PyMC's Mixture, ZeroInflated* and Hurdle* take their components as random variables. `as_family`
makes one family of them, `MixtureRV`, whose parameters are the weights and the parameters of the
components. Its law is in `mixtures`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytensor.tensor as pt
from pymc.distributions.continuous import TruncatedNormalRV
from pymc.distributions.distribution import DiracDeltaRV
from pymc.distributions.truncated import TruncatedRV
from pymc.util import check_dist_not_registered
from pytensor.graph.op import Op
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.type_other import NoneTypeT

from pymc_safetrunc._upstream import BaseMixtureRV
from pymc_safetrunc.distributions.families import dispatch


@dataclass(frozen=True)
class Component:
    """A family and how many axes each of its parameters has, after which bounds may follow."""

    op: Op
    axes: tuple[int, ...]
    truncated: bool

    @property
    def axes_of_all(self):
        """Those of the bounds too."""
        return (*self.axes, 0, 0) if self.truncated else self.axes


class MixtureRV(RandomVariable):
    """A mixture as one family: for each component its weight, its parameters and its bounds.

    It has neither draws nor a log-density of its own: only Truncated makes one.
    """

    __props__ = (*RandomVariable.__props__, "components", "_print_name")  # type: ignore[assignment]

    def __init__(self, components, _print_name, dtype, **kwargs):
        self.components = components
        self._print_name = _print_name
        axes = [n for c in components for n in (0, *c.axes_of_all)]
        # each axis has a length of its own
        names = [",".join(f"d{i}{j}" for j in range(n)) for i, n in enumerate(axes)]
        kwargs["signature"] = ",".join(f"({name})" for name in names) + "->()"
        super().__init__(**{"name": _print_name[0], **kwargs}, dtype=dtype)


def as_family(dist):
    """Make a MixtureRV of a mixture and of a DiracDelta, and leave everything else as it is."""
    op = getattr(getattr(dist, "owner", None), "op", None)
    if not isinstance(op, BaseMixtureRV | DiracDeltaRV):
        return dist
    if op.ndim_supp > 0:
        raise NotImplementedError("Truncation not implemented for multivariate distributions")
    check_dist_not_registered(dist)
    components, inputs = [], []
    for weight, component, parameters in _components(dist):
        components.append(component)
        inputs += [weight, *parameters]
    family = MixtureRV(tuple(components), op._print_name, dist.dtype)
    if any(dispatch.is_discrete(c.op) != dispatch.is_discrete(family) for c in components):
        # PyMC's Truncated makes floating-point numbers of some counts
        raise NotImplementedError(
            f"A truncated {dispatch.family_name(op)} is of counts or of real numbers, not of both. "
            "Truncate components that are counts by pymc_safetrunc.Truncated, which keeps them."
        )
    rng = pt.random.shared_rng(seed=None)
    _, rv = family(*inputs, size=_size(dist), rng=rng, return_next_rng=True)
    return rv


def _components(dist) -> Iterator[tuple[Any, Component, list]]:
    """Weight, family and parameters of each component; those of a mixture in a mixture too."""
    op = dist.owner.op
    if not isinstance(op, BaseMixtureRV):
        yield pt.constant(1.0), *_component(dist)
        return
    _, weights, *parts = dist.owner.inputs
    if len(parts) == 1:
        component, parameters = _component(parts[0])
        count = _static_count(weights, parts[0])
        for k in range(count):
            of_k = map(partial(_of_component, k), parameters, component.axes_of_all)
            yield _of_component(k, weights, 0), component, list(of_k)
        return
    for k, part in enumerate(parts):
        weight = weights[..., k]
        if isinstance(part.owner.op, BaseMixtureRV):
            for weight_inside, *component in _components(part):
                yield weight * weight_inside, *component
        else:
            yield weight, *_component(part)


def _of_component(k, x, axes):
    """Part k of numbers that have the components' axis in front of so many of their own.

    What all components share may lack it, or have it of length 1.
    """
    place = x.ndim - axes - 1
    if place < 0:
        return x
    return x[(..., 0 if x.type.shape[place] == 1 else k, *[slice(None)] * axes)]


def _component(dist):
    """Family and parameters of a component that is no mixture of other variables itself."""
    op, inputs = dist.owner.op, list(dist.owner.inputs)
    bounds = []
    if isinstance(op, TruncatedNormalRV):
        *_, lower, upper = inputs
        op, inputs, bounds = pt.random.normal, inputs[:-2], [lower, upper]
    elif isinstance(op, TruncatedRV):
        *inputs, lower, upper = inputs
        op, bounds = op.base_rv_op, [lower, upper]
    if not isinstance(op, RandomVariable) and "[size]" not in (op.extended_signature or ""):
        raise NotImplementedError(
            f"A truncated mixture with a component {dispatch.family_name(op)} is not implemented. "
            "Components are distributions, and distributions truncated by pm.Truncated."
        )
    point = isinstance(op, DiracDeltaRV)
    if dispatch.has_atoms(op) and not point and not dispatch.is_discrete(op):
        raise NotImplementedError(
            f"A truncated mixture with a component {dispatch.family_name(op)}, which has a point "
            "of probability in it, is not implemented. Give its parts to one pm.Mixture."
        )
    parameters = [inputs[i] for i in dispatch.parameter_indices(op)]
    return Component(op, tuple(op.ndims_params), bool(bounds)), [*parameters, *bounds]


def _static_count(weights, part):
    """How many components a single batch of them holds."""
    lengths = {x.type.shape[-1] for x in (weights, part)} - {1, None}
    if not lengths:
        raise NotImplementedError(
            "A truncated mixture needs to know how many components it has. Give them as a list, or "
            "give weights of a fixed length: pt.specify_shape(w, (..., 3))."
        )
    return lengths.pop()


def _size(dist):
    """The size a mixture was given, by that of its components; None if their parameters say it."""
    if not isinstance(dist.owner.op, BaseMixtureRV):
        return _own_size(dist)
    _, _, first, *others = dist.owner.inputs
    size = _own_size(first) if not isinstance(first.owner.op, BaseMixtureRV) else first.shape
    return size if others or size is None else size[:-1]


def _own_size(dist):
    op = dist.owner.op
    base_op = op.base_rv_op if isinstance(op, TruncatedRV) else op
    size = dist.owner.inputs[dispatch.size_index(base_op)]
    return None if isinstance(size.type, NoneTypeT) else size
