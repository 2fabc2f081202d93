"""Ops of a quadrature rule: where its panels lie, and how it is differentiated.

A rule is a sum over nodes, and its nodes come from a search for the window that holds the mass.
Derivatives do not go through that search: a parameter's are taken with the nodes held fixed, and
a bound's are written down, -+ density at the bound over mass.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key
from pytensor.scalar.basic import exp
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import Elemwise

from pymc_safetrunc.kernels import quadrature as kernels
from pymc_safetrunc.kernels.c_source import kernel_version
from pymc_safetrunc.ops.kernel_op import KernelOp


class UndifferentiatedOp(KernelOp):
    """A function that no derivative flows through, on JAX too: there an Op's own rule counts.

    Several of one output each, where one of several outputs would do: PyTensor fuses those, and
    its inference of assumptions fails on the latter.
    """

    def connection_pattern(self, node):
        """No derivative flows."""
        return [[False]] * self.nin

    def pullback(self, inputs, outputs, cotangents):
        """Nothing."""
        return [DisconnectedType()() for _ in inputs]


class StopGradient(UndifferentiatedOp):
    """The input itself."""

    nin = 1
    kernel = staticmethod(kernels.stop_gradient)
    c_function = "safetrunc_stop_gradient"


class Node(UndifferentiatedOp):
    """X at a coordinate of a side."""

    nin = 5
    kernel = staticmethod(kernels.node)
    c_function = "safetrunc_node"


class NodeToUpper(UndifferentiatedOp):
    """Distance from there to the upper bound."""

    nin = 4
    kernel = staticmethod(kernels.node_to_upper)
    c_function = "safetrunc_node_to_upper"


class LogSlope(UndifferentiatedOp):
    """Log of the derivative of x in the coordinate, over the length of the side."""

    nin = 2
    kernel = staticmethod(kernels.log_slope)
    c_function = "safetrunc_log_slope"


class MassBetween(KernelOp):
    """A log mass itself, from it, the two bounds and the log-densities there.

    What it adds is the derivative in the bounds, relative to itself however small: it is formed
    from logarithms.
    """

    nin = 5
    kernel = staticmethod(kernels.mass_between)
    c_function = "safetrunc_mass_between"

    def connection_pattern(self, node):
        """No derivative of first order flows through the densities at the bounds."""
        return [[True], [True], [True], [False], [False]]

    def pullback(self, inputs, outputs, cotangents):
        """Derivatives 1, -f(lower)/mass and f(upper)/mass."""
        _, _, _, log_density_lower, log_density_upper = inputs
        (log_mass,) = outputs
        (cotangent,) = cotangents
        return [
            cotangent,
            -cotangent * exp(log_density_lower - log_mass),
            cotangent * exp(log_density_upper - log_mass),
            DisconnectedType()(),
            DisconnectedType()(),
        ]


class RowOp(Op):
    """An Op over one row (`Blockwise` does the batch), by a loop that Numba compiles."""

    def loop(self) -> Callable:
        """Return the loop, a function of the inputs."""
        raise NotImplementedError

    def connection_pattern(self, node):
        """No derivative flows."""
        return [[False] for _ in node.inputs]

    def pullback(self, inputs, outputs, cotangents):
        """Nothing."""
        return [DisconnectedType()() for _ in inputs]

    def infer_shape(self, node, shapes):
        """The output is of a length known beforehand."""
        return [node.outputs[0].type.shape]

    def perform(self, node, inputs, outputs):
        """Run the loop, for the linkers that do not compile it into their own."""
        outputs[0][0] = _compiled(self)(*inputs)


class Regrid(RowOp):
    """Edges of new cells from the edges of old ones and the log of the integrand there."""

    __props__ = ("cells",)
    gufunc_signature = "(g),(g)->(k)"

    def __init__(self, cells):
        self.cells = cells

    def make_node(self, u, seen):
        """Take two vectors."""
        edges = pt.tensor(dtype="float64", shape=(self.cells + 1,))
        return Apply(self, [pt.as_tensor_variable(u), pt.as_tensor_variable(seen)], [edges])

    def loop(self):
        """Return `kernels.regrid` with the number of cells."""
        cells = self.cells

        def regrid(u, seen):
            return kernels.regrid(u, seen, cells)

        return regrid


class PlaceOfShare(RowOp):
    """Coordinate and side of the quantile q of a rule with these edges and Legendre series."""

    __props__ = ()
    gufunc_signature = "(s,g),(s,k,n),(q)->(p)"

    def make_node(self, edges, series, q):
        """Take a matrix, a tensor of three axes and a vector of one number."""
        inputs = [pt.as_tensor_variable(x) for x in (edges, series, q)]
        return Apply(self, inputs, [pt.tensor(dtype="float64", shape=(2,))])

    def loop(self):
        """Return `kernels.place_of_share` at the one number."""

        def place_of_share(edges, series, q):
            return kernels.place_of_share(edges, series, q[0])

        return place_of_share


@cache
def _compiled(op):
    # not PyTensor's numba_njit, whose functions cannot be called from Python
    return numba.njit(op.loop())


@register_funcify_and_cache_key(RowOp)
def numba_funcify_row_op(op, node, **kwargs):
    """Compile the loop into the graph's function."""
    return numba_njit(op.loop(), fastmath=False), f"{op}-{kernel_version()}"


node: Any = Elemwise(Node(name="node"))
node_to_upper: Any = Elemwise(NodeToUpper(name="node_to_upper"))
log_slope: Any = Elemwise(LogSlope(name="log_slope"))
stop_gradient: Any = Elemwise(StopGradient(name="stop_gradient"))
mass_between: Any = Elemwise(MassBetween(name="mass_between"))
place_of_share: Any = Blockwise(PlaceOfShare())


def regrid(u, seen, cells: int) -> Any:
    """Edges of `cells` cells, along the last axis."""
    return Blockwise(Regrid(cells))(u, seen)
