"""`python -m pymc_safetrunc check`: exit codes, and reasons on stderr."""

import sys

import pytest

from pymc_safetrunc.__main__ import main
from tests.diagnosis.interpreted import interpreted


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "some_models.py").write_text(
        "import numpy as np, pymc as pm\n"
        "def healthy():\n"
        "    with pm.Model() as model:\n"
        "        pm.Normal('x')\n"
        "    return model\n"
        "with pm.Model() as doomed:\n"
        "    x = pm.Normal('x', initval=0.0)\n"
        "    pm.Potential('p', pm.math.log(abs(x)))\n"
        "class models:\n"
        "    inner = doomed\n"
        "def broken():\n"
        "    raise ValueError('no data here')\n"
        "number = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield "some_models"
    sys.modules.pop("some_models", None)


def test_exit_codes(module, capsys):
    with interpreted():
        assert main(["check", f"{module}:healthy", "--draws", "3"]) == 0
        assert "nothing found" in capsys.readouterr().out
        assert main(["check", f"{module}:doomed", "--draws", "3", "--seed", "1"]) == 1
        assert "nonfinite-logp" in capsys.readouterr().out
        assert main(["check", f"{module}:models.inner", "--draws", "3"]) == 1


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("some_models", "write PACKAGE.MODULE:MODEL"),
        ("some_models:", "write PACKAGE.MODULE:MODEL"),
        ("no_such_module:model", "No module named 'no_such_module'"),
        ("some_models:nothing", "has no attribute 'nothing'"),
        ("some_models:broken", "ValueError: no data here"),
        ("some_models:number", "is int; it must be a pymc.Model"),
    ],
)
def test_what_cannot_be_checked_is_told_on_stderr(module, capsys, where, reason):
    assert main(["check", where]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert reason in output.err
