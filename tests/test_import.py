"""What importing the package does and does not."""

import subprocess
import sys

import pytest

import pymc_safetrunc as pst


def test_import_is_lazy():
    code = (
        "import sys, pymc_safetrunc\n"
        "print(*[m for m in ('numba', 'jax', 'nutpie', 'pymc', 'matplotlib') if m in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == ""


@pytest.mark.parametrize("name", pst.__all__)
def test_public_names_resolve(name):
    assert getattr(pst, name) is not None
    assert name in dir(pst)


def test_unknown_name():
    with pytest.raises(AttributeError, match=r"pymc_safetrunc.*'no_such_name'"):
        pst.no_such_name  # noqa: B018
