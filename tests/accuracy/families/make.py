"""Make the tables of this folder: the truth for every truncated family.

    python -m tests.accuracy.families.make [GROUP or FAMILY ...]

Each group of families is a module with a tuple ``FAMILIES`` and a table of its own name. To add a
family, add a ``Family`` to a group and run this for the group.

How precision is guarded: every interval is computed at two precisions and each number must
agree, relative to itself or to its natural scale (``family.settled``).
``test_families_truth.py`` recomputes a sample by quadrature, and by scipy.
"""

import sys
import time

import numpy as np
from mpmath import mp

from tests.accuracy.families import GROUPS, grid, group, path
from tests.accuracy.families.family import settled

# (digits, agreement of two precisions). Tails are relative throughout; the narrowest interval loses
# ten digits, and a central difference a third of them.
CLOSED = (64, 1e-20)
# Where the mass is an integral, a digit costs more.
INTEGRAL = (34, 1e-16)
# Beyond these a float64 may overflow in the sum of two of them.
LARGEST = 1e305


def columns(family):
    """Columns of one family: inputs, truth, and the scales of the gradients."""
    rows, labels = [], []
    integral = not (family.closed or family.discrete)
    precision = INTEGRAL if integral else CLOSED
    for parameters in family.sets:
        with mp.workdps(grid.INTEGRAL_DIGITS if integral else grid.DIGITS):
            line = (grid.IntegralLine if integral else grid.Line)(family, parameters)
            iqr, chosen = (grid.discrete_intervals if family.discrete else grid.intervals)(line)
            chosen = [
                (label, lower, upper, grid.values(line, lower, upper, turn))
                for turn, (label, lower, upper) in enumerate(chosen)
            ]
        for label, lower, upper, values in chosen:
            for value, (truth, scales) in zip(
                values,
                settled(family, parameters, lower, upper, values, iqr, *precision),
                strict=True,
            ):
                row = dict(zip((f"parameter_{k}" for k in family.kinds), parameters, strict=True))
                row |= {"value": value, "lower": lower, "upper": upper}
                row |= {k: float(v) for k, v in truth.items()}
                row |= {f"scale_{k}": float(v) for k, v in scales.items() if k[:2] == "d_"}
                if max(abs(row[k]) for k in truth if not np.isnan(row[k])) < LARGEST:
                    rows.append(row)
                    labels.append(label)
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    table = {k: few_digits(v) if k[:6] == "scale_" else v for k, v in table.items()}
    return table | {"label": np.array(labels)}


def few_digits(numbers):
    """Eight bits of each, which is enough for a scale and takes little room."""
    mantissa, exponent = np.frexp(numbers)
    return np.ldexp(np.round(mantissa * 256) / 256, exponent)


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
