"""Settings of the whole test run."""

import os

import pytensor

# Without a linked BLAS PyTensor warns at the first C compilation; nothing here needs one.
pytensor.config.blas__ldflags = ""

# Read when JAX starts: two devices, so that NumPyro runs two chains at once and does not warn.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
