"""Run the benchmarks and print a table; `--write` also puts it into benchmarks/RESULTS.md.

`python -m benchmarks [--write] [NAME ...]`: NAME is a module of this folder that has `run()`, which
yields rows (what, figure, bound, note). A figure is met when it does not exceed its bound; the exit
code is 1 when one does. The soak takes half an hour and runs when it is named.
"""

import argparse
import os
import platform
import re
import sys
from datetime import date
from importlib import import_module, metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "RESULTS.md"
ON_REQUEST = {"watchdog_soak"}
PACKAGES = ("pymc", "pytensor", "numba", "numpy", "scipy", "nutpie", "jax", "numpyro")


def names():
    return sorted(path.stem for path in FOLDER.glob("*.py") if "\ndef run(" in path.read_text())


def rows_of(name, console):
    table = Table("figure", "measured", "bound", "", title=name, title_justify="left")
    rows, all_met = [], True
    with console.status(f"benchmarks.{name}"):
        for what, figure, bound, note in import_module(f"benchmarks.{name}").run():
            rows.append((what, f"{figure:.3g}", f"{bound:.3g}", note))
            met = figure <= bound
            all_met &= met
            table.add_row(*rows[-1], style="" if met else "red")
    console.print(table)
    return rows, all_met


def machine():
    """What the figures were measured with."""
    versions = ", ".join(f"{p} {metadata.version(p)}" for p in PACKAGES)
    cores = f"{os.cpu_count()} cores, {platform.machine()}"
    return f"{date.today()}, {cores}, Python {platform.python_version()}, {versions}"


def section(name, rows):
    """One benchmark's part of RESULTS.md."""
    purpose = import_module(f"benchmarks.{name}").__doc__.strip()
    lines = [
        f"## {name}",
        "",
        purpose,
        "",
        f"Measured {machine()}.",
        "",
        "| figure | measured | bound | |",
    ]
    lines.append("|---|--:|--:|---|")
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
    console.print(machine() + "\n")
    sections = {}
    all_met = True
    for name in options.names or sorted(set(names()) - ON_REQUEST):
        rows, met = rows_of(name, console)
        all_met &= met
        sections[name] = section(name, rows)
        if options.write:
            write(sections)
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main())
