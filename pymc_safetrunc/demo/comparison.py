"""What the parts of the demonstration share: a comparison, a table of several, and the sampler."""

from dataclasses import dataclass

import pymc as pm
from rich import box
from rich.console import RenderableType
from rich.table import Table
from xarray import DataTree

SEED = 20
CHAINS = 4
# The default 0.8 leaves some tens of divergences where V far exceeds sigma; 0.95 leaves none.
TARGET_ACCEPT = 0.95
# Some thirty comparisons with one seed: by chance one is beyond 4 standard errors in 500 seeds.
STANDARD_ERRORS = 4


@dataclass(frozen=True)
class Comparison:
    """A figure of ours beside the one it should be."""

    what: str
    found: float
    expected: float
    allowed: float

    @property
    def agrees(self) -> bool:
        """Whether the two differ by no more than is allowed; NaN never agrees."""
        return abs(self.found - self.expected) <= self.allowed

    def __str__(self) -> str:
        return (
            f"{self.what}: {self.found:.6g}, expected {self.expected:.6g} within {self.allowed:.2g}"
        )


@dataclass(frozen=True)
class Shown:
    """A table or a text, what stands over and under it, and the comparisons behind it."""

    heading: str
    table: RenderableType
    note: str
    comparisons: list[Comparison]


def new_table() -> Table:
    """Return an empty table, narrow enough for eight columns in a terminal of 80."""
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def sample(model: pm.Model, draws: int) -> DataTree:
    """Sample by NUTS with the sampler that PyMC picks; what it would log is in the tables."""
    return pm.sample(
        draws=draws,
        chains=CHAINS,
        target_accept=TARGET_ACCEPT,
        random_seed=SEED,
        model=model,
        quiet=True,
        compute_convergence_checks=False,
    )
