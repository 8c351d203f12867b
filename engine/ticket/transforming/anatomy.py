"""What a network is made of: stages of units that can be repeated, and the rest.

A network tells its units by an attribute, `units`: for every stage, in the order of the forward pass,
the modules of its units. The first unit of a stage is invariant (it changes width or resolution);
the others are alike, so that a longer or shorter stage can be made of them.

    units = {"stage1": ["stages.0.0", "stages.0.1"], "stage2": ["stages.1.0", "stages.1.1"]}

A unit that is several modules is a list of them: `["conv1", "norm1"]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Size, nn

from ticket.errors import UsageError
from ticket.network import shapes_of

Unit = Mapping[str, str]  # the tensor's name within the unit -> its name in the state


@dataclass(frozen=True)
class Anatomy:
    """Hold the units of each stage, the names of all other tensors, the shape of every tensor.

    `name` is what the network is called in messages.
    """

    name: str
    stages: Mapping[str, tuple[Unit, ...]]
    rest: tuple[str, ...]
    shapes: Mapping[str, Size]


def anatomy(network: nn.Module, name: str) -> Anatomy:
    """Take a network apart into its units and the rest; shared tensors count under their first name.

    Raises UsageError when it tells no units, or units that are not there, empty or in one another.
    """
    told: Any = getattr(network, "units", None)
    if told is None:
        raise UsageError(
            f"model '{name}' tells no units, so its ticket fits no other depth; give the network an "
            "attribute `units`: {stage: [module, ...]} (see plugins/README.md)"
        )
    if not isinstance(told, Mapping) or not told:
        got = "nothing" if isinstance(told, Mapping) else type(told).__name__
        raise UsageError(f"model '{name}': `units` wants {{stage: [module, ...]}}, got {got}")
    shapes = shapes_of(network)
    for stage, units_told in told.items():
        if not isinstance(units_told, list | tuple):
            got = type(units_told).__name__
            raise UsageError(f"model '{name}': {stage} wants a list of modules, got {got}")
    stages = {str(s): tuple(_unit(m, s, name, shapes) for m in told[s]) for s in told}
    taken: dict[str, str] = {}
    for stage, units in stages.items():
        if not units:
            raise UsageError(f"model '{name}': {stage} has no unit")
        for number, unit in enumerate(units):
            for tensor in unit.values():
                where = f"unit {number} of {stage}"
                if taken.setdefault(tensor, where) != where:
                    raise UsageError(
                        f"model '{name}': '{tensor}' belongs to {taken[tensor]} and to {where}"
                    )
    return Anatomy(name, stages, tuple(n for n in shapes if n not in taken), shapes)


def _unit(modules: object, stage: object, model: str, shapes: Mapping[str, Size]) -> Unit:
    """Return the tensors of a unit; where it is several modules, their numbers tell them apart."""
    several = isinstance(modules, Sequence) and not isinstance(modules, str)
    parts: Sequence[object] = modules if isinstance(modules, Sequence) and several else [modules]
    unit: dict[str, str] = {}
    for number, module in enumerate(parts):
        if not isinstance(module, str):
            raise UsageError(
                f"model '{model}': {stage} wants the names of modules, such as 'layers.1', "
                f"got {type(module).__name__}"
            )
        found = [n for n in shapes if n.startswith(f"{module}.")]
        if not found:
            raise UsageError(
                f"model '{model}': {stage} names the unit '{module}', a module without tensors"
            )
        for tensor in found:
            within = tensor.removeprefix(f"{module}.")
            unit[f"{number}.{within}" if several else within] = tensor
    return unit
