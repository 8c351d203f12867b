"""The phases of a round, followed once more from where its ticket starts."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch

from ticket.job import Evaluated, Hooks, Point
from ticket.live import Live
from ticket.network import load_state
from ticket.phases import Phase, Rewind, Train, kind_of
from ticket.round import carry_out
from ticket.setting import Setting
from ticket.verifying.evidence import Evidence
from ticket.verifying.rebuilding import Rebuilt
from ticket.verifying.stored import Stored, read_stored

Trainer = Callable[[Live, Train, str], None]  # the training's label is `round-3/0-train`


class NotKeptError(Exception):
    """Say that the weights after a training were not kept, so that nothing follows from them."""


def opened(evidence: Evidence, rebuilt: Rebuilt, number: int) -> Live:
    """Return the run as it was when a round was opened, the moments that a rewind brought back too.

    What a training that paused hands on is not among them: no file keeps it.
    """
    stored = evidence.round(number)
    live = _live(rebuilt, stored, number)
    for phase in _rewinds(evidence, number):
        scratch = _live(rebuilt, stored, number - 1)
        carry_out(scratch, phase, rebuilt.setting, "", silent_hooks(), None)
        live.moments = scratch.moments
    return live


def follow(evidence: Evidence, setting: Setting, live: Live, trained: Trainer) -> Live:
    """Carry out the phases of the round that was just opened; `trained` takes care of trainings."""
    for index, phase in enumerate(evidence.phases(live.round)):
        live.phase = index
        label = f"round-{live.round}/{index}-{kind_of(phase)}"
        if isinstance(phase, Train):
            moments = live.moments
            trained(live, phase, label)
            if live.moments is moments:  # a training that pauses hands its own on
                live.start, live.moments = 0, {}  # as the loop does: a rewind is for one training
        else:
            carry_out(live, phase, setting, label, silent_hooks(), None)
    return live


def kept_weights(evidence: Evidence) -> Trainer:
    """Return what stands in for a training: the weights that were kept after it.

    It raises NotKeptError where they were not.
    """

    def load(live: Live, phase: Train, label: str) -> None:
        path = evidence.trained(live.round, live.phase)
        if not path.is_file():
            raise NotKeptError
        stored = read_stored(path)
        load_state(live.model, stored.state)
        live.masks = _masks(live, stored)

    return load


def drawn_anew(evidence: Evidence, rebuilt: Rebuilt, number: int, after: Stored) -> Live:
    """Return a network of the new weights that the last rewind before a round draws for its masks."""
    live = _live(rebuilt, after, number - 1)
    for index, phase in enumerate(evidence.phases(number - 1)):
        if isinstance(phase, Rewind) and phase.restore == "fresh":
            live.phase = index
            carry_out(live, phase, rebuilt.setting, "", silent_hooks(), None)
    return live


def silent_hooks() -> Hooks:
    """Return hooks that tell nobody."""

    def after_step(point: Point, sync: Callable[[], None]) -> None: ...

    def evaluated(figures: Evaluated) -> None: ...

    return Hooks(after_step, evaluated)


def _rewinds(evidence: Evidence, number: int) -> list[Phase]:
    """List the rewinds that come after the last training of the round before."""
    if number == 0:
        return []
    phases = evidence.phases(number - 1)
    last = max((i for i, p in enumerate(phases) if isinstance(p, Train)), default=-1)
    return [p for p in phases[last + 1 :] if isinstance(p, Rewind)]


def _live(rebuilt: Rebuilt, stored: Stored, number: int) -> Live:
    setting = rebuilt.setting
    model = setting.task.network(setting.seed, "init")
    load_state(model, stored.state)
    records = copy.deepcopy(list(stored.record["rounds"]))
    live = Live(model, {}, start=int(stored.record.get("start", 0)), round=number, records=records)
    live.masks = _masks(live, stored)
    return live


def _masks(live: Live, stored: Stored) -> dict[str, torch.Tensor]:
    device = next(live.model.parameters()).device
    return {name: mask.to(device) for name, mask in stored.masks.items()}
