"""What a run or a ticket has shown, read from its folder: entries for the rows of a comparison."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ticket.comparing.costs import Cost, cost_of_rounds, cost_of_training
from ticket.comparing.rows import Entry, Lineage, Value
from ticket.comparing.shelf import Shelf
from ticket.comparing.subjects import (
    Document,
    control_subject,
    dense_subject,
    ticket_subject,
    trains_dense_first,
)
from ticket.config import from_yaml
from ticket.errors import TicketError, UsageError
from ticket.files import digest
from ticket.finding import findings_of
from ticket.folder import Folder, read_json
from ticket.ticket_file import read_record
from ticket.tickets import load
from ticket.transforming.lineage import iterations


@dataclass(frozen=True)
class Reading:
    """Hold entries, the runs passed over because they are not finished, tickets nobody trained."""

    entries: list[Entry]
    unfinished: list[Path]
    untrained: list[Path]


def read(place: Path, shelf: Shelf) -> Reading:
    """Read a run's folder, the folder of a transform, or a ticket's file.

    Raises TicketError for a run that is not finished: it names the command that continues it.
    """
    if not place.is_dir():
        return _read_ticket(place, shelf)
    folder, config = Folder(place), config_of(place)
    if not folder.finished:
        raise TicketError(f"{place} is not finished; continue it with: {_command(config, shelf)}")
    around = place.resolve().parent
    if around.name == "controls":
        raise UsageError(f"{place} is a control; give its run, {around.parent}")
    if config.get("toward"):
        raise UsageError(f"{place} is a step of a transform; give the transform's folder")
    if "transform" in config:
        reading = _read_ticket(folder.ticket, shelf)
        return replace(reading, untrained=[place] if reading.untrained else [])
    if config.get("start"):
        origin = shelf.tickets.get(str(config["start"]))
        cost = cost_of(origin, shelf) if origin else Cost()
        return Reading(_read_training(folder, config, cost), [], [])
    sha256, cost = digest(folder.ticket), cost_of(folder.ticket, shelf)
    return Reading(_entries(folder, config, sha256, cost, ()), [], [])


def config_of(place: Path) -> dict[str, Any]:
    """Return the configuration in a run's folder. Raises TicketError."""
    path = Folder(place).config
    return from_yaml(path.read_text(encoding="utf-8"), str(path))


def cost_of(path: Path, shelf: Shelf) -> Cost:
    """Tell what finding the ticket at `path` took, by its run's figures, else by its own record.

    The last round's training is the ticket's own, no part of it. A file alone records no seconds.
    """
    folder, record = Folder(path.parent), read_record(path)
    beside = path == folder.ticket and folder.config.is_file() and folder.finished
    figures = read_json(folder.figures) if beside else {}
    if record.get("lineage"):
        made = figures.get("transform") or {}
        count = float(made.get("iterations", 0))
        unknown = None if count else 0.0  # its trainings are runs of their own
        return Cost(count, unknown, unknown, made.get("seconds"))
    if record.get("parent"):  # written by a training; what it trained was found elsewhere
        origin = shelf.tickets.get(record["parent"])
        return cost_of(origin, shelf) if origin else Cost()
    if beside:
        return cost_of_rounds(figures, range(len(figures["rounds"]) - 1))
    rounds = record.get("rounds") or []
    return Cost(sum(iterations(r) for r in rounds[:-1])) if rounds else Cost()


def _read_ticket(path: Path, shelf: Shelf) -> Reading:
    """Read the trainings of a ticket that is there as a file, or the ticket alone without any."""
    ticket, sha256 = load(path), digest(path)
    record, cost = ticket.record, cost_of(path, shelf)
    if record.get("trained"):
        raise UsageError(f"{path} holds trained weights; give its run's folder, or the ticket")
    trainings = [Folder(place) for place in shelf.trainings.get(sha256, [])]
    unfinished = [folder.path for folder in trainings if not folder.finished]
    entries = [
        entry
        for folder in trainings
        if folder.finished
        for entry in _read_training(folder, config_of(folder.path), cost)
    ]
    if entries:
        return Reading(entries, unfinished, [])
    lineage = tuple(record.get("lineage") or ())
    subject = ticket_subject(record, lineage, ticket.kept, ticket.prunable)
    counts = ticket.kept, ticket.prunable
    value = Value(ticket.seed, sha256, path, *counts, search=cost, lineage=lineage)
    return Reading([(subject, value)], unfinished, [path])


def _read_training(folder: Folder, config: Document, cost: Cost) -> list[Entry]:
    """Read a run that has trained a ticket, which tells its lineage."""
    lineage = tuple(read_record(folder.ticket).get("lineage") or ())
    return _entries(folder, config, str(config["start"]), cost, lineage)


def _entries(
    folder: Folder, config: Document, sha256: str, cost: Cost, lineage: Lineage
) -> list[Entry]:
    """Return the ticket of a finished run, the dense network, and the controls at the last round."""
    finding = findings_of(folder.path)

    def value(figures: Document, training: Document, own: Cost) -> Value:
        counts = int(figures["kept"]), int(figures["prunable"])
        return Value(finding.seed, sha256, folder.path, *counts, training, own=own)

    told, number = read_json(folder.figures), len(finding.rounds) - 1
    first, last = finding.rounds[0], finding.rounds[-1]
    subject = ticket_subject(config, lineage, int(last["kept"]), int(last["prunable"]))
    found = value(last, finding.final, cost_of_rounds(told, [number]))
    entries = [(subject, replace(found, lineage=lineage, search=cost))]
    if len(finding.rounds) > 1 and trains_dense_first(config):
        own = cost_of_training(told, 0, 0)
        entries.append((dense_subject(config), value(first, first["trainings"][0], own)))
    for control in finding.controls:
        if control["control"] == "dense" or control["at_round"] == last["round"]:
            about = control_subject(subject, config, control["control"])
            beside = Folder(folder.control(control["control"], control["at_round"]))
            own = cost_of_rounds(read_json(beside.figures), [0])
            entries.append((about, value(control, control["trainings"][-1], own)))
    return entries


def _command(config: Document, shelf: Shelf) -> str:
    """Return the command that continues a run; what flags it had only the user knows."""

    def name(use: object) -> object:
        return use.get("name") if isinstance(use, dict) else use

    seed = config.get("seed", 0)
    if "transform" in config:
        return f"ticket transform --to {name(config.get('model'))} and the other flags that it began with"
    if config.get("start"):
        start = str(config["start"])
        ticket = shelf.tickets.get(start) or f"TICKET (SHA-256 {start[:10]})"
        return f"ticket train {ticket} --seed {seed} and the other flags that it began with"
    method = name(config.get("recipe") or {})
    return (
        f"ticket find --method {method} --model {name(config.get('model'))} "
        f"--dataset {name(config.get('dataset'))} --seed {seed} and the other flags that it began with"
    )
