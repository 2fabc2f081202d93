"""Settings of the whole test run."""

import os

import pytensor

# Without a linked BLAS PyTensor warns at the first C compilation; nothing here needs one.
pytensor.config.blas__ldflags = ""

# Read when JAX starts: two devices, so that NumPyro runs two chains at once and does not warn.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")


def pytest_collection_modifyitems(items):
    """Modules that start JAX come last: its threads make the forks of other tests unsafe."""
    names = ("jax", "numpyro")
    late = {item.path for item in items if any(name in item.nodeid.lower() for name in names)}
    items.sort(key=lambda item: item.path in late)
