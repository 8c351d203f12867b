"""The tables under a comparison: what each ticket costs in all, and which differences are no noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ticket_cli.console import print_table

if TYPE_CHECKING:
    from ticket.comparing.noise import Difference
    from ticket.comparing.rows import Row

COSTS = (
    "cost",
    "model",
    "density %",
    "iterations",
    "epochs",
    "multiply-adds",
    "seconds",
    "x dense",
)
LISTED = 12  # differences; all of them are in --json


def print_costs(rows: Sequence[Row]) -> None:
    """Print what it takes to have each row trained: the search for the ticket and its own training."""
    dense = {
        _task(row): adds
        for row in rows
        if row.subject.kind == "dense" and (adds := row.cost("multiply_adds"))
    }
    lines = []
    for row in rows:
        if row.cost("iterations") is None:  # nobody has trained it
            continue
        adds, baseline = row.cost("multiply_adds"), dense.get(_task(row))
        lines.append(
            [
                name_of(row),
                row.subject.model,
                f"{100 * row.density:.2f}",
                _number(row.cost("iterations"), "{:,.0f}"),
                _number(row.cost("epochs"), "{:,.1f}"),
                _number(adds, "{:.2e}"),
                _number(row.cost("seconds"), "{:,.1f}"),
                _number(adds / baseline if adds is not None and baseline else None, "{:.2f}"),
            ]
        )
    if lines:
        print_table(COSTS, lines, left=("model",))
        click.echo(
            "cost: all trainings of the search and the ticket's own; of controls and the dense network "
            "their own\nmultiply-adds: of Conv and Linear layers, forward and backward, masked weights "
            "left out\n"
        )


def print_differences(differences: Sequence[Difference]) -> None:
    """Print the differences of test accuracy at the end, those that exceed the noise first."""
    decided = [d for d in differences if d.decided is not None]
    if not decided:
        return
    decided.sort(key=lambda d: (not d.decided, -abs(d.gap)))
    lines = [
        [
            f"{name_of(d.one).strip()} - {name_of(d.other).strip()}",
            f"{100 * d.gap:+.2f}",
            f"{100 * (d.noise or 0.0):.2f}",
            "exceeds it" if d.decided else "within it",
        ]
        for d in decided[:LISTED]
    ]
    print_table(("difference at end", "points", "noise", "the noise"), lines, left=("the noise",))
    if len(decided) > LISTED:
        click.echo(f"and {len(decided) - LISTED} more in --json")
    click.echo("noise: the larger of the two standard deviations over seeds\n")


def name_of(row: Row) -> str:
    """Return a row's name, with the settings that tell it from others of that name."""
    if row.subject.control:
        return f"  {row.subject.what}, {row.subject.control}"
    told = ", ".join(f"{path.rpartition('.')[2]} {value}" for path, value in row.differs)
    return f"{row.subject.what} ({told})" if told else row.subject.what


def _task(row: Row) -> tuple[object, ...]:
    return row.subject.model, row.subject.dataset, row.subject.task


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
