"""Every example in a docstring of a public name runs and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest

import pymc_safetrunc as pst

MODULES = [pst.__name__] + [
    m.name
    for m in pkgutil.walk_packages(pst.__path__, f"{pst.__name__}.")
    if not m.name.endswith("__main__") and ".backends" not in m.name
]


def examples():
    for name in MODULES:
        for test in doctest.DocTestFinder().find(importlib.import_module(name)):
            if test.examples:
                yield pytest.param(test, id=test.name)


@pytest.mark.parametrize("test", list(examples()))
def test_docstring(test):
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed == 0


@pytest.mark.parametrize("name", pst.math.__all__)
def test_tensor_functions_have_an_example(name):
    assert ">>> " in getattr(pst.math, name).__doc__


@pytest.mark.parametrize(
    "name", [n for n in pst.__all__ if callable(getattr(pst, n)) and n != "SamplingAborted"]
)
def test_public_names_have_an_example(name):
    assert ">>> " in getattr(pst, name).__doc__
