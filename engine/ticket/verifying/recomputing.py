"""Masks, start states and initial weights are what the recipe makes of what was kept."""

from __future__ import annotations

from collections.abc import Iterator

from ticket.live import Live
from ticket.network import state_of
from ticket.transforming.lineage import same_bits
from ticket.verifying.evidence import Evidence
from ticket.verifying.following import NotKeptError, follow, kept_weights, opened
from ticket.verifying.rebuilding import Rebuilt
from ticket.verifying.results import Result, judged, skipped
from ticket.verifying.stored import Stored
from ticket.verifying.survivors import NOT_KEPT
from ticket.weights import content_hash


def masks(evidence: Evidence, rebuilt: Rebuilt, number: int, after: Stored) -> Iterator[Result]:
    """Mark, cut and rewind once more from what round `number` - 1 kept of its trainings."""
    subject = f"round {number}"
    if number - 1 not in evidence.rounds:
        yield skipped("masks", subject, "the round before was not kept; --keep tickets keeps it")
        return
    live = opened(evidence, rebuilt, number - 1)
    try:
        follow(evidence, rebuilt.setting, live, kept_weights(evidence))
    except NotKeptError:
        yield skipped("masks", subject, NOT_KEPT)
        return
    wrong = differing_masks(live, after)
    if wrong and rebuilt.elsewhere:
        text = f"{'; '.join(wrong[:3])}; but scores may differ here ({rebuilt.elsewhere})"
        yield skipped("masks", subject, text)
        return
    yield judged("masks", subject, wrong)
    if not wrong:
        yield judged("survivors", subject, differing_state(live, after))


def initial(evidence: Evidence, rebuilt: Rebuilt) -> Iterator[Result]:
    """Check the state of round 0 against the seed, or against the weights that it was given."""
    first, config, subject = evidence.round(0), evidence.config, "round 0"
    if config.start is not None:
        yield skipped("initial", subject, "the run trains a ticket; see its parent")
        return
    if config.weights is not None:
        same = content_hash(first.state) == config.weights
        wrong = [] if same else ["they are not those that it was given"]
        yield judged("initial", subject, wrong)
        return
    origin = rebuilt.setting.origin
    wrong = [n for n, t in first.state.items() if n not in origin or not same_bits(t, origin[n])]
    if wrong and rebuilt.elsewhere:
        yield skipped("initial", subject, f"drawn anew here they differ ({rebuilt.elsewhere})")
        return
    yield judged("initial", subject, [f"{name!r} is not what the seed gives" for name in wrong])


def differing_masks(live: Live, after: Stored) -> list[str]:
    """Say which masks are not those of a round's ticket."""
    wrong = []
    for name, mask in live.masks.items():
        other = after.masks.get(name)
        count = mask.numel() if other is None else int((mask.cpu() != other).sum())
        if count:
            wrong.append(f"the mask of {name!r} differs in {count:,} places")
    return wrong


def differing_state(live: Live, after: Stored) -> list[str]:
    """Say which weights and buffers are not those of a round's ticket."""
    state = state_of(live.model)
    return [
        f"{name!r} differs"
        for name, tensor in after.state.items()
        if name not in state or not same_bits(tensor, state[name])
    ]
