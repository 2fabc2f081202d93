"""A PyTensor scalar Op over one kernel: its Python, Numba and C paths."""

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from pytensor.link.numba.dispatch.basic import numba_njit
from pytensor.link.numba.dispatch.scalar import register_scalar_funcify, scalar_op_cache_key
from pytensor.scalar.basic import ScalarOp, float64

from pymc_safetrunc.kernels.c_source import c_source, kernel_version


class KernelOp(ScalarOp):
    """A pure function of float64 scalars. Subclasses name the kernel and give the pullback.

    Inputs are cast to float64 by the tensor functions that use the Op, so that a float32 or
    integer argument is computed with in double precision on every backend.
    """

    kernel: ClassVar[Callable]
    c_function: ClassVar[str]
    # what Numba may do to the kernel's own arithmetic
    fastmath: ClassVar[bool | set[str]] = False

    def output_types(self, types):
        """Every output is a float64."""
        return [float64] * self.nout

    def impl(self, *inputs):
        """Evaluate in Python, by IEEE arithmetic where Python's own numbers raise."""
        kernel = type(self).kernel
        try:
            return kernel(*(float(x) for x in inputs))
        except (ZeroDivisionError, OverflowError):
            with np.errstate(all="ignore"):
                return kernel(*(np.float64(x) for x in inputs))

    def c_support_code(self, **kwargs):
        """Return the C text of the kernels."""
        return c_source()

    def c_code(self, node, name, inputs, outputs, sub):
        """Call the C twin. Without C code an Op would not fuse, under Numba either."""
        arguments = ", ".join(f"(double) {x}" for x in inputs)
        if self.nout == 1:
            return f"{outputs[0]} = {self.c_function}({arguments});"
        copies = " ".join(f"{out} = safetrunc_out[{i}];" for i, out in enumerate(outputs))
        return (
            f"{{ double safetrunc_out[{self.nout}]; "
            f"{self.c_function}({arguments}, safetrunc_out); {copies} }}"
        )

    def c_code_cache_version(self):
        """Digest of the kernels: PyTensor compiles anew when one of them changes."""
        return (1, kernel_version())


@register_scalar_funcify(KernelOp)
def numba_funcify_kernel_op(op, node, **kwargs):
    """Compile the kernel as it stands, outside the fastmath that PyTensor uses by default."""
    fastmath = type(op).fastmath
    compiled = numba_njit(type(op).kernel, fastmath=fastmath, error_model="numpy")
    return compiled, scalar_op_cache_key(op, kernels=kernel_version(), fastmath=str(fastmath))
