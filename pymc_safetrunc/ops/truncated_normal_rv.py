"""The random variable of the truncated normal: draws by NumPy, and by Numba."""

import numpy as np
from pymc.distributions.continuous import TruncatedNormalRV
from pytensor.link.numba.dispatch.basic import direct_cast, numba_njit
from pytensor.link.numba.dispatch.random import numba_core_rv_funcify

from pymc_safetrunc.kernels.c_source import kernel_version
from pymc_safetrunc.kernels.truncated_normal_draw import draw
from pymc_safetrunc.kernels.truncated_normal_draw_array import draw_array


class SafeTruncatedNormalRV(TruncatedNormalRV):
    """PyMC's random variable under a type of its own, to which the safe functions belong."""

    def rng_fn(self, rng, mu, sigma, lower, upper, size):
        """Draw with NumPy, for the linkers that run Python."""
        return draw_array(rng, mu, sigma, lower, upper, size, self.dtype)


safe_truncated_normal = SafeTruncatedNormalRV()


@numba_core_rv_funcify.register(SafeTruncatedNormalRV)
def numba_core_truncated_normal(op, node):
    """Compile one draw, in float64 whatever the parameters' dtypes."""
    dtype = node.outputs[1].type.numpy_dtype
    largest = float(np.finfo(dtype).max)
    up, down = dtype.type(np.inf), dtype.type(-np.inf)

    @numba_njit(fastmath=False, error_model="numpy")
    def in_float64(rng, mu, sigma, lower, upper):
        return draw(rng, np.float64(mu), np.float64(sigma), np.float64(lower), np.float64(upper))

    @numba_njit(fastmath=False, error_model="numpy")
    def rounded(rng, mu, sigma, lower, upper):
        x = direct_cast(in_float64(rng, mu, sigma, lower, upper), dtype)
        # the rounding may have left the bounds, or the floats
        if np.float64(x) < max(np.float64(lower), -largest):
            return np.nextafter(x, up)
        if np.float64(x) > min(np.float64(upper), largest):
            return np.nextafter(x, down)
        return x

    return in_float64 if dtype == np.float64 else rounded, int(kernel_version(), 16)
