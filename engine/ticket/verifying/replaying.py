"""A round carried out again, training and all: it gives the same bits."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ticket import ticket_file
from ticket.job import Evaluated, Hooks, Point
from ticket.live import Live
from ticket.masks import counts
from ticket.phases import Train
from ticket.round import carry_out
from ticket.transforming.lineage import same_bits
from ticket.verifying.evidence import Evidence
from ticket.verifying.following import follow, opened
from ticket.verifying.places import goes_on
from ticket.verifying.rebuilding import Rebuilt
from ticket.verifying.recomputing import differing_masks, differing_state
from ticket.verifying.results import Result, judged, skipped
from ticket.verifying.stored import read_stored
from ticket.verifying.zeros import moments_zero
from ticket.watch import Progress


def replay(evidence: Evidence, rebuilt: Rebuilt, number: int) -> Iterator[Result]:
    """Train round `number` again and compare all that it left: figures, weights, the next ticket.

    The moments of the optimizer are looked at as well: +0.0 wherever a weight is masked.
    """
    subject = f"round {number}"
    if rebuilt.elsewhere:
        yield skipped("replay", subject, f"bits differ here ({rebuilt.elsewhere})")
        return
    first = number
    while goes_on(evidence, rebuilt.setting, first):  # its moments come from the training before
        first -= 1
    wrong: list[str] = []
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        setting, rewind = rebuilt.setting, Path(folder) / "rewind.safetensors"
        if setting.rewind_file and first == 0:  # it passes the state to rewind to, and writes it
            setting = replace(setting, rewind_file=rewind)
        live = opened(evidence, rebuilt, first)
        for each in range(first, number + 1):
            wrong += _round(evidence, replace(rebuilt, setting=setting), live, each, results)
        if rewind.is_file():
            wrong += _differing_rewind(rewind, evidence.folder.rewind)
    yield judged("replay", subject, wrong)
    yield from results


def _round(
    evidence: Evidence, rebuilt: Rebuilt, live: Live, number: int, results: list[Result]
) -> list[str]:
    """Carry out one round and say in what it differs; what its moments show goes to `results`."""
    wrong: list[str] = []
    again: list[dict[str, Any]] = []
    live.round, live.phase = number, 0
    live.records = copy.deepcopy(list(evidence.round(number).record["rounds"]))
    live.records[number]["trainings"] = again

    def train(live: Live, phase: Train, label: str) -> None:
        hooks, last = _hooks(rebuilt, live, label)
        outcome = carry_out(live, phase, rebuilt.setting, label, hooks, None)
        again.append({"phase": label.rpartition("/")[2], **outcome.figures})
        for point in last:
            results.append(moments_zero(point.moments, live.masks, f"moments of {label}"))
        path = evidence.trained(number, live.phase)
        if path.is_file():
            kept = read_stored(path)
            differing = differing_masks(live, kept) + differing_state(live, kept)
            wrong.extend(f"{path.name}: {text}" for text in differing)

    follow(evidence, rebuilt.setting, live, train)
    told = evidence.figures[number]["trainings"] if number < len(evidence.figures) else []
    if told and told != again:
        wrong.append(f"its trainings gave other figures: {_first_unlike(told, again)}")
    if number + 1 in evidence.rounds:
        after = evidence.round(number + 1)
        wrong += differing_masks(live, after) + differing_state(live, after)
    return wrong


def _hooks(rebuilt: Rebuilt, live: Live, label: str) -> tuple[Hooks, list[Point]]:
    """Return hooks that report, and a list that ends with the training's point."""
    points: list[Point] = []
    name, rounds = label.rpartition("/")[2], len(rebuilt.setting.rungs)
    kept, prunable = counts(live.model, live.masks)

    def after_step(point: Point, sync: Any) -> None:
        points[:] = [point]

    def evaluated(e: Evaluated) -> None:
        rebuilt.run.report(
            Progress(
                "evaluated", rebuilt.setting.seed, live.round, rounds, name, e.step, e.steps,
                e.train_loss, e.score.loss, e.score.accuracy, kept / prunable,
            )
        )  # fmt: skip

    return Hooks(after_step, evaluated), points


def _differing_rewind(mine: Path, theirs: Path) -> list[str]:
    (_, one), (_, other) = ticket_file.read(mine), ticket_file.read(theirs)
    return [
        f"{theirs.name}: {name!r} differs"
        for name in {**one, **other}
        if name not in one or name not in other or not same_bits(one[name], other[name])
    ]


def _first_unlike(told: list[Any], again: list[Any]) -> str:
    for one, other in zip(told, again, strict=False):
        for when, figures in one.items():
            nested = isinstance(figures, dict)
            for name, value in figures.items() if nested else [("", figures)]:
                found = other.get(when, {}).get(name) if nested else other.get(when)
                if found != value:
                    return f"{when} {name} {found!r}, recorded is {value!r}"
    return f"{len(again)} trainings, recorded are {len(told)}"
