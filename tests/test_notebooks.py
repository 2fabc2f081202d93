"""The notebooks as they are committed; `make test` executes them besides, by nbmake."""

import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
# where somebody's files are: Unix and Windows homes, temporary and installed files
MACHINE_PATH = re.compile(
    r"(?<![\w.])/(home|root|tmp|work|Users|usr|opt|var)/|site-packages|[A-Z]:\\\\"
)


def test_all_are_there():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_as_executed(path):
    """Every cell in order, with pictures, without an error or a path of somebody's machine."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert not MACHINE_PATH.search(path.read_text())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_in_full_and_tested_with_few_draws(path):
    first = next(c for c in nbformat.read(path, 4).cells if c.cell_type == "code")
    assert "DRAWS = 1000" in first.source.splitlines()
    assert first.metadata.nbmake.mock.DRAWS <= 300
