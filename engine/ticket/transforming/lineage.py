"""Where a ticket comes from: its ancestors, and which of its tensors are still theirs, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ticket.errors import TicketError, UsageError
from ticket.tickets import Ticket

Record = Mapping[str, Any]
INHERITED = "inherited"  # marks a record's moves as those of an earlier step


def ancestor(
    ticket: Ticket, sha256: str, strategies: Sequence[object], seed: int
) -> dict[str, Any]:
    """Describe the ticket of this file as an ancestor: what it is, what finding it cost, what follows.

    `strategies` (in terms of YAML) and `seed` lead to its child. Its `iterations` are those of all
    trainings before its last round's, which is its own.
    """
    record = ticket.record
    recipe = record.get("recipe") or {}
    return {
        "ticket": sha256,
        "model": record.get("model"),
        "dataset": record.get("dataset"),
        "method": recipe.get("name"),
        "seed": (record.get("seeds") or {}).get("seed"),
        "kept": ticket.kept,
        "prunable": ticket.prunable,
        "iterations": sum(iterations(r) for r in (record.get("rounds") or [])[:-1]),
        "strategies": list(strategies),
        "transform_seed": seed,
    }


def iterations(figures: Record) -> int:
    """Count the training iterations of a round."""
    return sum(int(training["iterations"]) for training in figures.get("trainings", []))


def all_of(ticket: Ticket) -> dict[str, Any]:
    """Return the moves that leave every tensor of a ticket where it is."""
    states, masks = {n: n for n in ticket.state}, {n: n for n in ticket.masks}
    return {"units": {}, "states": states, "masks": masks, "new": []}


def handed(ticket: Ticket, before: Record) -> Ticket:
    """Return the ticket with the moves up to here in its record, for a strategy that may tell its own."""
    return replace(ticket, record={**ticket.record, "moves": {**before, INHERITED: True}})


def after(before: Record, ticket: Ticket, parent: Ticket) -> dict[str, Any]:
    """Return the moves from `parent` to `ticket`, of which `before` were those up to the last step.

    A step that says its own moves is joined to them; any other has left tensors where they were. What
    is no longer the parent's, bit for bit, is no move. Raises UsageError for moves that are none.
    """
    told = ticket.record.get("moves")
    if told is None or INHERITED in told:
        moves = dict(before)
    else:
        _check_told(told)
        moves = {"units": _joined(before["units"], told["units"])}
        moves["new"] = [t for t, s in told["states"].items() if s in before["new"]] + told["new"]
        for part in ("states", "masks"):
            known = before[part]
            moves[part] = {t: known[s] for t, s in told[part].items() if s in known}
    for part, mine, theirs in (
        ("states", ticket.state, parent.state),
        ("masks", ticket.masks, parent.masks),
    ):
        moves[part] = {
            t: s
            for t, s in moves[part].items()
            if t in mine and s in theirs and same_bits(mine[t], theirs[s])
        }
    return moves


def _check_told(told: Record) -> None:
    mappings = (told.get(part) for part in ("units", "states", "masks"))
    if not all(isinstance(part, Mapping) for part in mappings) or not isinstance(
        told.get("new"), list
    ):
        raise UsageError(
            "a strategy records its moves as units, states, masks and new, as "
            f"ticket.transforming.moves.carry does; this one records {', '.join(told) or 'nothing'}"
        )


def _joined(first: Record, then: Record) -> dict[str, list[int]]:
    """Follow units through two steps."""
    return {
        stage: [first[stage][unit] if stage in first else unit for unit in units]
        for stage, units in then.items()
    }


@dataclass(frozen=True)
class Compared:
    """Say what a ticket owes its parent: tensors equal to it, differing, and those that are its own."""

    equal: tuple[str, ...]
    different: tuple[str, ...]
    own: tuple[str, ...]


def compare(ticket: Ticket, parent: Ticket) -> Compared:
    """Check a transformed ticket against its parent, tensor by tensor: weights, buffers and masks.

    Raises TicketError when the ticket does not record what was moved.
    """
    moves = ticket.record.get("moves")
    if not isinstance(moves, Mapping) or not all(
        isinstance(moves.get(part), Mapping) for part in ("states", "masks")
    ):
        raise TicketError("the ticket does not record which tensors come from its parent")
    equal, different, own = [], [], []
    for part, mine, theirs in (
        ("states", ticket.state, parent.state),
        ("masks", ticket.masks, parent.masks),
    ):
        word = "state" if part == "states" else "mask"
        for name, tensor in mine.items():
            source = moves[part].get(name)
            if source is None:
                own.append(f"{word}.{name}")
            elif source in theirs and same_bits(tensor, theirs[source]):
                equal.append(f"{word}.{name}")
            else:
                different.append(f"{word}.{name}")
        different += [f"{word}.{name}" for name in moves[part] if name not in mine]
    return Compared(tuple(equal), tuple(different), tuple(own))


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Tell whether two tensors are the same to the bit."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    bytes_of = (t.contiguous().reshape(-1).view(torch.uint8) for t in (one, other))
    return torch.equal(*bytes_of)
