"""Make the tables of this folder: the truth for every truncated family.

    python -m tests.accuracy.families.make [GROUP or FAMILY ...]

Each group of families is a module with a tuple ``FAMILIES`` and a table of its own name. To add a
family, add a ``Family`` to a group and run this for the group.

How precision is guarded: every interval is computed at two precisions and 20 digits of each number
must agree, relative to the number or to its natural scale (``family.settled``).
``test_families_truth.py`` recomputes a sample by quadrature, and by scipy.
"""

import sys
import time

import numpy as np
from mpmath import mp

from tests.accuracy.families import GROUPS, grid, group, path
from tests.accuracy.families.family import settled

# Tails are relative throughout; the narrowest interval loses ten digits.
DIGITS = 64
# Where the mass is an integral, the error of the rule is what counts.
INTEGRAL_DIGITS = 48
# Beyond these a float64 may overflow in the sum of two of them.
LARGEST = 1e305


def columns(family):
    """Columns of one family: inputs, truth, and the scales of the gradients."""
    rows, labels = [], []
    digits = DIGITS if family.closed or family.discrete else INTEGRAL_DIGITS
    for parameters in family.sets:
        with mp.workdps(grid.DIGITS):
            line = grid.Line(family, parameters)
            iqr, chosen = (grid.discrete_intervals if family.discrete else grid.intervals)(line)
            chosen = [
                (label, lower, upper, grid.values(line, lower, upper, turn))
                for turn, (label, lower, upper) in enumerate(chosen)
            ]
        for label, lower, upper, values in chosen:
            for value, (truth, scales) in zip(
                values, settled(family, parameters, lower, upper, values, iqr, digits), strict=True
            ):
                row = dict(zip((f"parameter_{k}" for k in family.kinds), parameters, strict=True))
                row |= {"value": value, "lower": lower, "upper": upper}
                row |= {k: float(v) for k, v in truth.items()}
                row |= {f"scale_{k}": float(v) for k, v in scales.items() if k[:2] == "d_"}
                if max(abs(row[k]) for k in truth if not np.isnan(row[k])) < LARGEST:
                    rows.append(row)
                    labels.append(label)
    return {
        name: np.array(
            [row[name] for row in rows], "float32" if name[:6] == "scale_" else "float64"
        )
        for name in rows[0]
    } | {"label": np.array(labels)}


def main(wanted):
    known = {family.name for name in GROUPS for family in group(name)} | set(GROUPS)
    if unknown := set(wanted) - known:
        sys.exit(f"no group or family is called {', '.join(sorted(unknown))}")
    for name in GROUPS:
        tables = dict(np.load(path(name))) if path(name).exists() and wanted else {}
        made = [f for f in group(name) if not wanted or name in wanted or f.name in wanted]
        for family in made:
            start = time.monotonic()
            table = columns(family)
            tables = {k: v for k, v in tables.items() if k.split("/")[0] != family.name}
            tables |= {f"{family.name}/{k}": v for k, v in table.items()}
            took = time.monotonic() - start
            print(f"{family.name}: {len(table['value'])} rows, {took:.1f} s", file=sys.stderr)
            np.savez_compressed(path(name), **tables)


if __name__ == "__main__":
    main(sys.argv[1:])
