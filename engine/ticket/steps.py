"""Lengths of training: `500it`, `10ep`, or `20%` of the training that the task asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

UNITS = ("it", "ep", "%")
_PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*(it|ep|%)")


@dataclass(frozen=True)
class Steps:
    """Hold a length: `amount` iterations (`it`), epochs (`ep`) or percent of the whole (`%`)."""

    amount: float
    unit: str

    @staticmethod
    def parse(text: object) -> Steps:
        """Read `500it`, `1.5ep` or `20%`; raises ValueError with what would be right."""
        match = _PATTERN.fullmatch(str(text).strip())
        if match is None:
            raise ValueError(f"wants a length such as 500it, 10ep or 20%, got {text!r}")
        steps = Steps(float(match[1]), match[2])
        if steps.unit == "it" and steps.amount != int(steps.amount):
            raise ValueError(f"wants whole iterations, got {text!r}")
        return steps

    def __str__(self) -> str:
        # Exact, and never as 1e+06, which `parse` does not take.
        return f"{Decimal(repr(self.amount)).normalize():f}{self.unit}"

    def iterations(self, per_epoch: int, whole: int = 0) -> int:
        """Count iterations, rounded half up, given those of one epoch and of the whole training."""
        if self.unit == "it":
            return int(self.amount)
        base = self.amount * per_epoch if self.unit == "ep" else self.amount * whole / 100
        return int(base + 0.5)
