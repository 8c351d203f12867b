"""`ticket show`: what a ticket's file, or an exported one, says about itself."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ticket.errors import TicketError, UsageError
from ticket_cli import options
from ticket_cli.console import print_table


@click.command()
@click.argument("ticket")
@options.together(
    click.option(
        "--layers",
        is_flag=True,
        help="What every prunable layer keeps, and how much of it lies on a path through the network.",
    ),
    click.option(
        "--distance",
        is_flag=True,
        help="How far training has moved the survivors from where it began, layer by layer.",
    ),
    click.option(
        "--parent",
        metavar="TICKET",
        help="Check a transformed ticket against its parent, tensor by tensor (exit code 3).",
    ),
    options.runs_folder,
    options.as_json,
    options.debug_option,
)
def show(
    ticket: str,
    layers: bool,
    distance: bool,
    parent: str | None,
    runs_folder: Path,
    as_json: bool,
) -> None:
    """Show what a ticket records, or the plan in an exported file.

    TICKET is a ticket file, a run's folder, a model's name (the newest ticket found for it), or a file
    that `ticket export` wrote.
    """
    from ticket.comparing.names import spelled
    from ticket.files import digest
    from ticket.locate import locate
    from ticket.ticket_file import read_record
    from ticket_cli import analyses, lineage, rows

    path = locate(ticket, runs_folder)
    if _show_exported(path, as_json, layers or distance or parent is not None):
        return
    record = read_record(path)
    counts = layer_counts(record, path)
    sha256 = digest(path)
    check = lineage.check_parent(path, locate(parent, runs_folder)) if parent else None
    through = analyses.connected_weights(path) if layers else None
    moved = analyses.moved_weights(path) if distance else None
    if as_json:
        document = {"path": str(path), "sha256": sha256, **record}
        extra = {"check": check, "connected": through, "distance": moved}
        asked = {name: value for name, value in extra.items() if value is not None}
        click.echo(json.dumps(document | asked, indent=1))
        if check:
            lineage.refuse(check, path, runs_folder)
        return
    kept, prunable = sum(k for k, _ in counts.values()), sum(n for _, n in counts.values())
    for name, value in (
        ("ticket", f"{path}{' (trained weights)' if record.get('trained') else ''}"),
        ("model", spelled(record.get("model"))),
        ("data set", spelled(record.get("dataset"))),
        ("method", _method(record.get("recipe"))),
        ("seed", str(_field(record.get("seeds"), "seed"))),
        ("kept", f"{kept:,} of {prunable:,} prunable weights"),
        (
            "density",
            f"{100 * kept / prunable:.4g} % (sparsity {100 * (1 - kept / prunable):.4g} %)",
        ),
        ("parent", str(record.get("parent") or "none")),
        ("made with", ", ".join(f"{k} {v}" for k, v in (record.get("versions") or {}).items())),
        ("SHA-256", sha256),
    ):
        click.echo(f"{name:<10}{value}")
    if record.get("lineage"):
        click.echo()
        lineage.print_lineage(record, sha256, kept, prunable)
    if layers:
        click.echo()
        print_layers(counts, record, through or {})
        analyses.print_collapse(through)
    if moved:
        click.echo()
        analyses.print_moved(moved)
    found = [r for r in record.get("rounds", []) if isinstance(r, Mapping) and "trainings" in r]
    if found:
        click.echo()
        print_table(rows.HEADINGS[:-1], [row.cells()[:-1] for row in rows.rounds([found])])
    if check:
        click.echo()
        lineage.print_check(check)
        lineage.refuse(check, path, runs_folder)


def _show_exported(path: Path, as_json: bool, flagged: bool) -> bool:
    """Show the file if it is an exported one; tell whether it was.

    Raises UsageError when flags that a ticket alone answers are given with it.
    """
    from ticket.exporting.container import is_exported
    from ticket_cli import exported_table

    whole = is_exported(path)
    if not whole and not exported_table.is_weights_alone(path):
        return False
    if flagged:
        raise UsageError(
            f"{path} is an exported file; --layers, --distance and --parent are for tickets"
        )
    (exported_table.show_exported if whole else exported_table.show_weights)(path, as_json)
    return True


def layer_counts(record: Mapping[str, Any], path: Path) -> dict[str, tuple[int, int]]:
    """Return (kept, all) weights of every prunable parameter. Raises TicketError."""
    sizes = {t["name"]: math.prod(t["shape"]) for t in record["tensors"]}
    kept = record.get("kept") or {}
    try:
        counted = {name: sizes[f"state.{name}"] for name in record["prunable"]}
    except KeyError as problem:
        raise TicketError(f"{path} is not a valid ticket: it lacks {problem}") from problem
    return {name: (int(kept.get(name, size)), size) for name, size in counted.items()}


def print_layers(
    counts: Mapping[str, tuple[int, int]],
    record: Mapping[str, Any],
    connected: Mapping[str, int],
) -> None:
    """Print a table of what every prunable parameter keeps, and how much of it is `connected`."""
    shapes = {t["name"]: t["shape"] for t in record["tensors"]}
    lines = [
        [
            name,
            _shape(shapes[f"state.{name}"]),
            f"{kept:,}",
            f"{size:,}",
            f"{100 * kept / size:.2f} %",
            f"{connected[name]:,}" if name in connected else "-",
        ]
        for name, (kept, size) in counts.items()
    ]
    print_table(("layer", "shape", "kept", "weights", "density", "on a path"), lines)


def _shape(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def _method(recipe: object) -> str:
    name, title = _field(recipe, "name"), _field(recipe, "title")
    return str(name) if title in ("", "not recorded") else f"{name}: {title}"


def _field(value: object, name: str) -> object:
    return value.get(name, "not recorded") if isinstance(value, Mapping) else "not recorded"
