"""Mark and cut: the two phases that choose weights and remove them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from torch import Tensor

from ticket.doomed import doomed_over_kept, overlap
from ticket.evaluation import evaluate
from ticket.ladder import Rung
from ticket.live import Live
from ticket.masks import apply_
from ticket.phases import Cut, Mark, Phase, Train
from ticket.scoring import Survey, survey_of
from ticket.seeds import stream
from ticket.selection import Aim, marked
from ticket.setting import Outcome, Setting, pair


def mark_phase(live: Live, phase: Mark, setting: Setting) -> Outcome:
    """Select the doomed: what the next cut removes."""
    after = left_by(phase, live, setting)
    live.doomed = {name: mask & ~after[name] for name, mask in live.masks.items()}
    return Outcome({"doomed": sum(int(d.count_nonzero()) for d in live.doomed.values())})


def cut_phase(live: Live, phase: Cut, setting: Setting) -> Outcome:
    """Remove weights and report how much the network noticed.

    With a criterion of its own the cut selects anew; `overlap` is then the share of the doomed among
    the removed, and `doomed_over_kept` the mean |w| of the doomed over that of the others.
    """
    figures: dict[str, Any] = {}
    if live.doomed is not None and any(bool(d.any()) for d in live.doomed.values()):
        figures["doomed_over_kept"] = doomed_over_kept(live.model, live.masks, live.doomed)
    if phase.criterion is None:
        after = {name: mask & ~(live.doomed or {})[name] for name, mask in live.masks.items()}
    else:
        after = left_by(Mark(phase.criterion), live, setting)
        if live.doomed is not None:
            figures["overlap"] = overlap(live.doomed, after)
    before = _known_scores(live, setting) or _cut_scores(live, setting)
    live.masks, live.doomed = after, None  # what was marked is gone
    apply_(live.model, live.masks)
    return Outcome({**figures, "before": before, "after": _cut_scores(live, setting)})


def _known_scores(live: Live, setting: Setting) -> dict[str, float] | None:
    """Return the scores of the training just before the cut, if nothing has moved a weight since."""
    moving = [
        p
        for p in setting.recipe.phases(live.round, len(setting.rungs))[: live.phase]
        if not isinstance(p, Mark)
    ]
    if not moving or not isinstance(moving[-1], Train):
        return None
    end = live.records[live.round]["trainings"][-1]["end"]
    names = ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy")
    return {name: float(end[name]) for name in names}


def _cut_scores(live: Live, setting: Setting) -> dict[str, float]:
    validation = evaluate(live.model, setting.splits.validation)
    return pair("validation", validation) | pair("test", evaluate(live.model, setting.splits.test))


def left_by(mark: Mark, live: Live, setting: Setting) -> dict[str, Tensor]:
    """Return the masks that a mark leaves, drawing from the stream of this phase."""
    generator = stream(setting.seed, "masks", live.round, live.phase)
    train, size = setting.splits.train, setting.training.batch_size

    def survey(masks: Mapping[str, Tensor]) -> Survey:
        return survey_of(live.model, masks, train, size, generator)

    return dict(marked(survey, live.masks, mark, aim_of(live, setting)))


def aim_of(live: Live, setting: Setting) -> Aim:
    """Return what the cut of this round aims at; where none comes, that every layer stays as it is."""
    recipe, rung = setting.recipe, Rung(0.0, 0, {})
    if live.round < len(setting.rungs):
        rung = setting.rungs[live.round]
    aim = Aim(setting.layers, rung, recipe.scope, recipe.allow_empty_layers, setting.toward)
    if live.round < len(setting.rungs):
        return aim
    kept = aim.kept(live.masks)
    ideal = {name: Fraction(count) for name, count in kept.items()}
    return replace(aim, rung=Rung(0.0, sum(kept.values()), ideal))


def mark_of(phase: Phase) -> Mark | None:
    """Return the mark that a phase is, or that it makes for itself (a cut with a criterion)."""
    if isinstance(phase, Cut) and phase.criterion is not None:
        return Mark(phase.criterion)
    return phase if isinstance(phase, Mark) else None
