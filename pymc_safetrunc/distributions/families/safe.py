"""Arithmetic of the closed forms: relative to itself, with derivatives that are never NaN.

The backward pass multiplies what a branch was not taken for by 0, so nothing infinite may enter a
branch: arguments are replaced where they are not used.
"""

import numpy as np
import pytensor.tensor as pt

# exp(-750) is 0 in double precision, and so are its derivatives
FAR = np.float64(750.0)


def scaled_distance(distance, scale):
    """distance/scale for distance >= 0, and FAR where that is more: there exp(-distance) is 0.

    The distance may be infinite. No derivative flows where it is cut off.
    """
    near = distance < FAR * scale
    return pt.switch(near, pt.switch(near, distance, 0) / scale, FAR)


def log1mexp(x):
    """log(1 - exp(-x)) for x >= 0."""
    return pt.log1mexp(-x)
