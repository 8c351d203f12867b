"""A round starts from the state that the recipe says, to the bit: survivors, buffers and all the rest."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ticket import ticket_file
from ticket.errors import TicketError
from ticket.network import state_of
from ticket.transforming.lineage import same_bits
from ticket.verifying.evidence import Evidence
from ticket.verifying.following import drawn_anew
from ticket.verifying.rebuilding import Rebuilt
from ticket.verifying.results import Result, judged, skipped
from ticket.verifying.starts import Start, start_after
from ticket.verifying.stored import Stored, read_stored

NOT_KEPT = "the trained weights of the round before were not kept; find with --keep all keeps them"


def survivors(evidence: Evidence, rebuilt: Rebuilt | None, number: int, after: Stored) -> Result:
    """Check the start state of a round after the first against where it must come from.

    Only new weights want the run `rebuilt`: they are drawn once more.
    """
    subject = f"round {number}"
    start = start_after(evidence.phases(number - 1))
    if start.source == "fresh" and rebuilt is None:
        text = "its weights are drawn anew, and the network is not at hand"
        return skipped("survivors", subject, text)
    if start.source == "trained" and not evidence.trained(number - 1, start.phase).is_file():
        return skipped("survivors", subject, NOT_KEPT)
    if start.source == "opened" and number - 1 not in evidence.rounds:
        return skipped("survivors", subject, "the round before was not kept (--keep tickets)")
    try:
        if start.source == "fresh" and rebuilt is not None:
            state: Mapping[str, Tensor] = state_of(
                drawn_anew(evidence, rebuilt, number, after).model
            )
        else:
            state = _state(evidence, number, start)
    except TicketError as problem:
        return skipped("survivors", subject, str(problem))
    return judged("survivors", subject, differing(after, state))


def _state(evidence: Evidence, number: int, start: Start) -> Mapping[str, Tensor]:
    if start.source == "trained":
        return read_stored(evidence.trained(number - 1, start.phase)).state
    if start.source == "opened":
        return evidence.round(number - 1).state
    if start.weights.amount == 0:
        return evidence.round(0).state
    _, tensors = ticket_file.read(evidence.folder.rewind)
    return {n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")}


def differing(after: Stored, state: Mapping[str, Tensor]) -> list[str]:
    """Say which tensors differ from `state`: of masked ones the survivors, of all others every entry."""
    wrong = [f"{name!r} is missing" for name in state.keys() - after.state.keys()]
    for name, tensor in after.state.items():
        source = state.get(name)
        if source is None or source.shape != tensor.shape or source.dtype != tensor.dtype:
            wrong.append(f"{name!r} is another tensor")
            continue
        mask = after.masks.get(name)
        mine, theirs = (tensor, source) if mask is None else (tensor[mask], source[mask])
        if not same_bits(mine, theirs):
            count = int((mine != theirs).sum())  # 0 where only the sign of a zero differs
            told = f"{count:,} of {mine.numel():,} entries" if count else "the signs of zeros"
            wrong.append(f"{told} of {name!r} differ")
    return wrong
