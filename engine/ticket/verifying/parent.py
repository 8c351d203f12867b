"""What a ticket owes another one: a transformed ticket its parent, a training the ticket it trains."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ticket.comparing.shelf import Shelf
from ticket.errors import TicketError
from ticket.files import digest
from ticket.tickets import load
from ticket.transforming.lineage import compare, same_bits
from ticket.verifying.results import Result, failed, judged, skipped
from ticket.verifying.stored import Stored, read_stored


def parent(stored: Stored, shelf: Shelf, given: Path | None) -> Iterator[Result]:
    """Check a ticket against the one that its record names as its parent, if it names one.

    `given` is that ticket's file; without it the runs folder is searched for one of that content.
    """
    sha256 = stored.record.get("parent")
    if sha256 is None:
        if given is not None:
            yield failed("parent", stored.path.name, "it records no parent: it was found")
        return
    path = given or shelf.tickets.get(str(sha256))
    if path is None:
        text = f"{shelf.runs_folder} holds no ticket with SHA-256 {str(sha256)[:10]}; --parent names it"
        yield skipped("parent", stored.path.name, text)
        return
    if digest(path) != sha256:
        text = f"{path} is not it: SHA-256 {digest(path)[:10]}, recorded is {str(sha256)[:10]}"
        yield failed("parent", stored.path.name, text)
        return
    if "moves" in stored.record:
        yield _transformed(stored, path)
    else:
        yield _trained(stored, read_stored(path))


def _transformed(stored: Stored, path: Path) -> Result:
    try:
        compared = compare(load(stored.path), load(path))
    except TicketError as problem:
        return failed("parent", stored.path.name, str(problem))
    wrong = [f"{name!r} is the parent's no more" for name in compared.different]
    last = (stored.record.get("lineage") or [{}])[-1]
    if last.get("ticket") != stored.record["parent"]:
        wrong.append("its lineage ends with another ticket than its parent")
    return judged("parent", stored.path.name, wrong)


def _trained(stored: Stored, other: Stored) -> Result:
    """Check a training's start: the masks and the state of the ticket that it trains."""
    wrong = [
        f"the {word} of {name!r} is not that of {other.path}"
        for word, mine, theirs in (
            ("mask", stored.masks, other.masks),
            ("state", stored.state, other.state),
        )
        for name in {**mine, **theirs}
        if name not in mine or name not in theirs or not same_bits(mine[name], theirs[name])
    ]
    return judged("parent", stored.path.name, wrong)
