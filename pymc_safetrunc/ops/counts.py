"""The parts of log-densities of counts as Ops: a fraction of the graph of an expression."""

from pytensor.gradient import DisconnectedType
from pytensor.scalar.basic import log, switch
from pytensor.scalar.math import psi

from pymc_safetrunc.kernels import counts as kernels
from pymc_safetrunc.ops.kernel_op import KernelOp


class StirlingError(KernelOp):
    """Log of Gamma(x) over Stirling's formula for it."""

    nin = 1
    kernel = staticmethod(kernels.stirling_error)
    c_function = "safetrunc_stirling_error"

    def pullback(self, inputs, outputs, cotangents):
        """psi(x) - log(x) + 1/(2x), which cancel for large x: there the series' derivative."""
        (x,) = inputs
        large = x >= kernels.SERIES_FROM
        w = 1.0 / x
        s = w * w
        tail = 1 / 132 + s * (-691 / 32760 + s / 12)
        series = -s * (1 / 12 + s * (-1 / 120 + s * (1 / 252 + s * (-1 / 240 + s * tail))))
        small = switch(large, 1.0, x)
        return [cotangents[0] * switch(large, series, psi(small) - log(small) + 0.5 * w)]


class Deviance(KernelOp):
    """x log(x/mean) + mean - x."""

    nin = 2
    kernel = staticmethod(kernels.deviance)
    c_function = "safetrunc_deviance"

    def pullback(self, inputs, outputs, cotangents):
        """log(x/mean) and (mean - x)/mean."""
        x, mean = inputs
        (cotangent,) = cotangents
        return [cotangent * log(x / mean), cotangent * ((mean - x) / mean)]


class RelativeGamma(KernelOp):
    """(alpha - 1) log(z/alpha) + alpha - z from alpha, z and log(alpha/z).

    The logarithm is there for a derivative; its own is that of the others.
    """

    nin = 3
    kernel = staticmethod(kernels.relative_gamma)
    c_function = "safetrunc_relative_gamma"

    def connection_pattern(self, node):
        """No derivative flows through the logarithm."""
        return [[True], [True], [False]]

    def pullback(self, inputs, outputs, cotangents):
        """1/alpha - log(alpha/z), and (alpha - 1)/z - 1 of one fraction."""
        alpha, z, log_ratio = inputs
        (cotangent,) = cotangents
        by_alpha, by_z = 1.0 / alpha - log_ratio, (alpha - 1.0 - z) / z
        return [cotangent * by_alpha, cotangent * by_z, DisconnectedType()()]


stirling_error = StirlingError(name="stirling_error")
deviance = Deviance(name="deviance")
relative_gamma = RelativeGamma(name="relative_gamma")
