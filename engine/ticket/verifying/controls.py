"""The controls beside a run: whole records, exact counts, and the ticket that each one stands for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ticket.errors import TicketError
from ticket.files import digest
from ticket.verifying.counts import recorded_counts
from ticket.verifying.evidence import Evidence, gather
from ticket.verifying.records import records
from ticket.verifying.results import Result, judged, skipped


def controls(evidence: Evidence) -> Iterator[Result]:
    """Check every control that was trained beside a run."""
    for path in sorted(evidence.folder.path.glob("controls/*/config.yaml")):
        subject = f"control {path.parent.name}"
        try:
            control = gather(path.parent)
        except TicketError as problem:
            yield skipped("records", subject, str(problem).replace("\n", " "))
            continue
        for result in records(control):
            yield replace(result, subject=f"{subject}, {result.subject}")
        for number in control.rounds:
            yield recorded_counts(control.round(number), control.figures[number], subject)
        yield _parent(evidence, control, subject)


def _parent(evidence: Evidence, control: Evidence, subject: str) -> Result:
    """Check that a control was made from the ticket of the round that its name tells."""
    ticket = evidence.folder.round_ticket(int(subject.rpartition("-")[2]))
    if not ticket.is_file():
        return skipped("parent", subject, "the round's ticket was not kept; use --keep tickets")
    same = digest(ticket) == control.config.start
    return judged(
        "parent", subject, [] if same else [f"it was made from another ticket than {ticket}"]
    )
