"""What stands behind a random variable of a model: tensors, bounds, and whose formula it has."""

from __future__ import annotations

import warnings
from typing import cast

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.censored import CensoredRV
from pymc.distributions.continuous import TruncatedNormalRV
from pymc.distributions.truncated import TruncatedRV
from pymc.logprob.transforms import IntervalTransform, Transform
from pytensor.graph.basic import Constant, Variable
from pytensor.tensor.random.type import random_generator_type
from pytensor.tensor.type import TensorType
from pytensor.tensor.variable import TensorVariable
from pytensor.xtensor.shape import Transpose
from pytensor.xtensor.type import XTensorType
from pytensor.xtensor.vectorization import XRV

from pymc_safetrunc._upstream import default_transform, distribution_logp
from pymc_safetrunc.distributions.interval import SafeInterval

__all__ = [
    "Bounds",
    "bounds_of",
    "has_named_dims",
    "is_array",
    "is_pymc",
    "is_truncated_count",
    "is_truncation",
    "nothing_between",
    "plain_rv",
    "tensor_of",
    "transform_of",
    "untruncated",
]


Bounds = tuple[TensorVariable, TensorVariable]


def is_array(variable: Variable) -> bool:
    """Whether a variable holds numbers, and is no random generator, slice or None."""
    return isinstance(variable.type, TensorType | XTensorType)


def has_named_dims(variable: Variable) -> bool:
    """Whether a variable is one of `pymc.dims`."""
    return isinstance(variable.type, XTensorType)


def tensor_of(variable: Variable) -> TensorVariable:
    """Variable without the names of its dimensions."""
    return pt.as_tensor(variable, allow_xtensor_conversion=True)


def plain_rv(rv: Variable) -> Variable:
    """Random variable of tensors: one with named dimensions as `pymc.dims` lowers it.

    It is there to be asked, not to be drawn from: its generator is none, its size is left out.
    """
    node = rv.owner
    if node is not None and isinstance(node.op, Transpose):
        node = node.inputs[0].owner
    if node is None or not isinstance(node.op, XRV):
        return rv
    of_parameters, of_value = node.op.core_dims
    batch = [dim for dim in cast(XTensorType, rv.type).dims if dim not in of_value]
    parameters = [
        _aligned(parameter, [*batch, *core])
        for parameter, core in zip(node.op.dist_params(node), of_parameters, strict=True)
    ]
    plain = node.op.core_op.make_node(random_generator_type(), None, *parameters).outputs[1]
    plain.name = rv.name
    return plain


def _aligned(x: Variable, dims: list[str]) -> Variable:
    """Tensor whose axes are these dimensions, without those before the first of its own."""
    own = cast(XTensorType, x.type).dims
    first = next((i for i, dim in enumerate(dims) if dim in own), len(dims))
    tensor = pt.constant(x.data) if isinstance(x, Constant) else tensor_of(x)
    order = tuple(own.index(dim) if dim in own else "x" for dim in dims[first:])
    return tensor if order == tuple(range(len(own))) else tensor.dimshuffle(order)


def is_pymc(rv: Variable) -> bool:
    """Whether a distribution and its formula are PyMC's own.

    This package's types are subclasses of PyMC's, and `install` gives PyMC's types its formulas.
    """
    if rv.owner is None:
        return False
    op = type(rv.owner.op)
    formula = distribution_logp.dispatch(op)
    return all(x.__module__.partition(".")[0] == "pymc" for x in (op, formula))


def bounds_of(rv: Variable) -> Bounds | None:
    """Lower and upper bound of a distribution that is given one, else None.

    A bound that is missing is infinite. Where the bounds stand is known of truncated and censored
    distributions; of others the default transform tells, which unconstrains a value by them.
    """
    node = rv.owner
    if node is None:
        return None
    if isinstance(node.op, TruncatedNormalRV):
        bounds = node.op.dist_params(node)[2:]
    elif isinstance(node.op, TruncatedRV):  # generators and parameters of the base come first
        bounds = node.inputs[-2:]
    elif isinstance(node.op, CensoredRV):
        bounds = node.inputs[1:3]
    else:
        transform = transform_of(rv)
        if not isinstance(transform, IntervalTransform | SafeInterval):
            return None
        find = getattr(transform, "bounds_fn", None) or transform.args_fn
        bounds = find(*node.inputs)
    lower, upper = bounds
    return pt.as_tensor(-np.inf if lower is None else lower), pt.as_tensor(
        np.inf if upper is None else upper
    )


def transform_of(rv: Variable) -> Transform | None:
    """Transform that PyMC gives a distribution unless it is told another."""
    assert rv.owner is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a mixture that is observed needs none
        try:
            return default_transform(rv.owner.op, rv)
        except NotImplementedError:
            return None


def nothing_between(rv: Variable, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Where no value of a distribution lies between its bounds.

    Both bounds belong to a truncation of whole numbers: equal ones leave a point mass.
    """
    if is_truncated_count(rv):
        return np.asarray(np.ceil(lower) > np.floor(upper))
    return np.asarray(lower >= upper)


def is_truncation(rv: Variable) -> bool:
    """Whether a distribution is a truncated one, of PyMC's or of this package."""
    return rv.owner is not None and isinstance(rv.owner.op, TruncatedNormalRV | TruncatedRV)


def is_truncated_count(rv: Variable) -> bool:
    """Whether a distribution is a truncation of whole numbers."""
    return is_truncation(rv) and cast(TensorType, rv.type).dtype.startswith(("int", "uint"))


def untruncated(rv: Variable) -> Variable:
    """Distribution that a truncated or censored one is made of."""
    node = rv.owner
    assert node is not None
    if isinstance(node.op, CensoredRV):
        return node.inputs[0]
    if isinstance(node.op, TruncatedNormalRV):
        mu, sigma, *_ = node.op.dist_params(node)
        return pm.Normal.dist(mu, sigma)
    return node.op.base_rv_op.make_node(*node.inputs[:-2]).default_output()
