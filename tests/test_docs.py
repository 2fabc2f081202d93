"""The code in the documentation runs, page by page."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def code(page):
    """The Python blocks of a page as one script whose line numbers are those of the page."""
    text = page.read_text()
    lines = [""] * text.count("\n")
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1))
        body = block[1].splitlines()
        lines[first : first + len(body)] = body
    return "\n".join(lines)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=str(page.relative_to(ROOT)))
        for page in PAGES
        if BLOCK.search(page.read_text())
    ],
)
# nutpie's and NUTS's threads are there before the workers of the page are forked
@pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called")
@pytest.mark.filterwarnings("ignore:.*use of fork\\(\\) may lead")
def test_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code(page), page, "exec"), {"__name__": "__main__"})


def test_a_broken_block_would_be_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n")
    with pytest.raises(AssertionError) as caught:
        exec(compile(code(page), page, "exec"), {})
    assert caught.traceback[-1].lineno + 1 == 8
