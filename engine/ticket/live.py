"""What lives between the phases of a run, and the checkpoint that holds all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ticket import ticket_file
from ticket.evaluation import Score
from ticket.files import write_atomically
from ticket.job import Point
from ticket.network import load_state, state_of


@dataclass
class Live:
    """Hold a run between two steps: the network, its masks, and what comes next.

    `start` is the step that the next training begins at (after a rewind), `moments` the optimizer's
    tensors it begins with (only when they are rewound too), `records` what the rounds have shown.
    """

    model: nn.Module
    masks: dict[str, Tensor]
    doomed: dict[str, Tensor] | None = None
    start: int = 0
    moments: dict[str, Tensor] = field(default_factory=dict)
    round: int = 0
    phase: int = 0
    records: list[dict[str, Any]] = field(default_factory=list)
    seconds: list[dict[str, float]] = field(default_factory=list)  # wall clock, by round
    metrics_bytes: int = 0


def save(path: Path, live: Live, point: Point | None) -> None:
    """Write a checkpoint whole: everything, in one file, so that nothing can be out of step."""
    tensors: dict[str, Tensor] = {}
    _add(tensors, "model", state_of(live.model))
    _add(tensors, "mask", live.masks | (point.masks if point else {}))  # a training may change them
    _add(tensors, "doomed", live.doomed or {})
    _add(tensors, "rewound", live.moments)
    document: dict[str, Any] = {
        "round": live.round,
        "phase": live.phase,
        "start": live.start,
        "marked": live.doomed is not None,
        "records": live.records,
        "seconds": live.seconds,
        "metrics_bytes": live.metrics_bytes,
        "point": None,
    }
    if point is not None:
        _add(tensors, "best", point.best)
        _add(tensors, "moment", point.moments)
        _add(tensors, "explored", point.explored)
        _add(tensors, "memory", point.memory)
        if point.random is not None:
            tensors["random"] = point.random
        document["point"] = _plain_point(point)
    write_atomically(path, ticket_file.encode(document, tensors))


def restore(path: Path, model: nn.Module) -> tuple[Live, Point | None]:
    """Read a checkpoint into the network. Raises TicketError for a damaged file."""
    document, tensors = ticket_file.read(path)
    device = next(model.parameters()).device
    load_state(model, _part(tensors, "model"))
    on_device = {
        part: {name: tensor.to(device) for name, tensor in _part(tensors, part).items()}
        for part in ("mask", "doomed", "explored", "memory")
    }
    live = Live(
        model,
        on_device["mask"],
        on_device["doomed"] if document["marked"] else None,
        document["start"],
        _part(tensors, "rewound"),
        document["round"],
        document["phase"],
        document["records"],
        document["seconds"],
        document["metrics_bytes"],
    )
    if document["point"] is None:
        return live, None
    values = dict(document["point"])
    for key in ("best_score", "last_score"):
        values[key] = _score(values[key])
    return live, Point(
        **values,
        best=_part(tensors, "best"),
        moments=_part(tensors, "moment"),
        random=tensors.get("random"),
        masks=dict(live.masks),
        explored=on_device["explored"],
        memory=on_device["memory"],
    )


def _plain_point(point: Point) -> dict[str, Any]:
    """Spell a point in JSON, which has no infinity: a score not yet taken is null."""
    names = ("step", "stale", "best_step", "train_loss", "seconds", "updates", "settled")
    plain: dict[str, Any] = {name: getattr(point, name) for name in names}
    for name in ("best_score", "last_score"):
        score: Score = getattr(point, name)
        plain[name] = None if torch.isinf(torch.tensor(score.loss)) else asdict(score)
    return plain


def _score(plain: Mapping[str, float] | None) -> Score:
    return Score(float("inf"), 0.0) if plain is None else Score(plain["loss"], plain["accuracy"])


def _add(tensors: dict[str, Tensor], part: str, more: Mapping[str, Tensor]) -> None:
    tensors |= {f"{part}.{name}": tensor.detach().cpu() for name, tensor in more.items()}


def _part(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    start = f"{part}."
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}
