"""`ticket stability`: whether copies of a ticket, trained with other noise, end in one minimum."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from ticket.errors import UsageError
from ticket_cli import options, rows
from ticket_cli.console import print_table
from ticket_cli.sections import sectioned

if TYPE_CHECKING:
    from ticket.analysing.stability import Stability
    from ticket.tickets import Ticket

SECTIONS = {
    "What to train": ("number", "dense", "orders", "points"),
    "Running": ("data_folder", "runs_folder", "device", "threads", "as_json", "quiet"),
}


@click.command(cls=sectioned(SECTIONS))
@click.argument("place", metavar="RUN|TICKET")
@options.together(
    click.option(
        "--round",
        "number",
        type=click.IntRange(min=0),
        metavar="N",
        help="The ticket of round N of a run.  [default: the last]",
    ),
    click.option(
        "--dense", is_flag=True, help="The dense network of a run, at the step that it rewinds to."
    ),
    click.option(
        "--orders",
        type=click.IntRange(min=2),
        default=2,
        metavar="K",
        help="Train K copies, each in an order of its own; every two make a line.  [default: 2]",
    ),
    click.option(
        "--points",
        type=click.IntRange(min=2),
        default=30,
        metavar="P",
        help="Evaluate so many points on a line, ends among them.  [default: 30]",
    ),
    options.common,
)
def stability(place: str, **given: Any) -> None:
    """Train copies of a ticket in different orders and measure the barrier between them.

    RUN or TICKET is a run's folder, a ticket file, or a model's name (the newest ticket found for it).
    Copies share start, masks and training set; order, augmentation and dropout differ. The barrier is
    the highest test error on the straight line between two of them, less the mean of its ends, with
    BatchNorm statistics estimated anew on the way; below 2 points the ticket is stable (Frankle et al.
    2020). The same command continues an interrupted one.
    """
    from ticket.analysing import stability as analysing
    from ticket.ticket_training import Where
    from ticket_cli.progress import shown

    ticket = _ticket(place, given)
    with shown([], quiet=given["quiet"], on_stderr=given["as_json"], idle="") as report:
        where = Where(
            given["data_folder"], given["runs_folder"], given["device"], given["threads"], report
        )
        found = analysing.stability(ticket, where, orders=given["orders"], points=given["points"])
    if given["as_json"]:
        click.echo(json.dumps(_document(found), indent=1))
    else:
        _print(found)


def _ticket(place: str, given: dict[str, Any]) -> Ticket:
    """Return the ticket that is meant. Raises UsageError for a round or a state that is not there."""
    from ticket.analysing.stability import dense_at
    from ticket.end import end_of
    from ticket.folder import Folder
    from ticket.locate import locate
    from ticket.tickets import load

    path = locate(place, given["runs_folder"])
    folder, number = Folder(path.parent), given["number"]
    if given["dense"] and number is not None:
        raise UsageError("--dense and --round both say what to train; give one")
    if given["dense"] or number is not None:
        wanted = folder.round_ticket(number or 0)
        if not wanted.is_file():
            raise UsageError(f"{wanted} is not there; give a run that kept it (--keep tickets)")
        if not given["dense"]:
            return load(wanted)
        return dense_at(folder, end_of(load(path), None, given["data_folder"]).build())
    return load(path)


def _print(found: Stability) -> None:
    lines = []
    for pair in found.lines:
        highest = max(range(len(pair.errors)), key=pair.errors.__getitem__)
        lines.append(
            [
                f"{100 * pair.errors[0]:.2f}",
                f"{100 * pair.errors[-1]:.2f}",
                f"{100 * pair.errors[highest]:.2f}",
                f"{pair.shares[highest]:.2f}",
                f"{100 * pair.barrier:.2f}",
                "stable" if pair.stable else "unstable",
            ]
        )
    click.echo(
        f"trained from iteration {found.start}, {100 * found.density:.2f} % dense: "
        f"test accuracy {rows.percent(found.accuracies)} %\n"
    )
    print_table(("error of one", "other", "highest", "at", "barrier", "so it is"), lines)
    click.echo("errors and barriers in % of the test set; stable: a barrier below 2")


def _document(found: Stability) -> dict[str, Any]:
    return {
        "start": found.start,
        "density": found.density,
        "copies": [str(folder) for folder in found.folders],
        "test_accuracy": list(found.accuracies),
        "barrier": found.barrier,
        "lines": [
            {
                "shares": list(one.shares),
                "test_error": list(one.errors),
                "barrier": one.barrier,
                "stable": one.stable,
            }
            for one in found.lines
        ],
    }
