"""The decorators that make a kernel callable from Python and from Numba-compiled code."""

from numba.extending import register_jitable

# error_model="numpy": a division does not test for zero, which would cost a branch each.
# forceinline: a call would pass its results through memory, which costs as much as the work.
OPTIONS = {"error_model": "numpy", "forceinline": True}

# Most kernels' accuracy rests on the order in which they add and on each rounding.
kernel = register_jitable(fastmath=False, **OPTIONS)

# A polynomial or a series of quickly falling terms takes no harm from fused multiply-adds, which
# save a third of its time.
series = register_jitable(fastmath={"contract"}, **OPTIONS)
