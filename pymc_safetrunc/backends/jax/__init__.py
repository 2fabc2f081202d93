"""The JAX backend: importing it registers the array form of every kernel with PyTensor.

An Op is added by a line in `ARRAY_KERNELS`. Its derivatives come from its own pullback.
"""

from collections.abc import Callable

from pymc_safetrunc.backends.jax import (
    counts,
    elementary,
    log_interval,
    quadrature,
    random,
    truncated_normal,
    truncated_normal_quantile,
)
from pymc_safetrunc.backends.jax.funcify import register
from pymc_safetrunc.ops import counts as count_ops
from pymc_safetrunc.ops import elementary as elementary_ops
from pymc_safetrunc.ops import quadrature as quadrature_ops
from pymc_safetrunc.ops import truncated_normal as truncated_normal_ops
from pymc_safetrunc.ops.kernel_op import KernelOp

ARRAY_KERNELS: dict[type[KernelOp], Callable] = {
    truncated_normal_ops.Distance: truncated_normal.distance,
    truncated_normal_ops.LogDensity: truncated_normal.log_density,
    truncated_normal_ops.Normalizer: truncated_normal.normalizer,
    truncated_normal_ops.Curvature: truncated_normal.curvature,
    truncated_normal_ops.LogInterval: log_interval.log_interval,
    truncated_normal_ops.Quantile: truncated_normal_quantile.quantile,
    count_ops.StirlingError: counts.stirling_error,
    count_ops.Deviance: counts.deviance,
    count_ops.RelativeGamma: counts.relative_gamma,
    elementary_ops.ExpMinus: elementary.exp_minus,
    elementary_ops.LogPlus: elementary.log_plus,
    elementary_ops.Log1mExp: elementary.log1mexp,
    elementary_ops.Log1pSquare: elementary.log1p_square,
    elementary_ops.Log1pSquareSlope: elementary.log1p_square_slope,
    quadrature_ops.MassBetween: quadrature.mass_between,
}

for op_class, array_kernel in ARRAY_KERNELS.items():
    register(op_class, array_kernel)
random.register()
quadrature.register()
