"""What a diagnosis says: plain data, shown by `report`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["Diagnosis", "Finding"]

Severity = Literal["error", "warning", "hint"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a model, or may become so.

    Attributes
    ----------
    rule : str
        Stable identifier of the rule that recognised it, such as ``"runtime-infinite-bound"``.
    severity : {"error", "warning", "hint"}
        A ``-inf`` that a distribution returns by design (value outside its support, parameter
        outside its domain) is a warning; what arithmetic made is an error.
    factor : str or None
        Name of the random variable or potential.
    variable : str or None
        Name of the free value variable whose gradient is meant; None for a log-density.
    quantity : {"logp", "gradient"} or None
        What is not finite.
    operation : str or None
        Class name of the Op; for an Elemwise or a fused Composite that of the scalar Op inside.
    expression : str or None
        Readable mathematics with the values.
    index : tuple of int or None
        The entry (for a likelihood: the observation) at which it happens.
    source : str or None
        Name of the user's data, constant or variable that holds the value behind it.
    message : str
        What happened, in words.
    remedy : str or None
        Code that runs and mends it.
    """

    rule: str
    severity: Severity
    message: str
    factor: str | None = None
    variable: str | None = None
    quantity: Literal["logp", "gradient"] | None = None
    operation: str | None = None
    expression: str | None = None
    index: tuple[int, ...] | None = None
    source: str | None = None
    remedy: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as a dictionary that JSON can hold."""
        content = asdict(self)
        if self.index is not None:
            content["index"] = list(self.index)
        return content

    def __str__(self) -> str:
        from pymc_safetrunc.report.text import finding_text

        return finding_text(self)

    def _repr_html_(self) -> str:
        from pymc_safetrunc.report.html import finding_html

        return finding_html(self)


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found at one point of one model.

    Attributes
    ----------
    findings : tuple of Finding
        One for every log-density and gradient that is not finite, errors first.
    point : dict
        The point, value variable by value variable; large arrays are cut to their shape.
    factors : tuple of str
        Names of the factors that were examined.
    complete : bool
        False when the time ran out before every factor was examined; `notes` says which.
    notes : tuple of str
        What could not be examined, and why.
    seconds : float
        How long it took.
    """

    findings: tuple[Finding, ...] = ()
    point: dict[str, Any] = field(default_factory=dict)
    factors: tuple[str, ...] = ()
    complete: bool = True
    notes: tuple[str, ...] = ()
    seconds: float = math.nan

    @property
    def ok(self) -> bool:
        """Whether everything was examined and nothing of severity error was found."""
        return self.complete and not any(f.severity == "error" for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as a dictionary that JSON can hold."""
        return {
            "ok": self.ok,
            "complete": self.complete,
            "factors": list(self.factors),
            "findings": [finding.to_dict() for finding in self.findings],
            "notes": list(self.notes),
            "point": dict(self.point),
            "seconds": self.seconds,
        }

    def __str__(self) -> str:
        from pymc_safetrunc.report.text import diagnosis_text

        return diagnosis_text(self)

    def _repr_html_(self) -> str:
        from pymc_safetrunc.report.html import diagnosis_html

        return diagnosis_html(self)
