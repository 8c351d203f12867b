"""What a run writes: the ticket and the figures of each round, and at the end its results."""

from __future__ import annotations

import shutil
from typing import Any

from ticket.folder import make, write_json
from ticket.live import Live
from ticket.masks import counts, prunable
from ticket.masks import kept as count_kept
from ticket.phases import Phase, Train, kind_of
from ticket.run import Run
from ticket.setting import Outcome
from ticket.tickets import Ticket, create, load, versions
from ticket.uses import plain
from ticket.watch import Progress
from ticket.work import weight_uses


def note(live: Live, name: str, phase: Phase, outcome: Outcome) -> None:
    """Add what a phase showed to the record of its round."""
    record = live.records[live.round]
    if isinstance(phase, Train):
        record["trainings"].append({"phase": name, **outcome.figures})
    elif outcome.figures:
        record[kind_of(phase)] = outcome.figures
    seconds = live.seconds[live.round]
    seconds[name] = seconds.get(name, 0.0) + outcome.seconds


def density_of(live: Live) -> float:
    """Return kept / prunable of the live network."""
    kept, prunable = counts(live.model, live.masks)
    return kept / prunable


def open_round(run: Run, live: Live) -> None:
    """Write the ticket of this round: its masks, and the state its training starts from."""
    kept, prunable = counts(live.model, live.masks)
    by_layer = {name: count_kept({name: mask}) for name, mask in live.masks.items()}
    record = {
        "round": live.round,
        "kept": kept,
        "prunable": prunable,
        "density": kept / prunable,
        "layers": by_layer,
        "trainings": [],
    }
    del live.records[live.round :], live.seconds[live.round :]
    live.records.append(record)
    live.seconds.append({})
    make(run.folder.round(live.round))
    create(live.model, live.masks, record=ticket_record(run, live)).save(
        run.folder.round_ticket(live.round)
    )


def ticket_record(run: Run, live: Live) -> dict[str, Any]:
    """Return the record that goes into a ticket's file: no times, so that two runs agree byte by byte."""
    config, data = run.config, run.task.data
    started = {} if run.start is None else {"parent": config.start, **_inherited(run.start)}
    return {
        "model": {"name": config.model.name, "options": plain(config.model.options)},
        "dataset": config.plain()["dataset"],
        "input": {"shape": list(data.train_images.shape[1:]), "classes": len(data.classes)},
        "training": config.plain()["training"],
        "recipe": config.plain()["recipe"],
        "seeds": {"seed": config.seed},
        "weights": config.weights,
        "start": live.start,
        "rounds": live.records,
        "parent": None,
        **started,
        "versions": versions(),
    }


def _inherited(ticket: Ticket) -> dict[str, Any]:
    """Return what a training run tells of where the ticket that it trains comes from."""
    return {"lineage": ticket.record["lineage"]} if "lineage" in ticket.record else {}


def close_round(run: Run, live: Live) -> None:
    """Complete the ticket of this round with what the round showed."""
    path = run.folder.round_ticket(live.round)
    ticket = load(path)
    Ticket(ticket.masks, ticket.state, {**ticket.record, "rounds": live.records}).save(path)
    seconds = {"seconds": live.seconds[live.round]}
    write_json(run.folder.round(live.round) / "figures.json", live.records[live.round] | seconds)
    if run.keep == "last" and live.round > 1:  # round 0 is where controls start from
        shutil.rmtree(run.folder.round(live.round - 1), ignore_errors=True)


def work_of(run: Run, live: Live) -> dict[str, Any]:
    """Return what a training's cost is counted by: examples of an epoch, and the uses of each weight."""
    train = run.task.splits(run.config.seed).train
    two = train.normalised(train.images[:2])
    sizes = {name: weight.numel() for name, weight in prunable(live.model).items()}
    return {"examples": len(train), "weights": sizes, "uses": weight_uses(live.model, two)}


def finish(run: Run, live: Live) -> None:
    """Write the ticket, the trained ticket and, last, the figures that say the run is finished."""
    last = load(run.folder.round_ticket(live.round - 1))
    last.save(run.folder.ticket)
    record = {**dict(last.record), "trained": True}
    create(live.model, live.masks, record=record).save(run.folder.trained)
    write_json(
        run.folder.figures,
        {
            "config": run.config.plain(),
            "seed": run.config.seed,
            "work": work_of(run, live),
            "rounds": [r | {"seconds": s} for r, s in zip(live.records, live.seconds, strict=True)],
        },
    )
    run.folder.checkpoint.unlink(missing_ok=True)
    run.report(
        Progress(
            "done", run.config.seed, live.round - 1, live.round - 1, "", density=density_of(live)
        )
    )
