"""How a `KernelOp` becomes a JAX function: its array kernel, and its pullback as derivative rule.

JAX samplers differentiate the function themselves and never ask an Op for its pullback. The rule
given to JAX is that same pullback, turned into JAX once for each Op: a derivative is written in
one place, and JAX, differentiating the rule, finds second derivatives as PyTensor does.
"""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from pytensor.gradient import DisconnectedType
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import MergeOptimizer
from pytensor.link.jax.dispatch import jax_funcify
from pytensor.scalar.basic import ScalarConstant, float64

from pymc_safetrunc.ops.kernel_op import KernelOp


def register(op_class: type[KernelOp], array_kernel: Callable) -> None:
    """Give an Op its array kernel: arrays in, an array or (several outputs) a tuple out."""

    @cache
    def function_of(op):
        return differentiable(op, array_kernel)

    @jax_funcify.register(op_class)
    def funcify(op, **kwargs):
        return function_of(op)


def differentiable(op: KernelOp, array_kernel: Callable) -> Callable:
    """The array kernel with the Op's derivatives, in the widest float that JAX has switched on.

    Nothing differentiates the branches inside the kernel. What is held fixed has no part in the
    rule, so that an infinite slope never meets a tangent of zero.
    """

    @jax.custom_jvp
    @jax.jit
    def evaluate(*inputs):
        outputs = array_kernel(*inputs)
        return outputs if op.nout > 1 else (outputs,)

    def rule(primals, tangents):
        outputs = evaluate(*primals)
        rows = jacobian(op)(primals, outputs)
        return outputs, tuple(
            _along(row, tangents, output) for row, output in zip(rows, outputs, strict=True)
        )

    evaluate.defjvp(rule, symbolic_zeros=True)

    def function(*inputs):
        dtype = jnp.result_type(float)
        outputs = evaluate(*(jnp.asarray(x).astype(dtype) for x in inputs))
        return outputs if op.nout > 1 else outputs[0]

    return function


def _along(row, tangents, output):
    """Derivative of one output in the direction of the tangents."""
    terms = [
        slope * tangent
        for slope, tangent in zip(row, tangents, strict=True)
        if slope is not None and not isinstance(tangent, SymbolicZero)
    ]
    total = sum(terms[1:], start=terms[0]) if terms else jnp.zeros_like(output)
    return jnp.broadcast_to(total, output.shape).astype(output.dtype)


@cache
def jacobian(op: KernelOp) -> Callable:
    """A function of the Op's inputs and outputs to one row of slopes for each output.

    A slope is None where nothing flows. It is NaN where the Op has no pullback: JAX traces the
    derivative of everything in sight, so that an error would forbid even what makes no use of it.
    """
    inputs = [float64(f"input_{i}") for i in range(op.nin)]
    node = op.make_node(*inputs)
    outputs = [float64(f"output_{i}") for i in range(op.nout)]
    connected = np.ones((op.nin, op.nout), dtype=bool)
    if hasattr(op, "connection_pattern"):
        connected[:] = op.connection_pattern(node)

    def row(chosen):
        """Slopes of one output: the pullback of 1 from it alone."""
        if not connected[:, chosen].any():
            return [None] * op.nin
        cotangents = [DisconnectedType()() for _ in range(op.nout)]
        cotangents[chosen] = ScalarConstant(float64, np.float64(1))
        try:
            slopes = op.pullback(inputs, outputs, cotangents)
        except NotImplementedError:
            slopes = [ScalarConstant(float64, np.float64("nan"))] * op.nin
        return [
            slope if is_connected else None
            for slope, is_connected in zip(slopes, connected[:, chosen], strict=True)
        ]

    rows = [row(i) for i in range(op.nout)]
    graph = FunctionGraph(
        [*inputs, *outputs], [s for row in rows for s in row if s is not None], clone=True
    )
    # rows share most of their terms
    MergeOptimizer().rewrite(graph)
    evaluate = jax.jit(jax_funcify(graph))

    def slopes_at(input_values, output_values):
        values = iter(evaluate(*input_values, *output_values))
        return [[None if s is None else next(values) for s in row] for row in rows]

    return slopes_at
