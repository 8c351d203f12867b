"""Which tensor of the source each tensor of the target comes from, every one exactly once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Size, nn

from ticket.errors import TicketError, UsageError
from ticket.tickets import Ticket, create
from ticket.transforming.anatomy import Anatomy, Unit


@dataclass(frozen=True)
class Moves:
    """Name the source of every target tensor, and the target tensors that begin anew.

    `units`: for each stage, the source unit that each target unit is a copy of, counted from 0.
    """

    units: Mapping[str, tuple[int, ...]]
    tensors: Mapping[str, str]
    new: tuple[str, ...]


def check_family(source: Anatomy, target: Anatomy) -> None:
    """Raise UsageError unless both networks have the same stages, and units that fit each other."""
    if tuple(source.stages) != tuple(target.stages):
        raise UsageError(f"{_not_kin(source, target)}: {_stage_alone(source, target)}")
    for stage, units in target.stages.items():
        theirs = source.stages[stage]
        if len(units) > 1 and len(theirs) == 1:
            raise UsageError(
                f"{stage} of {target.name} repeats a unit with {_shown(units[1], target.shapes)}; "
                f"{stage} of {source.name} has none: its only unit, the first, is never repeated"
            )
        alike = [
            u for u in theirs[1:] if _shapes(u, source.shapes) != _shapes(theirs[1], source.shapes)
        ]
        if alike:
            raise UsageError(
                f"the units of {stage} of {source.name} after the first are not alike: "
                f"{_shown(theirs[1], source.shapes)} and {_shown(alike[0], source.shapes)}"
            )


def moves(
    source: Anatomy,
    target: Anatomy,
    units: Mapping[str, Sequence[int]],
    new: Collection[str] = (),
) -> Moves:
    """Spell out `units` tensor by tensor; `new` names the target tensors that the data set shapes.

    Raises UsageError that names the stage and the shape, or lists the tensors without a source.
    """
    tensors: dict[str, str] = {}
    for stage, target_units in target.stages.items():
        chosen = units[stage]
        if len(chosen) != len(target_units):
            raise UsageError(
                f"{stage} of {target.name} has {len(target_units)} units, "
                f"{len(chosen)} were given a source"
            )
        for number, (unit, origin) in enumerate(zip(target_units, chosen, strict=True)):
            if not 0 <= origin < len(source.stages[stage]):
                raise UsageError(
                    f"{stage} of {source.name} has no unit {origin}; "
                    f"it has 0 to {len(source.stages[stage]) - 1}"
                )
            theirs = source.stages[stage][origin]
            if unit.keys() != theirs.keys():
                mine, other = _shown(unit, target.shapes), _shown(theirs, source.shapes)
                if mine == other:
                    odd = sorted(unit.keys() ^ theirs.keys())
                    other += f", but only one of them has {', '.join(odd)}"
                raise UsageError(
                    f"{_not_kin(source, target)}: unit {number} of {stage} of {target.name} has "
                    f"{mine}; unit {origin} of {stage} of {source.name} has {other}"
                )
            tensors |= {unit[within]: theirs[within] for within in unit}
    tensors |= {name: name for name in target.rest if name in source.shapes}
    tensors = {t: s for t, s in tensors.items() if t not in new}
    for mine, theirs_name in tensors.items():
        _check_shape(mine, theirs_name, source, target)
    lost = [n for n in target.shapes if n not in tensors and n not in new]
    if lost:
        raise UsageError(
            f"{len(lost)} tensors of {target.name} have no source in {source.name}: "
            + ", ".join(f"{n} {_size(target.shapes[n])}" for n in lost)
        )
    left = [n for n in source.rest if n not in target.shapes]
    if left:
        raise UsageError(
            f"{len(left)} tensors of {source.name} have no place in {target.name}: "
            + ", ".join(f"{n} {_size(source.shapes[n])}" for n in left)
        )
    drawn = tuple(n for n in target.shapes if n in new)  # in the network's order: it is recorded
    return Moves({s: tuple(units[s]) for s in target.stages}, tensors, drawn)


def carry(
    ticket: Ticket, network: nn.Module, moved: Moves, weights: Literal["move", "reinit"] = "move"
) -> Ticket:
    """Make the target's ticket: masks, weights, BatchNorm statistics as `moved` says, bit for bit.

    What is new comes from `network`, dense; with `weights="reinit"` all weights and statistics do,
    and training starts at step 0. The record's `moves` says where each tensor came from.
    Raises TicketError when the ticket lacks a tensor.
    """
    if missing := {s for s in moved.tensors.values() if s not in ticket.state}:
        raise TicketError(f"the ticket lacks {', '.join(sorted(missing))}")
    state = dict(network.state_dict())
    if weights == "move":
        state |= {name: ticket.state[source] for name, source in moved.tensors.items()}
    masks = {t: ticket.masks[s] for t, s in moved.tensors.items() if s in ticket.masks}
    told = {
        "units": {stage: list(units) for stage, units in moved.units.items()},
        "states": dict(moved.tensors) if weights == "move" else {},
        "masks": {t: moved.tensors[t] for t in masks},
        "new": list(moved.new),
    }
    record = {**ticket.record, "moves": told}
    if weights == "reinit":
        record["start"] = 0
    return create(network, masks, record=record, state=state)


def _check_shape(mine: str, theirs: str, source: Anatomy, target: Anatomy) -> None:
    if target.shapes[mine] == source.shapes[theirs]:
        return
    where = next(
        (f" ({s})" for s, us in target.stages.items() for u in us if mine in u.values()), ""
    )
    raise UsageError(
        f"'{mine}' of {target.name}{where} is {_size(target.shapes[mine])}; "
        f"'{theirs}' of {source.name}, its source, is {_size(source.shapes[theirs])}"
    )


def _not_kin(source: Anatomy, target: Anatomy) -> str:
    return f"{source.name} and {target.name} are not of one family"


def _stage_alone(source: Anatomy, target: Anatomy) -> str:
    """Say which stage only one of them has, and of what shape its units are."""
    for end, other in ((target, source), (source, target)):
        for stage, units in end.stages.items():
            if stage not in other.stages:
                return (
                    f"{end.name} has {stage}, with {_shown(units[-1], end.shapes)}; "
                    f"{other.name} has {', '.join(other.stages)} only"
                )
    return f"their stages are {', '.join(source.stages)} and {', '.join(target.stages)}"


def _shapes(unit: Unit, shapes: Mapping[str, Size]) -> dict[str, Size]:
    return {within: shapes[name] for within, name in unit.items()}


def _shown(unit: Unit, shapes: Mapping[str, Size]) -> str:
    """Return the unit's kernels with their sizes: `conv1.weight 16 x 16 x 3 x 3`."""
    kernels = {w: shapes[n] for w, n in unit.items() if len(shapes[n]) > 1}
    return ", ".join(f"{within} {_size(size)}" for within, size in kernels.items())


def _size(size: Size) -> str:
    return " x ".join(map(str, size)) or "a number"
