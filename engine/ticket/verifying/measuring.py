"""Figures measured again: the test accuracy of what was trained, the losses of a training's first steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from ticket.evaluation import evaluate
from ticket.job import Evaluated
from ticket.live import Live
from ticket.network import load_state
from ticket.phases import Train
from ticket.round import carry_out
from ticket.verifying.evidence import Evidence
from ticket.verifying.following import follow, opened, silent_hooks
from ticket.verifying.places import goes_on
from ticket.verifying.rebuilding import Rebuilt
from ticket.verifying.results import Result, judged, skipped
from ticket.verifying.stored import read_stored

LONGEST = 30.0  # seconds that the first steps may take; they are no replay that was asked for


def accuracy(evidence: Evidence, rebuilt: Rebuilt) -> Iterator[Result]:
    """Evaluate the trained ticket on the test set; it is what the figures say, to the last bit."""
    setting = rebuilt.setting
    trainings = evidence.figures[-1]["trainings"]
    if not trainings:
        yield skipped("accuracy", "", "the run trains no ticket: its recipe has no final training")
        return
    model = setting.task.network(setting.seed, "init")
    load_state(model, read_stored(evidence.folder.trained).state)
    found = evaluate(model, setting.splits.test)
    end = trainings[-1]["end"]
    wrong = [
        f"test {word} {value!r}, recorded is {end[f'test_{word}']!r}"
        for word, value in (("loss", found.loss), ("accuracy", found.accuracy))
        if value != end[f"test_{word}"]
    ]
    if wrong and rebuilt.elsewhere and found.accuracy == end["test_accuracy"]:
        yield skipped("accuracy", "", f"{'; '.join(wrong)}; bits differ here ({rebuilt.elsewhere})")
        return
    yield judged("accuracy", "", wrong)


class _EnoughError(Exception):
    """End a training once its first evaluation is there."""


def streams(evidence: Evidence, rebuilt: Rebuilt, number: int) -> Iterator[Result]:
    """Train a round up to its first evaluation: order, augmentation, optimizer, rate, all as recorded."""
    subject = f"round {number}"
    trains = [i for i, p in enumerate(evidence.phases(number)) if isinstance(p, Train)]
    name = f"{trains[0]}-train" if trains else ""
    told = [m for m in evidence.metrics if (m.get("round"), m.get("phase")) == (number, name)]
    first = next((line for line in told if "validation_loss" in line), None)
    if first is None:
        yield skipped("streams", subject, "no evaluation was recorded")
        return
    if goes_on(evidence, rebuilt.setting, number):
        text = f"it goes on with the training that paused before it; --replay {number} trains both again"
        yield skipped("streams", subject, text)
        return
    if rebuilt.elsewhere:
        yield skipped("streams", subject, f"bits differ here ({rebuilt.elsewhere})")
        return
    if first["seconds"] > LONGEST:
        text = f"its first evaluation came after {first['seconds']:.0f} s; --replay {number} trains again"
        yield skipped("streams", subject, text)
        return
    heard: list[Evaluated] = []

    def evaluated(figures: Evaluated) -> None:
        heard.append(figures)
        raise _EnoughError

    def train(live: Live, phase: Train, label: str) -> None:
        hooks = replace(silent_hooks(), evaluated=evaluated)
        setting = replace(rebuilt.setting, rewind_file=None)
        carry_out(live, phase, setting, label, hooks, None)

    with suppress(_EnoughError):
        follow(evidence, rebuilt.setting, opened(evidence, rebuilt, number), train)
    (found,) = heard
    again = {
        "iteration": found.step,
        "train_loss": found.train_loss,
        "validation_loss": found.score.loss,
        "validation_accuracy": found.score.accuracy,
    }
    wrong = [f"{k} {v!r}, recorded is {first[k]!r}" for k, v in again.items() if v != first[k]]
    yield judged("streams", subject, wrong)
