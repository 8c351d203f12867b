"""What is written down twice is the same: configuration, figures, tickets, measurements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ticket.config import read_config
from ticket.errors import TicketError
from ticket.folder import read_json
from ticket.ticket_file import read_record
from ticket.uses import plain
from ticket.verifying.evidence import Evidence
from ticket.verifying.results import Result, judged, skipped

_OWN = ("rounds", "kept", "tensors", "start")  # of one file; the rest all files of a run share


def records(evidence: Evidence) -> Iterator[Result]:
    """Check the records of a run's tickets and figures against its configuration and one another."""
    folder, config = evidence.folder, evidence.config
    first = None
    for number in evidence.rounds:
        record = read_record(folder.round_ticket(number))
        wrong = _against_config(record, evidence)
        shared = {k: v for k, v in record.items() if k not in _OWN}
        first = first or shared
        wrong += [f"its {k!r} is not that of the other rounds" for k in _unequal(first, shared)]
        yield judged("records", f"round {number}", wrong)
    if not evidence.finished:
        yield skipped(
            "records", "figures", "the run is not finished; the command that began it goes on"
        )
        return
    yield judged("records", "figures", _figures(evidence))
    last = read_record(folder.round_ticket(evidence.last))
    for path, own in ((folder.ticket, {}), (folder.trained, {"trained": True})):
        record = read_record(path)
        tensors = {} if own else {"tensors": last["tensors"]}
        unlike = _unequal({**last, **own, **tensors}, record)
        if own:  # the trained weights are others, and so may be the masks
            unlike = [name for name in unlike if name not in ("tensors", "kept")]
        wrong = [f"its {k!r} is not that of round {evidence.last}" for k in unlike]
        yield judged("records", path.name, wrong)
    name = config.run_name()
    if folder.path.resolve().parent.name != "controls" and ".old-" not in folder.path.name:
        same = folder.path.resolve().name == name
        yield judged("records", "folder", [] if same else [f"its configuration names it {name}"])


def _against_config(record: Mapping[str, Any], evidence: Evidence) -> list[str]:
    config, document = evidence.config, evidence.config.plain()
    said = {
        "model": {"name": config.model.name, "options": plain(config.model.options)},
        "dataset": document["dataset"],
        "training": document["training"],
        "recipe": document["recipe"],
        "seeds": {"seed": config.seed},
        "weights": config.weights,
    }
    if config.start is not None:
        said["parent"] = config.start
    told = {**record, **{n: _as_read(evidence, n, record.get(n)) for n in ("training", "recipe")}}
    return [f"its {name!r} is not that of config.yaml" for name in _unequal(said, told, said)]


def _as_read(evidence: Evidence, name: str, told: object) -> object:
    """Return a part of the configuration with the fields that came after it was written, too."""
    try:
        return read_config({**evidence.config.plain(), name: told}).plain()[name]
    except TicketError:
        return told


def _figures(evidence: Evidence) -> list[str]:
    """Compare the run's figures with those in the last ticket, of each round, and with the metrics."""
    folder = evidence.folder
    wrong = []
    told = [{k: v for k, v in r.items() if k != "seconds"} for r in evidence.figures]
    if told != read_record(folder.round_ticket(evidence.last)).get("rounds"):
        wrong.append("figures.json and the ticket's record tell other rounds")
    told_config = read_json(folder.figures).get("config") or {}
    today = {n: _as_read(evidence, n, told_config.get(n)) for n in ("training", "recipe")}
    if {**evidence.config.plain(), **told_config, **today} != plain(evidence.config.plain()):
        wrong.append("figures.json holds another configuration than config.yaml")
    for number in evidence.rounds:
        if read_json(folder.round(number) / "figures.json") != evidence.figures[number]:
            wrong.append(f"round {number} has other figures in its folder than in figures.json")
    return wrong


def _unequal(
    one: Mapping[str, Any], other: Mapping[str, Any], names: Mapping[str, Any] | None = None
) -> list[str]:
    return [n for n in (names or {**one, **other}) if one.get(n) != other.get(n)]
