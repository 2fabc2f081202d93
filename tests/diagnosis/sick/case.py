"""What a sick model is, and what a diagnosis has to say about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sick:
    """A model and what a diagnosis has to say about it."""

    build: Callable[[], Any]
    factor: str
    operation: str
    quantity: str = "logp"
    variable: str | None = None
    index: tuple[int, ...] | None = None
    source: str | None = None
    rule: str | None = None
    severity: str = "error"

    @property
    def name(self) -> str:
        return self.build.__name__


SICK: list[Sick] = []


def sick(factor, operation, **kwargs):
    def register(build):
        SICK.append(Sick(build, factor, operation, **kwargs))
        return build

    return register
