"""What `ticket find --dry-run` shows: the resolved run, its rounds, its time and disk, its thin layers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ticket_cli.console import print_table
from ticket_cli.pace import clock

if TYPE_CHECKING:
    from ticket.request import Request


def show_plan(requests: Sequence[Request], *, as_json: bool) -> None:
    """Print the plan of the first seed, and time and disk of all."""
    import yaml

    from ticket.finding import plan
    from ticket.replicates import cores

    planned = plan(requests[0])
    side_by_side = max(1, cores() // requests[0].threads)
    seconds = planned.seconds * math.ceil(len(requests) / side_by_side)
    size = planned.bytes * len(requests)
    if as_json:
        document = {
            "folder": str(planned.folder),
            "state": planned.state,
            "config": planned.config,
            "rounds": planned.rounds,
            "seconds": seconds,
            "bytes": size,
            "warnings": planned.warnings,
        }
        click.echo(json.dumps(document, indent=1))
        return
    click.echo(yaml.safe_dump(planned.config, sort_keys=False, width=100))
    print_table(
        ("round", "density", "kept", "prunable"),
        [
            [str(r["round"]), f"{100 * r['density']:.2f} %", f"{r['kept']:,}", f"{r['prunable']:,}"]
            for r in planned.rounds
        ],
    )
    seeds = f" for {len(requests)} seeds" if len(requests) > 1 else ""
    click.echo(f"folder    {planned.folder} ({planned.state})")
    click.echo(f"estimate  {clock(seconds)} and {size / 1e6:,.1f} MB{seeds}, controls not counted")
    for text in planned.warnings:
        click.echo(f"warning   {text}")
