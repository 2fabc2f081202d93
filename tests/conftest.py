"""Settings of the whole test run."""

import os

import pytensor
import pytest

# Without a linked BLAS PyTensor warns at the first C compilation; nothing here needs one.
pytensor.config.blas__ldflags = ""

# Read when JAX starts: two devices, so that NumPyro runs two chains at once and does not warn.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")


@pytest.fixture
def without_c():
    """Interpret the graphs within Ops too, which PyTensor compiles in C whatever the linker."""
    with pytensor.config.change_flags(cxx=""):
        yield


def pytest_collection_modifyitems(items):
    """Modules that start JAX come last: its threads make the forks of other tests unsafe."""
    names = ("jax", "numpyro")
    late = {item.path for item in items if any(name in item.nodeid.lower() for name in names)}
    items.sort(key=lambda item: item.path in late)
