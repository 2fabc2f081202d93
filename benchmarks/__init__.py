"""Side-by-side measurements against peers: `python -m benchmarks [NAME ...]`."""

import pytensor

# PyTensor's C linkers warn where no BLAS is linked; nothing measured here needs one.
pytensor.config.blas__ldflags = ""
