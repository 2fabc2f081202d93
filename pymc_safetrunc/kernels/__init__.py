"""Pure scalar mathematics: floats in, floats out.

One Python source serves two paths. Called from Python a kernel is an ordinary function; called
from code that Numba compiles it is compiled as it stands, and no sum is reordered whatever
PyTensor's fastmath setting. The C twins are in ``kernels/c``; they read the same tables.
"""
