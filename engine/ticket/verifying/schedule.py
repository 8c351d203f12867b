"""Trainings begin, end and stop early where the recipe says, and their figures are those measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ticket.batches import per_epoch
from ticket.phases import Train
from ticket.round import resolved
from ticket.setting import Setting
from ticket.verifying.evidence import Evidence, Figures
from ticket.verifying.places import may_pause, places
from ticket.verifying.results import Result, judged
from ticket.verifying.stored import Stored


def schedule(evidence: Evidence, setting: Setting, number: int, stored: Stored) -> Iterator[Result]:
    """Check where a round's trainings begin and end, and that the early stop is the lowest loss."""
    begin, wrong = int(stored.record.get("start", 0)), []
    if evidence.config.start is None:
        _, wanted = places(evidence, setting, number - 1, 0) if number else ([], 0)
        if begin != wanted:
            wrong.append(f"its schedule starts at iteration {begin}, the recipe says {wanted}")
    closed = evidence.figures[number]["trainings"] if number < len(evidence.figures) else []
    trainings = {figures["phase"]: figures for figures in closed}
    for index, phase, first in places(evidence, setting, number, begin)[0]:
        figures = trainings.pop(f"{index}-train", None)
        if figures is not None:
            measured = _measured(evidence.metrics, number, f"{index}-train")
            wrong += _training(setting, phase, figures, measured, first)
    wrong += [f"a training {name} that the recipe does not have" for name in trainings]
    yield judged("schedule", f"round {number}", wrong)


def _measured(metrics: Sequence[Figures], number: int, phase: str) -> list[Figures]:
    return [
        line
        for line in metrics
        if (line.get("round"), line.get("phase")) == (number, phase) and "validation_loss" in line
    ]


def _training(
    setting: Setting,
    phase: Train,
    figures: Figures,
    measured: Sequence[Figures],
    begin: int,
) -> list[str]:
    training = resolved(phase, setting)
    each = per_epoch(setting.splits.train, training.batch_size)
    whole = training.length.iterations(each)
    end: dict[str, Any] = figures["end"]
    early: dict[str, Any] = figures["early_stop"]
    wrong = []
    stopped = training.patience is not None and end["iteration"] < whole
    if end["iteration"] != whole and not stopped and not may_pause(training):
        wrong.append(f"it ends at iteration {end['iteration']}, the recipe says {whole}")
    if figures["iterations"] != end["iteration"] - begin:
        wrong.append(f"{figures['iterations']} iterations do not lead from {begin} to its end")
    every = max(1, training.eval_every.iterations(each, whole))
    ends = (whole, end["iteration"] if may_pause(training) else whole)
    made = [line["iteration"] for line in measured]
    right = [n for n in range(begin + 1, end["iteration"] + 1) if n % every == 0 or n in ends]
    if made != right:
        wrong.append("its evaluations in metrics.jsonl are not where the recipe has them")
    elif measured:
        best = min(measured, key=lambda line: float(line["validation_loss"]))
        if (early["iteration"], early["validation_loss"]) != (
            best["iteration"],
            best["validation_loss"],
        ):
            wrong.append(
                f"its early stop is told for iteration {early['iteration']}, "
                f"the lowest validation loss is at {best['iteration']}"
            )
        stale = len(measured) - 1 - measured.index(best)
        if stopped and not may_pause(training) and stale != training.patience:
            wrong.append(
                f"it stopped after {stale} evaluations without progress, not {training.patience}"
            )
    return [f"{figures['phase']}: {text}" for text in wrong]
