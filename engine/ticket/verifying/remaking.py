"""The checks that build, evaluate or train the network once more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ticket.verifying.evidence import Evidence
from ticket.verifying.measuring import accuracy, streams
from ticket.verifying.rebuilding import Rebuilt
from ticket.verifying.recomputing import initial
from ticket.verifying.replaying import replay
from ticket.verifying.results import Result, skipped, tried


def remade(evidence: Evidence, rebuilt: Rebuilt, again: Sequence[int]) -> Iterator[Result]:
    """Draw the initial weights, evaluate the trained ticket, train its first steps, and rounds `again`."""
    if 0 in evidence.rounds:
        yield from tried("initial", "", initial(evidence, rebuilt))
    if evidence.finished:
        yield from tried("accuracy", "", accuracy(evidence, rebuilt))
        yield from tried("streams", "", streams(evidence, rebuilt, evidence.last))
    else:
        text = "the run is not finished; the command that began it continues it"
        yield from (skipped(name, "", text) for name in ("accuracy", "streams"))
    for number in again:
        yield from tried("replay", f"round {number}", replay(evidence, rebuilt, number))
    if not again:
        yield skipped(
            "replay", "", "it trains a round again, so it is done when asked for: --replay N"
        )
