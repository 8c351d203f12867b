"""What a run has found, printed: rounds, controls beside them, the verdict, what comes next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ticket_cli import rows
from ticket_cli.console import print_table

if TYPE_CHECKING:
    from ticket.finding import Finding
    from ticket.verdict import Verdict


def print_finding(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print what `find` has found, for one seed or several."""
    from ticket.finding import verdict

    judged = verdict(findings)
    if as_json:
        click.echo(_document(findings, judged))
        return
    print_rounds(findings)
    print_cuts([f.rounds for f in findings])
    click.echo(f"Verdict: {judged.word} - {judged.reason}\n")
    for finding in findings:
        click.echo(f"Ticket of seed {finding.seed}: {finding.folder / 'ticket.safetensors'}")
    place = findings[0].folder
    click.echo(
        f"Next: ticket show {place}\n      ticket verify {place}\n      ticket train {place}"
    )


def print_trained(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print what the training of a ticket has shown."""
    from ticket.finding import verdict

    # Without a dense control there is nothing to judge by.
    judged = verdict(findings) if findings[0].dense else None
    if as_json:
        click.echo(_document(findings, judged))
        return
    print_rounds(findings, label="ticket")
    if judged:
        click.echo(f"Verdict: {judged.word} - {judged.reason}\n")
    for finding in findings:
        click.echo(f"Trained with seed {finding.seed}: {finding.folder / 'trained.safetensors'}")
    click.echo(f"Next: ticket eval {findings[0].folder}")


def print_rounds(findings: Sequence[Finding], *, label: str | None = None) -> None:
    """Print the table of rounds with the controls beside them; `label` names a single round."""
    from ticket.folder import Folder

    prunable = int(findings[0].rounds[0]["prunable"])
    beside = rows.controls([f.controls for f in findings])
    asked = any(c["control"] == "dense" for c in findings[0].controls)
    # Where round 0 is the dense baseline already, no control was trained for it.
    apart = [f.dense for f in findings if f.dense and Folder(f.folder).control("dense", 0).exists()]
    if apart and not asked:
        beside.setdefault(0, []).insert(0, rows.dense(apart, prunable))
    lines = []
    for number, row in enumerate(rows.rounds([f.rounds for f in findings])):
        row = row if label is None else replace(row, label=label)
        lines += [row.cells()] + [control.cells() for control in beside.get(number, [])]
    print_table(rows.HEADINGS, lines)
    told = "valid. and test: accuracy in % at the early-stop iteration"
    click.echo(f"{told}{'; ± over seeds' if len(findings) > 1 else ''}\n")


def print_cuts(seeds: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    """Print how much the network noticed of each cut, for methods that prepare their cuts."""
    lines = []
    for number in range(len(seeds[0])):
        cuts = [run[number]["cut"] for run in seeds if "overlap" in run[number].get("cut", {})]
        if cuts:
            before = [c["before"]["test_accuracy"] for c in cuts]
            after = [c["after"]["test_accuracy"] for c in cuts]
            lines.append(
                [
                    str(number),
                    rows.percent(c["overlap"] for c in cuts),
                    rows.over_seeds([c["doomed_over_kept"] for c in cuts], "{:.1e}"),
                    rows.percent(before),
                    rows.percent(after),
                    rows.percent(b - a for b, a in zip(before, after, strict=True)),
                ]
            )
    if lines:
        headings = (
            "cut after",
            "doomed that went %",
            "|doomed| / |kept|",
            "test before",
            "after",
            "lost",
        )
        print_table(headings, lines)
        click.echo()


def _document(findings: Sequence[Finding], judged: Verdict | None) -> str:
    document = {
        "verdict": judged and {"word": judged.word, "reason": judged.reason},
        "findings": [
            {
                "seed": f.seed,
                "folder": str(f.folder),
                "ticket": str(f.folder / "ticket.safetensors"),
                "trained": str(f.folder / "trained.safetensors"),
                "rounds": f.rounds,
                "controls": f.controls,
                "dense": f.dense,
            }
            for f in findings
        ],
    }
    return json.dumps(document, indent=1)
