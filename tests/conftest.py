"""Settings of the whole test run."""

import pytensor

# Without a linked BLAS PyTensor warns at the first C compilation; nothing here needs one.
pytensor.config.blas__ldflags = ""
