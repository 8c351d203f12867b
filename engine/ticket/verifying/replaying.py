"""A round carried out again, training and all: it gives the same bits."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ticket import ticket_file
from ticket.live import Live
from ticket.masks import counts
from ticket.phases import Train
from ticket.round import carry_out
from ticket.training_loop import Evaluated, Hooks, Point
from ticket.transforming.lineage import same_bits
from ticket.verifying.evidence import Evidence
from ticket.verifying.following import follow, opened
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
    live = opened(evidence, rebuilt, number)
    live.records[number]["trainings"] = []
    wrong: list[str] = []
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        setting, rewind = rebuilt.setting, Path(folder) / "rewind.safetensors"
        if setting.rewind_file and number == 0:  # it passes the state to rewind to, and writes it
            setting = replace(setting, rewind_file=rewind)

        def train(live: Live, phase: Train, label: str) -> None:
            hooks, last = _hooks(rebuilt, evidence, live, label)
            outcome = carry_out(live, phase, setting, label, hooks, None)
            name = label.rpartition("/")[2]
            live.records[number]["trainings"].append({"phase": name, **outcome.figures})
            for moments in (point.moments for point in last[-1:]):
                results.append(moments_zero(moments, live.masks, f"moments of {label}"))
            path = evidence.trained(number, live.phase)
            if path.is_file():
                kept = read_stored(path)
                wrong.extend(f"{path.name}: {w}" for w in differing_masks(live, kept))
                wrong.extend(f"{path.name}: {w}" for w in differing_state(live, kept))

        follow(evidence, setting, live, train)
        if rewind.is_file():
            wrong += _differing_rewind(rewind, evidence.folder.rewind)
    told = evidence.figures[number]["trainings"] if number < len(evidence.figures) else []
    again = live.records[number]["trainings"]
    if told and told != again:
        wrong.append(f"its trainings gave other figures: {_first_unlike(told, again)}")
    if number + 1 in evidence.rounds:
        after = evidence.round(number + 1)
        wrong += differing_masks(live, after) + differing_state(live, after)
    yield judged("replay", subject, wrong)
    yield from results


def _hooks(
    rebuilt: Rebuilt, evidence: Evidence, live: Live, label: str
) -> tuple[Hooks, list[Point]]:
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
        for when in ("early_stop", "end"):
            for name, value in one[when].items():
                if other[when].get(name) != value:
                    return f"{when} {name} {other[when].get(name)!r}, recorded is {value!r}"
    return f"{len(again)} trainings, recorded are {len(told)}"
