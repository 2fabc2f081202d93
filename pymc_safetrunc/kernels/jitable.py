"""The decorator that makes a kernel callable from Python and from Numba-compiled code."""

from numba.extending import register_jitable

# error_model="numpy": a division does not test for zero, which would cost a branch each.
# fastmath=False: the kernels' accuracy rests on the order in which they add.
kernel = register_jitable(fastmath=False, error_model="numpy", forceinline=True)
