"""What is handed to users: the files of the wheel and of the sdist, and that they install."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from hatchling import build as hatchling

ROOT = Path(__file__).parents[1]
PACKAGE = {
    str(path.relative_to(ROOT))
    for path in (ROOT / "pymc_safetrunc").rglob("*")
    if path.is_file() and path.suffix not in (".pyc", ".nbi", ".nbc")
}
SMOKE = """
import importlib.util, numpy as np, pymc as pm, pymc_safetrunc as pst
assert "site-packages" in pst.__file__
assert importlib.util.find_spec("nutpie") is None
with pm.Model() as model:
    pst.TruncatedNormal("v", 0, 1, lower=np.array([0.0, -np.inf]), upper=np.inf)
for mode in ("NUMBA", "CVM"):
    assert np.isfinite(model.compile_dlogp(mode=mode)(model.initial_point())).all()
pst.diagnose(model=model)._repr_html_()
idata = pst.sample(20, tune=20, chains=1, model=model, quiet=True, compute_convergence_checks=False)
assert idata["watchdog"].attrs["sampler"] == "pymc"
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the sdist, by the back end that pip would call in an environment of its own."""
    folder, before = tmp_path_factory.mktemp("dist"), Path.cwd()
    os.chdir(ROOT)
    try:
        wheel, sdist = hatchling.build_wheel(folder), hatchling.build_sdist(folder)
    finally:
        os.chdir(before)
    return folder / wheel, folder / sdist


def test_wheel_holds_the_package_and_nothing_else(built):
    names = zipfile.ZipFile(built[0]).namelist()
    assert {name for name in names if ".dist-info/" not in name} == PACKAGE
    assert "pymc_safetrunc/py.typed" in names
    assert any(re.fullmatch(r"pymc_safetrunc/kernels/c/\w+\.h", name) for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_sdist_holds_what_git_does(built):
    """Code, tests and documentation; no caches, builds, environments or hidden files."""
    with tarfile.open(built[1]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    assert names >= PACKAGE | {"README.md", "LICENSE", "CITATION.cff", "tests/test_build.py"}
    top = {name.split("/")[0] for name in names}
    assert top <= {
        *("benchmarks", "docs", "notebooks", "pymc_safetrunc", "tests"),
        *("CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md"),
        *("PKG-INFO", "pyproject.toml", ".gitignore"),
    }
    assert not [name for name in names if "__pycache__" in name or ".ipynb_checkpoints" in name]


def test_citation_is_of_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.soak
@pytest.mark.parametrize("which", ["wheel", "sdist"])
def test_installs_in_an_empty_environment(built, which, tmp_path):
    """With no extra: without nutpie, JAX and the demo's data."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    package = built[["wheel", "sdist"].index(which)]
    for command in (["-m", "pip", "install", "--quiet", str(package)], ["-c", SMOKE]):
        subprocess.run([python, *command], check=True, cwd=tmp_path, env=environment)
