"""What importing the package does and does not."""

import ast
import re
import subprocess
import sys
from pathlib import Path

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


def test_type_checkers_see_the_homes_of_the_public_names():
    """What is imported for them is what `__getattr__` finds."""
    tree = ast.parse(Path(pst.__file__).read_text())
    (block,) = (n for n in tree.body if isinstance(n, ast.If) and n.test.id == "TYPE_CHECKING")
    homes = {}
    for statement in block.body:
        for alias in statement.names:
            home = statement.module
            homes[alias.name] = f"{home}.{alias.name}" if home == pst.__name__ else home
    assert homes == pst._HOME


def test_the_wrong_pymc_is_told_which_are_wanted(monkeypatch):
    def fail(name):
        raise ImportError("cannot import name 'x' from 'pymc.y'", name="pymc.y")

    monkeypatch.delattr(pst, "watch", raising=False)
    monkeypatch.setattr(pst, "import_module", fail)
    with pytest.raises(ImportError) as caught:
        pst.watch  # noqa: B018
    wanted = str(caught.value).partition(" needs ")[2].partition(";")[0]
    assert re.fullmatch(r"pymc[<>=.,\d]+ and pytensor[<>=.,\d]+", wanted)
