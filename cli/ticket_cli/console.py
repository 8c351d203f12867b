"""Tables for people: as wide as the terminal, or as wide as they need where there is none."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

WIDE = 110  # columns; a narrower terminal has none to spare between them
PIPE_WIDTH = 200  # columns; a file or a pipe breaks no lines


def print_table(
    headings: Sequence[str], lines: Sequence[Sequence[str]], *, left: Sequence[str] = ()
) -> None:
    """Print a table on stdout, the first column and those of `left` flush left, others right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1) if console.width >= WIDE else 0,
        header_style="bold",
    )
    for number, heading in enumerate(headings):
        to_left = number == 0 or heading in left
        table.add_column(Text(heading), justify="left" if to_left else "right", overflow="fold")
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    with console.capture() as printed:
        console.print(table)
    for row in printed.get().splitlines():
        click.echo(row.rstrip())
