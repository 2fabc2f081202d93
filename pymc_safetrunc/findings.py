"""What a diagnosis says: plain data, shown by `report`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

__all__ = ["Diagnosis", "Finding", "ModelCheck", "Severity", "WatchdogReport"]

# Numbers that JSON has not, by the words that stand for them.
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def _plain(value: Any) -> Any:
    """Return a value as strict JSON can hold it, a number that is not finite as a word."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _numbers(value: Any) -> Any:
    """Return what `_plain` was given, the words for numbers as numbers."""
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return _NOT_FINITE.get(value, value) if isinstance(value, str) else value


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
        outside its domain) is a warning, and an error where no free variable takes part in it;
        what arithmetic made is an error.
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
        The entry at which it happens; of a likelihood the observation, and None where it is no
        single one.
    source : str or None
        Name of the user's data, constant or variable that holds the value behind it; for a
        nameless constant that of the parameter it was given as.
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
        return _plain(asdict(self))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Finding:
        """Return the finding that `to_dict` made this dictionary of."""
        index = content.get("index")
        return cls(**{**content, "index": None if index is None else tuple(index)})

    def __str__(self) -> str:
        from pymc_safetrunc.report.text import finding_text

        return finding_text(self)

    def __rich__(self):
        from pymc_safetrunc.report.text import finding_rich

        return finding_rich(self)

    def _repr_html_(self) -> str:
        from pymc_safetrunc.report.html import finding_html

        return finding_html(self)


@dataclass(frozen=True)
class ModelCheck:
    """What `check_model` found before sampling.

    Attributes
    ----------
    findings : tuple of Finding
        Errors first. An error spoils sampling; a warning is likely to slow it or to spoil it in
        places; a hint is a place that only far values reach.
    points : dict of str to int
        How many points of each kind were looked at: ``initial``, ``jittered``, ``prior`` and
        ``corner``.
    variables : tuple of str
        Names of the value variables.
    notes : tuple of str
        What could not be examined, and why.
    seconds : float
        How long it took.
    """

    findings: tuple[Finding, ...] = ()
    points: dict[str, int] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = math.nan

    @property
    def ok(self) -> bool:
        """Whether nothing of severity error was found."""
        return not any(f.severity == "error" for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the check as a dictionary that JSON can hold; a NaN is ``"nan"``."""
        return _plain({"ok": self.ok, **asdict(self)})

    def __str__(self) -> str:
        from pymc_safetrunc.report.check import check_text

        return check_text(self)

    def __rich__(self) -> Any:
        from pymc_safetrunc.report.check import check_renderable

        return check_renderable(self)

    def _repr_html_(self) -> str:
        from pymc_safetrunc.report.check import check_html

        return check_html(self)


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
        """Whether every factor was examined and no finding has severity error.

        Warnings leave it True, and so do gradients that do not exist, which `notes` names.
        """
        return self.complete and not any(f.severity == "error" for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as a dictionary that JSON can hold.

        Numbers that are not finite are ``"nan"``, ``"inf"`` and ``"-inf"``; `from_dict` turns them
        back.
        """
        return _plain({"ok": self.ok, **asdict(self)})

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Diagnosis:
        """Return the diagnosis that `to_dict` made this dictionary of."""
        return cls(
            findings=tuple(map(Finding.from_dict, content["findings"])),
            point={name: _numbers(value) for name, value in content["point"].items()},
            factors=tuple(content["factors"]),
            complete=content["complete"],
            notes=tuple(content["notes"]),
            seconds=_numbers(content["seconds"]),
        )

    def __str__(self) -> str:
        from pymc_safetrunc.report.text import diagnosis_text

        return diagnosis_text(self)

    def __rich__(self):
        from pymc_safetrunc.report.text import diagnosis_rich

        return diagnosis_rich(self)

    def _repr_html_(self) -> str:
        from pymc_safetrunc.report.html import diagnosis_html

        return diagnosis_html(self)


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
    detail : str
        More about the cause, such as what was raised; may be empty.
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

    def __str__(self) -> str:
        from pymc_safetrunc.report.text import watchdog_text

        return watchdog_text(self)

    def __rich__(self):
        from pymc_safetrunc.report.text import watchdog_rich

        return watchdog_rich(self)

    def _repr_html_(self) -> str:
        from pymc_safetrunc.report.html import watchdog_html

        return watchdog_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a dictionary that JSON can hold.

        Numbers that are not finite are ``"nan"``, ``"inf"`` and ``"-inf"``; `from_dict` turns them
        back.
        """
        found = self.diagnosis
        plain = {name: value for name, value in vars(self).items() if name != "diagnosis"}
        return _plain({**plain, "diagnosis": None if found is None else found.to_dict()})

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> WatchdogReport:
        """Return the report that `to_dict` made this dictionary of, such as a file's JSON."""
        found = plain["diagnosis"]
        return cls(
            **{
                **plain,
                "point": {
                    name: np.asarray(_numbers(value)) for name, value in plain["point"].items()
                },
                "diagnosis": None if found is None else Diagnosis.from_dict(found),
                "advice": tuple(plain["advice"]),
                "kept": {int(chain): tuple(counts) for chain, counts in plain["kept"].items()},
            }
        )
