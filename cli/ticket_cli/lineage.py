"""Where a transformed ticket comes from: its ancestors, and the check against its parent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ticket.errors import CheckFailed, TicketError, UsageError
from ticket_cli.console import print_table

if TYPE_CHECKING:
    from ticket.transforming.lineage import Compared

HEADINGS = (
    *("lineage", "data set", "method", "seed", "density %", "iterations", "SHA-256", "then"),
)
LISTED = 10  # tensors that differ; more would bury the first


def print_lineage(record: Mapping[str, Any], sha256: str, kept: int, prunable: int) -> None:
    """Print the ancestors, oldest first, what they were found by or turned into, then this ticket."""
    from ticket.comparing.names import spelled, together

    lines = []
    for number, ancestor in enumerate(record["lineage"]):
        lines.append(
            [
                spelled(ancestor.get("model")),
                spelled(ancestor.get("dataset")),
                "transformed" if number else str(ancestor.get("method")),
                str(ancestor.get("seed")),
                f"{100 * ancestor['kept'] / ancestor['prunable']:.2f}",
                f"{ancestor['iterations']:,}",
                str(ancestor.get("ticket"))[:10],
                together(ancestor.get("strategies") or []),
            ]
        )
    seeds = record.get("seeds")
    lines.append(
        [
            spelled(record.get("model")),
            spelled(record.get("dataset")),
            "transformed",
            str(seeds.get("seed") if isinstance(seeds, Mapping) else seeds),
            f"{100 * kept / prunable:.2f}",
            "0",
            sha256[:10],
            "this ticket",
        ]
    )
    print_table(HEADINGS, lines, left=("data set", "method", "SHA-256", "then"))


def check_parent(path: Path, parent: Path) -> dict[str, Any]:
    """Check the ticket at `path` against its parent's file, tensor by tensor; return what was found.

    Raises UsageError for a ticket that has no parent, TicketError where a file cannot be read.
    """
    from ticket.files import digest
    from ticket.tickets import load
    from ticket.transforming.lineage import compare

    ticket = load(path)
    recorded = ticket.record.get("parent")
    if recorded is None:
        raise UsageError(f"{path} has no parent: it was found, not made from another ticket")
    try:
        compared: Compared = compare(ticket, load(parent))
    except TicketError as problem:
        raise TicketError(f"cannot check {path} against {parent}: {problem}") from problem
    return {
        "path": str(parent),
        "sha256": digest(parent),
        "recorded": recorded,
        "equal": list(compared.equal),
        "different": list(compared.different),
        "own": list(compared.own),
    }


def print_check(check: Mapping[str, Any]) -> None:
    """Print what of a ticket is its parent's."""
    word = "as recorded" if check["sha256"] == check["recorded"] else "NOT the recorded parent"
    click.echo(f"checked against {check['path']} (SHA-256 {check['sha256'][:10]}, {word})")
    for word, said in (
        ("equal", "are the parent's, bit for bit"),
        ("own", "are its own, new or drawn"),
        ("different", "should be the parent's and differ"),
    ):
        click.echo(f"{len(check[word]):>6,} tensors {said}")
    for name in check["different"][:LISTED]:
        click.echo(f"         {name}")
    if len(check["different"]) > LISTED:
        click.echo(f"         and {len(check['different']) - LISTED:,} more")


def refuse(check: Mapping[str, Any], path: Path, runs_folder: Path) -> None:
    """Raise CheckFailed when the parent is not the recorded one, or a tensor is not what it should be."""
    from ticket.comparing.shelf import Shelf

    wrong = []
    if check["sha256"] != check["recorded"]:
        recorded = check["recorded"][:10]
        known = Shelf(runs_folder).tickets.get(check["recorded"])
        place = f", that is {known}" if known else ""
        wrong.append(f"its SHA-256 is {check['sha256'][:10]}, recorded is {recorded}{place}")
    if check["different"]:
        wrong.append(f"tensors that differ: {len(check['different']):,}")
    if wrong:
        raise CheckFailed(f"{check['path']} is not the parent of {path}: {'; '.join(wrong)}")
