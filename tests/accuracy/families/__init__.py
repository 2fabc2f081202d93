"""The truth for ``Truncated`` of every univariate family, made with mpmath (``make.py``).

``cases("Gamma")`` is a dict of columns, a case a row:

* inputs: ``value``, ``lower``, ``upper``, and ``parameter_<name>`` for each parameter of the user;
* truth: ``logp``, ``log_mass`` (of the interval, under the untruncated law), ``d_value``,
  ``d_lower``, ``d_upper`` and ``d_parameter_<name>``. A discrete family has no ``d_value`` and no
  derivatives in the bounds. A derivative in a bound is 0 where the bound is infinite or beyond the
  support. It is nan on the edge of the support, where the derivatives from the two sides differ (in
  a parameter too, if that moves the edge), and so is ``d_value`` at a point of probability: any
  finite number will do;
* ``scale_<column>``: the size below which a derivative's own digits are not asked for;
* ``label``: where the interval is.
"""

from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np

GROUPS = (
    "location_scale",
    "positive",
    "bounded",
    "incomplete",
    "integrals",
    "counts",
    "mixtures",
)


def group(name):
    """The families of a group."""
    return import_module(f"tests.accuracy.families.{name}").FAMILIES


def path(name):
    """Where the table of a group is."""
    return Path(__file__).with_name(f"{name}.npz")


@cache
def families():
    """Every family by name, and the group of each."""
    return {family.name: (family, name) for name in GROUPS for family in group(name)}


def cases(name):
    """Columns of the family's table, by name."""
    _, group_name = families()[name]
    prefix = f"{name}/"
    with np.load(path(group_name)) as table:
        return {k.removeprefix(prefix): table[k] for k in table.files if k.startswith(prefix)}
