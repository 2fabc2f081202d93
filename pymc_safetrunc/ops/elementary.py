"""Elementary functions as Ops, where an expression would evaluate more for each value."""

from pytensor.gradient import DisconnectedType
from pytensor.scalar.basic import exp, expm1

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


class LogPlus(KernelOp):
    """log(x + one), where parameters decide whether one is 0 or 1."""

    nin = 2
    kernel = staticmethod(kernels.log_plus)
    c_function = "safetrunc_log_plus"

    def connection_pattern(self, node):
        """No derivative flows through what is 0 or 1."""
        return [[True], [False]]

    def pullback(self, inputs, outputs, cotangents):
        """1/(x + one)."""
        x, one = inputs
        return [cotangents[0] / (x + one), DisconnectedType()()]


class Log1mExp(KernelOp):
    """log(1 - exp(-x)) for x >= 0."""

    nin = 1
    kernel = staticmethod(kernels.log1mexp)
    c_function = "safetrunc_log1mexp"

    def pullback(self, inputs, outputs, cotangents):
        """1/(exp(x) - 1), so that no derivative of it overflows."""
        (x,) = inputs
        return [cotangents[0] * exp(-x) / -expm1(-x)]


class Log1pSquare(KernelOp):
    """log(1 + z^2)."""

    nin = 1
    kernel = staticmethod(kernels.log1p_square)
    c_function = "safetrunc_log1p_square"

    def pullback(self, inputs, outputs, cotangents):
        """2 z/(1 + z^2)."""
        return [cotangents[0] * log1p_square_slope(*inputs)]


class Log1pSquareSlope(KernelOp):
    """2 z/(1 + z^2)."""

    nin = 1
    kernel = staticmethod(kernels.log1p_square_slope)
    c_function = "safetrunc_log1p_square_slope"

    def pullback(self, inputs, outputs, cotangents):
        """2/(1 + z^2) less the square of the function itself."""
        (z,), (slope,) = inputs, outputs
        return [cotangents[0] * (2.0 / (1.0 + z * z) - slope * slope)]


exp_minus = ExpMinus(name="exp_minus")
log_plus = LogPlus(name="log_plus")
log1mexp = Log1mExp(name="log1mexp")
log1p_square = Log1pSquare(name="log1p_square")
log1p_square_slope = Log1pSquareSlope(name="log1p_square_slope")
