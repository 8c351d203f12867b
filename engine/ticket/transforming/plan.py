"""What a transform does, unit by unit, with densities before and after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ticket.tickets import Ticket
from ticket.transforming.anatomy import Anatomy


@dataclass(frozen=True)
class PlanRow:
    """Say where one unit of the source, or one layer outside the stages, goes.

    `state`: invariant, moved, copied (to several target units), dropped, or new (the target's data set
    shapes it, or a tensor of it). `kept` of `prunable` weights are what the unit keeps.
    """

    stage: str
    unit: int | None
    targets: tuple[int, ...]
    state: str
    kept: int
    prunable: int


@dataclass(frozen=True)
class StageRow:
    """Hold a stage's units and density before and after: counts of units, kept, prunable weights."""

    stage: str
    units: tuple[int, int]
    kept: tuple[int, int]
    prunable: tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """Hold the rows of a transform; both are empty for one that moves no units."""

    rows: tuple[PlanRow, ...]
    stages: tuple[StageRow, ...]


def plan_of(
    parent: Ticket, result: Ticket, moves: Mapping[str, Any], source: Anatomy, target: Anatomy
) -> Plan:
    """Tell what became of each unit of `source` in the result, and of the layers outside the stages."""
    rows: list[PlanRow] = []
    stages: list[StageRow] = []
    new = set(moves["new"])
    for stage in source.stages:  # in the network's order; the record's is by name
        chosen = moves["units"].get(stage, ())
        for number, unit in enumerate(source.stages[stage]):
            targets = tuple(t for t, s in enumerate(chosen) if s == number)
            state = "invariant" if number == 0 else ("dropped", "moved")[len(targets) == 1]
            if len(targets) > 1:
                state = "copied"
            if any(n in new for t in targets for n in target.stages[stage][t].values()):
                state = "new"
            rows.append(PlanRow(stage, number, targets, state, *_counts(parent, unit.values())))
        ends = [
            (len(end.stages[stage]), *_counts(ticket, _tensors(end, stage)))
            for ticket, end in ((parent, source), (result, target))
        ]
        units, kept, prunable = zip(*ends, strict=True)
        stages.append(StageRow(stage, units, kept, prunable))
    for name in target.rest:
        if name in result.record["prunable"]:
            state = "new" if name in new else "invariant"
            rows.append(PlanRow(name, None, (), state, *_counts(result, [name])))
    return Plan(tuple(rows), tuple(stages))


def _tensors(anatomy: Anatomy, stage: str) -> list[str]:
    return [name for unit in anatomy.stages[stage] for name in unit.values()]


def _counts(ticket: Ticket, names: Iterable[str]) -> tuple[int, int]:
    """Return (kept, all) prunable weights among the tensors of these names."""
    weights = [n for n in names if n in ticket.record["prunable"]]
    total = sum(ticket.state[n].numel() for n in weights)
    masked = sum(int((~ticket.masks[n]).sum()) for n in weights if n in ticket.masks)
    return total - masked, total
