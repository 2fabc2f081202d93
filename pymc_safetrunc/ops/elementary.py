"""Elementary functions of which one evaluation gives value and derivative."""

from pytensor.gradient import DisconnectedType

from pymc_safetrunc.kernels import elementary as kernels
from pymc_safetrunc.ops.kernel_op import KernelOp


class ExpMinus(KernelOp):
    """exp(x) - one, where parameters decide whether one is 0 or 1."""

    nin = 2
    kernel = staticmethod(kernels.exp_minus)
    c_function = "safetrunc_exp_minus"

    def connection_pattern(self, node):
        """No derivative flows through what is 0 or 1."""
        return [[True], [False]]

    def pullback(self, inputs, outputs, cotangents):
        """The function itself plus one."""
        _, one = inputs
        return [cotangents[0] * (outputs[0] + one), DisconnectedType()()]


exp_minus = ExpMinus(name="exp_minus")
