"""What a check has shown: held, failed, or not checked and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ticket.errors import Interrupted, TicketError

State = Literal["held", "failed", "not checked"]

# In the order in which they are told; what each one claims.
CLAIMS = {
    "files": "every file is whole, its checksums hold",
    "records": "configuration, figures and tickets tell the same",
    "counts": "every layer keeps exactly as many weights as the recipe says",
    "nested": "no round and no training brings a weight back",
    "zeros": "masked weights and their moments are +0.0",
    "initial": "the initial weights follow from the seed",
    "survivors": "a round starts from the state that the recipe rewinds to, buffers too",
    "schedule": "trainings start, end and stop where the recipe says",
    "parent": "what a ticket owes its parent is the parent's, bit for bit",
    "masks": "the masks follow from the weights or scores that were kept",
    "accuracy": "the trained ticket tests as recorded",
    "streams": "trained again up to the first evaluation, the ticket gives the same losses",
    "replay": "a round carried out again gives the same bits",
}


@dataclass(frozen=True)
class Result:
    """Hold what one check says of one subject; `text` says why it failed or was not made."""

    check: str
    subject: str
    state: State
    text: str = ""


def held(check: str, subject: str) -> Result:
    """Say that a claim holds."""
    return Result(check, subject, "held")


def failed(check: str, subject: str, text: str) -> Result:
    """Say that a claim does not hold, and what shows it."""
    return Result(check, subject, "failed", text)


def skipped(check: str, subject: str, text: str) -> Result:
    """Say that a claim was not checked, and what would let it be."""
    return Result(check, subject, "not checked", text)


def judged(check: str, subject: str, wrong: list[str]) -> Result:
    """Say that a claim holds unless something is wrong; more than the first three would bury them."""
    if not wrong:
        return held(check, subject)
    more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return failed(check, subject, "; ".join(wrong[:3]) + more)


def tried(check: str, subject: str, results: Iterator[Result]) -> Iterator[Result]:
    """Pass results on; a check that cannot end, for want of a file or a field, has failed."""
    try:
        yield from results
    except Interrupted:
        raise
    except TicketError as problem:
        yield failed(check, subject, " ".join(str(problem).split()))
    except (KeyError, IndexError) as problem:
        yield failed(check, subject, f"a record has no {problem}, and the check ends there")
