"""`ticket verify`: whether a run or a ticket is what it claims to be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from ticket.errors import CheckFailed
from ticket_cli import options
from ticket_cli.console import print_table

if TYPE_CHECKING:
    from ticket.verifying.results import Result
    from ticket.verifying.verification import Verification

HEADINGS = ("check", "result", "what it claims")


@click.command()
@click.argument("place", metavar="RUN|TICKET")
@options.together(
    click.option(
        "--replay",
        type=click.IntRange(min=0),
        multiple=True,
        metavar="N",
        help="Carry out round N again, training and all, and compare the bits; several may be given.",
    ),
    click.option(
        "--parent",
        metavar="TICKET",
        help="The ticket that this one was made from.  [default: looked up in the runs folder]",
    ),
    options.data_folder,
    options.runs_folder,
    options.device,
    options.as_json,
    options.quiet,
    options.debug_option,
)
def verify(place: str, **given: Any) -> None:
    """Check everything that a run or a ticket claims.

    RUN or TICKET is a run's folder, a ticket file, or a model's name (the newest ticket found for it).
    Exit code 3 when a claim does not hold. What cannot be checked is told, with the reason and what
    would let it be.
    """
    import ticket
    from ticket_cli.progress import shown

    with shown([], quiet=given["quiet"], on_stderr=given["as_json"], idle="") as report:
        found = ticket.verify(
            place,
            replay=given["replay"],
            parent=given["parent"],
            data_folder=given["data_folder"],
            runs_folder=given["runs_folder"],
            device=given["device"],
            report=report,
        )
    if given["as_json"]:
        click.echo(json.dumps(_document(found), indent=1))
    else:
        _print(found)
    if not found.held:
        first = found.failures[0]
        names = ", ".join(dict.fromkeys(result.check for result in found.failures))
        raise CheckFailed(
            f"{found.path} is not what it claims ({names}): {first.check}{_of(first)}: {first.text}"
        )


def _print(found: Verification) -> None:
    """Print one line a check, then every failure and every reason for a check not made."""
    from ticket.verifying.results import CLAIMS

    by_check = {name: [r for r in found.results if r.check == name] for name in CLAIMS}
    lines = [[name, _word(by_check[name]), CLAIMS[name]] for name in CLAIMS if by_check[name]]
    click.echo(f"{found.path}\n")
    print_table(HEADINGS, lines, left=("result", "what it claims"))
    for state, heading in (("failed", "Does not hold"), ("not checked", "Not checked")):
        told = _gathered([r for r in found.results if r.state == state])
        if told:
            click.echo(f"\n{heading}:")
        for text in told:
            click.echo(f"  {text}")
    count = sum(r.state == "held" for r in found.results)
    if found.held:
        click.echo(f"\nEvery claim that was checked holds ({count} checks).")


def _word(results: list[Result]) -> str:
    """Return `held`, `FAILED`, `held (3 of 11 not checked)` or `not checked` for one claim."""
    skipped = sum(r.state == "not checked" for r in results)
    if any(r.state == "failed" for r in results):
        return "FAILED"
    if skipped == len(results):
        return "not checked"
    return f"held ({skipped} of {len(results)} not checked)" if skipped else "held"


def _gathered(results: list[Result]) -> list[str]:
    """Say what several checks or rounds share once: `masks, round 2 to round 11: ...`."""
    alike: dict[str, dict[str, list[str]]] = {}
    for result in results:
        alike.setdefault(result.text, {}).setdefault(result.check, []).append(result.subject)
    lines = []
    for text, checks in alike.items():
        told = [f"{check}{_where(subjects)}" for check, subjects in checks.items()]
        lines.append(f"{'; '.join(told)}: {text}")
    return lines


def _where(subjects: list[str]) -> str:
    if not subjects[0]:
        return ""
    return f", {subjects[0]}" + (f" to {subjects[-1]}" if len(subjects) > 1 else "")


def _document(found: Verification) -> dict[str, Any]:
    return {
        "path": str(found.path),
        "held": found.held,
        "checks": [
            {"check": r.check, "subject": r.subject, "state": r.state, "text": r.text}
            for r in found.results
        ],
    }


def _of(result: Result) -> str:
    return f" ({result.subject})" if result.subject else ""
