"""Optional packages in tests: missing at home is a skip, missing in CI a failure."""

import os
from importlib import import_module

import pytest


def require(name):
    """Import an optional package, skipping what needs it; where CI=true it must be there."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        message = f"needs the optional package {name!r}, which is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message, allow_module_level=True)
