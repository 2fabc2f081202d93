"""What a diagnosis says: plain data, shown by `report`."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

__all__ = ["Diagnosis", "Finding", "WatchdogReport"]

# Entries of a point shown in a message: the rest would push the diagnosis off the screen.
_SHOWN_ENTRIES = 6
_SHOWN_VARIABLES = 8
_SHOWN_DIAGNOSIS_LINES = 14


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

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Finding:
        """Return the finding that `to_dict` made this dictionary of."""
        index = content.get("index")
        return cls(**{**content, "index": None if index is None else tuple(index)})

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

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Diagnosis:
        """Return the diagnosis that `to_dict` made this dictionary of."""
        return cls(
            findings=tuple(map(Finding.from_dict, content["findings"])),
            point=dict(content["point"]),
            factors=tuple(content["factors"]),
            complete=content["complete"],
            notes=tuple(content["notes"]),
            seconds=content["seconds"],
        )

    def __str__(self) -> str:
        from pymc_safetrunc.report.text import diagnosis_text

        return diagnosis_text(self)

    def _repr_html_(self) -> str:
        from pymc_safetrunc.report.html import diagnosis_html

        return diagnosis_html(self)


def _short(value: Any) -> str:
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{array.item():.6g}"
    flat = array.ravel()
    shown = ", ".join(f"{entry:.4g}" for entry in flat[:_SHOWN_ENTRIES])
    return f"[{shown}{', ...' if flat.size > _SHOWN_ENTRIES else ''}]"


@dataclass
class WatchdogReport:
    """Why, where and when the watchdog ended sampling.

    Attributes
    ----------
    cause : str
        A stable id: ``gradient-at-state``, ``gradient-on-path``, ``logp-at-state``, ``logp-nan``,
        ``logp-minus-inf``, ``energy-error``, ``linear-algebra``, ``acceptance-nan``,
        ``accepted-nan``, ``stalled``, ``worker-died`` or ``exception``.
    explanation : str
        The cause in words.
    phase : str
        ``initial point``, ``tuning`` or ``sampling``.
    chain : int or None
        The chain that was stopped; None where it cannot be known.
    draw : int
        Transitions that chain had taken, tuning ones and the last one included.
    limit : str or None
        The field of the policy that was reached, or ``absorbing``; None when no limit was.
    run_length : int
        Bad transitions in a row at the end.
    point : dict of str to ndarray
        The values at which it went wrong, by value variable; empty when they are not known.
    diagnosis : Diagnosis or None
        The operation and the input behind it.
    sampler, step : str
        Who was sampling which variables.
    advice : tuple of str
        What to do.
    kept : dict of int to (int, int)
        For each chain the tuning and the other draws that were kept.
    """

    cause: str
    explanation: str
    phase: str
    chain: int | None = None
    draw: int = 0
    limit: str | None = None
    run_length: int = 0
    point: dict[str, np.ndarray] = field(default_factory=dict)
    diagnosis: Diagnosis | None = None
    sampler: str = "pymc"
    step: str = ""
    detail: str = ""
    advice: tuple[str, ...] = ()
    kept: dict[int, tuple[int, int]] = field(default_factory=dict)

    def _where(self) -> str:
        chain = "a chain" if self.chain is None else f"chain {self.chain}"
        step = f" ({self.step})" if self.step else ""
        if self.phase == "initial point":
            return f"Sampling was not started: no usable starting point for {chain}{step}."
        return (
            f"Sampling was stopped in {chain}{step}, {self.phase}, "
            f"after {self.draw:,} transition{'s' if self.draw != 1 else ''}."
        )

    def _why(self) -> str:
        text = self.explanation[:1].upper() + self.explanation[1:]
        if self.limit == "absorbing":
            text += ": no later transition can succeed"
        elif self.limit:
            text += f", {self.run_length:,} times in a row ({self.limit})"
        return f"{text}.{' ' + self.detail if self.detail else ''}"

    def _values(self) -> list[str]:
        lines = [f"  {name} = {_short(value)}" for name, value in self.point.items()]
        if len(lines) > _SHOWN_VARIABLES:
            rest = len(lines) - _SHOWN_VARIABLES
            lines = [*lines[:_SHOWN_VARIABLES], f"  and {rest} more variables"]
        return ["At the values (unconstrained scale):", *lines] if lines else []

    def _kept(self) -> list[str]:
        if not self.kept:
            return []
        chains = ", ".join(
            f"chain {chain}: {tune:,} tuning + {draws:,}"
            for chain, (tune, draws) in self.kept.items()
        )
        return [f"Draws kept: {chains}."]

    def __str__(self) -> str:
        lines = [self._where(), self._why(), *self._values()]
        if self.diagnosis is not None:
            found = [line.rstrip() for line in str(self.diagnosis).splitlines() if line.strip()]
            lines += found[:_SHOWN_DIAGNOSIS_LINES]
            if len(found) > _SHOWN_DIAGNOSIS_LINES:
                lines.append("... (all of it in report.diagnosis)")
        lines += [*self.advice, *self._kept()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{html.escape(_short(value))}</td></tr>"
            for name, value in self.point.items()
        )
        table = f"<table><tbody>{rows}</tbody></table>" if rows else ""
        found = "" if self.diagnosis is None else self.diagnosis._repr_html_()
        rest = "".join(f"<p>{html.escape(line)}</p>" for line in (*self.advice, *self._kept()))
        return (
            f"<div><p><strong>{html.escape(self._where())}</strong></p>"
            f"<p>{html.escape(self._why())}</p>{table}{found}{rest}</div>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain lists, dicts, numbers and strings."""
        plain = {
            name: getattr(self, name)
            for name in (
                *("cause", "explanation", "phase", "chain", "draw", "limit", "run_length"),
                *("sampler", "step", "detail"),
            )
        }
        plain["point"] = {name: np.asarray(value).tolist() for name, value in self.point.items()}
        plain["diagnosis"] = None if self.diagnosis is None else self.diagnosis.to_dict()
        plain["advice"] = list(self.advice)
        plain["kept"] = {str(chain): list(counts) for chain, counts in self.kept.items()}
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> WatchdogReport:
        """Return the report that `to_dict` made this dictionary of, such as a file's JSON."""
        found = plain["diagnosis"]
        return cls(
            **{
                **plain,
                "point": {name: np.asarray(value) for name, value in plain["point"].items()},
                "diagnosis": None if found is None else Diagnosis.from_dict(found),
                "advice": tuple(plain["advice"]),
                "kept": {int(chain): tuple(counts) for chain, counts in plain["kept"].items()},
            }
        )
