"""The C text carries the Python constants, every digit of them."""

import re

import numpy as np
import pytest

from pymc_safetrunc.kernels import c_source

NAMES = [(module, name) for module, names in c_source.CONSTANTS for name in names]


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[name for _, name in NAMES])
def test_constants_are_the_python_ones(module, name):
    value = getattr(module, name)
    text = c_source.c_source()
    if isinstance(value, np.ndarray):
        (body,) = re.findall(rf"double SAFETRUNC_{name}\[.*?= (\{{.*?\}});", text)
        numbers = [float(v) for v in re.findall(r"[-+.\deE]+", body)]
        assert numbers == value.ravel().tolist()
    else:
        (body,) = re.findall(rf"#define SAFETRUNC_{name} (\S+)\n", text)
        assert float(body) == value


def test_every_constant_of_the_headers_is_declared():
    headers = [path.read_text() for path in c_source.FOLDER.glob("c/*.h")]
    used = set(re.findall(r"SAFETRUNC_([A-Z_0-9]+)", "".join(headers))) - {"FUNCTION"}
    assert used <= {name for _, name in NAMES}


def test_version_changes_with_any_kernel_source(tmp_path, monkeypatch):
    for path in (*c_source.FOLDER.glob("*.py"), *c_source.FOLDER.glob("c/*.h")):
        copy = tmp_path / path.relative_to(c_source.FOLDER)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(c_source, "FOLDER", tmp_path)
    version = c_source.kernel_version.__wrapped__
    unchanged = version()
    assert unchanged == c_source.kernel_version()
    for path in (tmp_path / "tail.py", tmp_path / "c" / "truncated_normal.h"):
        before = path.read_text()
        path.write_text(before + " ")
        assert version() != unchanged
        path.write_text(before)
