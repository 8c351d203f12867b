"""An exported file as `ticket show` and `ticket bench` see it: its steps, and the plans decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ticket.errors import TicketError
from ticket.exporting.container import find_plans
from ticket.exporting.decode import Plan, decode
from ticket.exporting.ir import Shape


@dataclass(frozen=True)
class StepTold:
    """Tell of a step: the plan at this place, or else torch's operator of this name."""

    plan: int | None
    operator: str
    reads: tuple[int, ...]
    makes: int


@dataclass(frozen=True, eq=False)
class Opened:
    """Hold what a file says: its format, plans in order and their bytes, steps, ends and metadata."""

    format: str
    data: tuple[bytes, ...]
    plans: tuple[Plan, ...]
    steps: tuple[StepTold, ...]
    shape: Shape  # of an image
    outputs: Shape
    metadata: Mapping[str, Any]


def opened(path: Path) -> Opened:
    """Read an exported file, everything in it checked.

    Raises TicketError for a file that holds no plan, a damaged one, or not the plans it tells of.
    """
    held = find_plans(path)
    try:
        decoded = [(decode(data), data) for data in held.plans]
        ordered = sorted(decoded, key=lambda found: _place(found[0], len(decoded)))
        plans = tuple(plan for plan, _ in ordered)
        if [_place(plan, len(plans)) for plan in plans] != list(range(len(plans))):
            raise TicketError("its plans are not the parts of one network; export it again")
        data = tuple(data for _, data in ordered)
        metadata = dict(plans[0].metadata)
        told = metadata.pop("program", None)
        if told is None:
            return _whole(held.format, data, plans, metadata)
        steps, shape, outputs = _told(told, len(plans))
    except TicketError as error:
        raise TicketError(f"{path}: {error}") from error
    return Opened(held.format, data, plans, steps, shape, outputs, metadata)


def _whole(
    format: str, data: tuple[bytes, ...], plans: tuple[Plan, ...], metadata: Mapping[str, Any]
) -> Opened:
    if len(plans) != 1:
        raise TicketError(f"it holds {len(plans)} plans and does not say how they are joined")
    graph = plans[0].graph
    shape, outputs = (graph.values[ids[0]] for ids in (graph.inputs, graph.outputs))
    assert shape is not None
    assert outputs is not None  # a plan's values all have shapes
    step = StepTold(0, "", graph.inputs, graph.outputs[0])
    return Opened(format, data, plans, (step,), shape, outputs, metadata)


def _place(plan: Plan, count: int) -> int:
    """Return which part of the network a plan is."""
    place = plan.metadata.get("part", 0)
    return place if type(place) is int and 0 <= place < count else count


def _told(told: object, plans: int) -> tuple[tuple[StepTold, ...], Shape, Shape]:
    """Check what the first plan tells of the steps."""
    match told:
        case {"input": [*shape], "output": [*outputs], "steps": [*steps]} if shape and all(
            _count(size) and size for size in (*shape, *outputs)
        ):
            found = tuple(map(_step, steps))
            if [step.plan for step in found if step.plan is not None] == list(range(plans)):
                return found, tuple(shape), tuple(outputs)
    raise TicketError("its metadata does not tell how its plans are joined; export it again")


def _step(told: object) -> StepTold:
    match told:
        case {"plan": place, "reads": [*reads], "makes": makes} if (
            _count(place) and _count(makes) and all(map(_count, reads))
        ):
            return StepTold(place, "", tuple(reads), makes)
        case {"operator": str(name), "reads": [*reads], "makes": makes} if _count(makes) and all(
            map(_count, reads)
        ):
            return StepTold(None, name, tuple(reads), makes)
    raise TicketError("its metadata holds a step that is none; export it again")


def _count(number: object) -> bool:
    return type(number) is int and number >= 0
