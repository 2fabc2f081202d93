"""Run the benchmarks and print a table; `--write` also puts it into benchmarks/RESULTS.md.

`python -m benchmarks [--write] [NAME ...]`: NAME is a module of this folder that has `run()`, which
yields rows (what, figure, bound, note). A figure is met when it does not exceed its bound.
"""

import argparse
import platform
import re
from importlib import import_module, metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "RESULTS.md"
PACKAGES = ("pymc", "pytensor", "numba", "numpy", "scipy", "nutpie", "jax", "numpyro")


def names():
    return sorted(path.stem for path in FOLDER.glob("*.py") if "\ndef run(" in path.read_text())


def rows_of(name, console):
    table = Table("figure", "measured", "bound", "", title=name, title_justify="left")
    rows = []
    with console.status(f"benchmarks.{name}"):
        for what, figure, bound, note in import_module(f"benchmarks.{name}").run():
            rows.append((what, f"{figure:.3g}", f"{bound:.3g}", note))
            style = "" if figure <= bound else "red"
            table.add_row(*rows[-1], style=style)
    console.print(table)
    return rows


def section(name, rows):
    """One benchmark's part of RESULTS.md."""
    purpose = import_module(f"benchmarks.{name}").__doc__.strip()
    lines = [f"## {name}", "", purpose, "", "| figure | measured | bound | |", "|---|--:|--:|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def write(sections):
    """Replace the sections in RESULTS.md and keep the others."""
    old = RESULTS.read_text() if RESULTS.exists() else "# Results\n"
    head, *parts = re.split(r"^(?=## )", old, flags=re.MULTILINE)
    kept = {part.split("\n", 1)[0][3:].strip(): part.strip() for part in parts}
    kept.update(sections)
    RESULTS.write_text("\n\n".join([head.strip(), *(kept[k] for k in sorted(kept))]) + "\n")


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names())}")
    parser.add_argument("--write", action="store_true", help="write the tables to RESULTS.md")
    options = parser.parse_args()
    console = Console()
    versions = ", ".join(f"{p} {metadata.version(p)}" for p in PACKAGES)
    console.print(f"Python {platform.python_version()}, {versions}\n")
    sections = {}
    for name in options.names or names():
        sections[name] = section(name, rows_of(name, console))
        if options.write:
            write(sections)


if __name__ == "__main__":
    main()
