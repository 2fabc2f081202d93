"""Elementary functions in the form of which a derivative is the function itself."""

import math

from pymc_safetrunc.kernels.jitable import kernel

# exp of more is infinite
LOG_LARGEST = math.log(1.7976931348623157e308)


@kernel
def exp_minus(x, one):
    """exp(x) - one for a one of 0 or 1, relative to itself; inf where it overflows.

    Its derivative in x is itself plus one.
    """
    if x > LOG_LARGEST:
        return math.inf
    return math.exp(x) if one == 0.0 else math.expm1(x)
