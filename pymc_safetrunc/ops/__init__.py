"""PyTensor scalar Ops over the kernels, each with its pullback. Importing them registers Numba."""
