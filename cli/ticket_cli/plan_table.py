"""What a transform has done, or would do, on one screen: unit by unit, like ones in one line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ticket_cli.console import print_table

if TYPE_CHECKING:
    from ticket.transforming.performing import Transformed
    from ticket.transforming.plan import PlanRow

HEADINGS = ("stage", "source unit", "target units", "", "density %", "before", "after")


def print_transformed(done: Transformed, source: Path) -> None:
    """Print where every unit goes, the densities before and after, and what comes next."""
    if done.plan.rows:
        print_table(HEADINGS, _lines(done), left=HEADINGS[1:4])
        click.echo()
    ticket, parent = done.ticket, done.parent
    click.echo(f"from    {source}")
    click.echo(f"        {done.source}, {_density(parent.kept, parent.prunable)}")
    click.echo(f"to      {done.target}, {_density(ticket.kept, ticket.prunable)}")
    moves, total = ticket.record["moves"], len(ticket.state)
    moved, masks = len(moves["states"]), len(moves["masks"])
    new = f"; new: {', '.join(moves['new'])}" if moves["new"] else ""
    click.echo(
        f"moved   {moved} of {total} tensors and {masks} of {len(ticket.masks)} masks, bit for bit{new}"
    )
    start = int(ticket.record["start"])
    click.echo(f"start   training goes on from iteration {start:,}" if start else "start   step 0")
    if done.path is None:
        click.echo(f"Planned in {done.seconds:.1f} s; nothing was written")
        return
    place = done.path.parent if done.path.name == "ticket.safetensors" else done.path
    click.echo(f"Done in {done.seconds:.1f} s: {done.path}")
    click.echo(f"Next: ticket train {place} --controls reinit,random")


def document(done: Transformed, source: Path) -> str:
    """Return all of it as a JSON document."""
    ticket, parent = done.ticket, done.parent
    return json.dumps(
        {
            "path": done.path and str(done.path),
            "from": {
                "path": str(source),
                "model": done.source,
                "sha256": ticket.record["parent"],
                "kept": parent.kept,
                "prunable": parent.prunable,
            },
            "to": {"model": done.target, "kept": ticket.kept, "prunable": ticket.prunable},
            "strategies": ticket.record["lineage"][-1]["strategies"],
            "seed": ticket.record["lineage"][-1]["transform_seed"],
            "start": ticket.record["start"],
            "plan": asdict(done.plan),
            "moves": ticket.record["moves"],
            "seconds": done.seconds,
        },
        indent=1,
    )


def _lines(done: Transformed) -> list[list[str]]:
    lines: list[list[str]] = []
    stages = {row.stage: row for row in done.plan.stages}
    named = set[str]()
    for rows in _alike(done.plan.rows):
        first, last = rows[0], rows[-1]
        units = "" if first.unit is None else _range(int(first.unit), int(last.unit or 0))
        starts = zip(first.targets, last.targets, strict=True)
        targets = ", ".join(_range(a, b) for a, b in starts) or "-"
        density = 100 * sum(r.kept for r in rows) / max(1, sum(r.prunable for r in rows))
        line = [first.stage, units, targets if units else "", first.state, f"{density:.2f}"]
        stage = stages.get(first.stage)
        if stage is not None and first.stage not in named:
            named.add(first.stage)
            for kept, prunable in zip(stage.kept, stage.prunable, strict=True):
                line.append(f"{100 * kept / prunable:.2f}")
        else:
            line += ["", ""]
        if first.stage in named and lines and lines[-1][0] in (first.stage, ""):
            line[0] = "" if first.unit else line[0]
        lines.append(line)
    return lines


def _alike(rows: Sequence[PlanRow]) -> list[list[PlanRow]]:
    """Join rows of one stage whose units and targets follow each other."""
    groups: list[list[PlanRow]] = []
    for row in rows:
        if groups and _follows(groups[-1][-1], row):
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _follows(one: PlanRow, other: PlanRow) -> bool:
    return (
        one.unit is not None
        and (one.stage, one.state) == (other.stage, other.state)
        and tuple(t + 1 for t in one.targets) == other.targets
    )


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _density(kept: int, prunable: int) -> str:
    return f"{kept:,} of {prunable:,} weights kept, density {100 * kept / prunable:.4g} %"
