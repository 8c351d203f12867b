"""Hidden linear layers `fc1`, `fc2`, ...: checked, built, and told as units of stages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

from torch import nn

from ticket.errors import UsageError


def check_hidden(model: str, widths: Sequence[int]) -> tuple[int, ...]:
    """Return the widths; raises UsageError unless all are 1 or more."""
    if any(width < 1 for width in widths):
        raise UsageError(f"{model}: hidden widths {list(widths)} are not all 1 or more")
    return tuple(widths)


def hidden_layers(inputs: int, widths: Sequence[int]) -> dict[str, nn.Linear]:
    """Build the layers by name; the first takes `inputs` features."""
    return {
        f"fc{number}": nn.Linear(fan_in, fan_out)
        for number, (fan_in, fan_out) in enumerate(pairwise((inputs, *widths)), 1)
    }


def hidden_units(word: str, widths: Sequence[int]) -> dict[str, list[str]]:
    """Return the layers as units, those of equal width in a row as one stage.

    300, 300, 100 make the stages `word 300` of fc1 and fc2, and `word 100` of fc3; a width that
    comes again makes `word 300 (2)`.
    """
    stages: dict[str, list[str]] = {}
    layers = enumerate(widths, 1)
    for width, run in groupby(layers, key=lambda layer: layer[1]):
        name, again = f"{word} {width}", 2
        while name in stages:
            name, again = f"{word} {width} ({again})", again + 1
        stages[name] = [f"fc{number}" for number, _ in run]
    return stages
