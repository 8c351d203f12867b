"""What tests of comparisons share: a runs folder whose runs are written down, not trained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from ticket.comparing.comparison import Comparison, compare
from ticket.comparing.names import spelled
from ticket.comparing.rows import Row
from ticket.files import digest
from ticket.tickets import create, load
from ticket.transforming.lineage import ancestor

Record = dict[str, Any]
RECIPE: Record = {
    "name": "lth",
    "rounds": 2,
    "round": ["train", "mark", "cut", "rewind"],
    "final": ["train"],
}


def write_ticket(path: Path, record: Mapping[str, Any], seed: int, kept: int = 8) -> Path:
    """Write a ticket of 16 prunable weights."""
    torch.manual_seed(seed)
    mask = (torch.arange(16) < kept).reshape(4, 4)
    path.parent.mkdir(parents=True, exist_ok=True)
    full = {"seeds": {"seed": seed}, "training": {"length": "20it"}, "recipe": RECIPE, **record}
    create(nn.Linear(4, 4), {"weight": mask}, record=full).save(path)
    return path


def one_round(number: int, kept: int, *accuracies: float) -> Record:
    """Return a round's figures: trainings of 20 iterations, 1 point worse at the early stop."""
    trainings = [
        {
            "iterations": 20,
            "early_stop": {"iteration": 15, "test_accuracy": accuracy - 0.01},
            "end": {"iteration": 20, "test_accuracy": accuracy},
        }
        for accuracy in accuracies
    ]
    figures = {"round": number, "kept": kept, "prunable": 16, "trainings": trainings}
    return {**figures, "seconds": {"0-train": 1.5, "2-cut": 0.5}}


def write_run(
    folder: Path, config: Record, seed: int, rounds: list[Record], **figures: Any
) -> Path:
    """Write what says that a run is finished."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({**config, "seed": seed}))
    document = {"seed": seed, "rounds": rounds, **figures}
    (folder / "figures.json").write_text(json.dumps(document))
    return folder


def config_of(model: str = "deep", *, length: str = "20it", **fields: Any) -> Record:
    """Return a configuration; what is left out is at its default."""
    training = {"length": length}
    return {"model": model, "dataset": "points", "training": training, "recipe": RECIPE, **fields}


@dataclass(frozen=True)
class Runs:
    """Write runs into a folder, and compare them."""

    path: Path

    def searched(
        self,
        seed: int = 0,
        accuracy: float = 0.9,
        *,
        kept: int = 8,
        dense: float = 0.91,
        reinit: float | None = None,
        name: str = "lth",
        **fields: Any,
    ) -> Path:
        """Write the run of a search: dense, a cut to 12 weights, a cut to `kept` of 16."""
        config = {**config_of(**fields), "recipe": {**RECIPE, "name": name}}
        length = config["training"]["length"]
        folder = self.path / f"{config['model']}-points-{name}-{seed}-{kept}-{length}"
        rounds = [one_round(0, 16, dense), one_round(1, 12, 0.5), one_round(2, kept, accuracy)]
        record = {"model": {"name": config["model"], "options": {}}, "dataset": "points"}
        write_ticket(folder / "ticket.safetensors", {**record, "rounds": rounds}, seed, kept)
        if reinit is not None:
            for number, value in ((1, 0.1), (2, reinit)):
                control = folder / "controls" / f"reinit-{number:02d}"
                write_run(control, config, seed, [one_round(0, kept, value)])
        return write_run(folder, config, seed, rounds)

    def transformed(
        self, parent: Path, *, to: str = "deep", kept: int = 8, strategy: object = "elastic"
    ) -> Path:
        """Write what a transform writes, of the ticket in the folder `parent`."""
        source = load(parent / "ticket.safetensors")
        sha256 = digest(parent / "ticket.safetensors")
        seed = int(source.record["seeds"]["seed"])
        before = source.record.get("lineage", [])
        record = {
            "model": {"name": to, "options": {}},
            "dataset": "points",
            "rounds": [],
            "parent": sha256,
            "lineage": [*before, ancestor(source, sha256, [strategy], seed)],
        }
        folder = self.path / f"{to}-points-{spelled(strategy)}-{sha256[:6]}"
        write_ticket(folder / "ticket.safetensors", record, seed, kept)
        config = config_of(to, parent=sha256, transform=[strategy])
        return write_run(folder, config, seed, [one_round(0, kept)], transform={"seconds": 0.25})

    def trained(self, ticket: Path, seed: int, accuracy: float, **fields: Any) -> Path:
        """Write the run of `ticket train` on the ticket in the folder `ticket`."""
        path = ticket / "ticket.safetensors"
        start, source = digest(path), load(path)
        record = {
            k: source.record[k] for k in ("lineage", "model", "dataset") if k in source.record
        }
        config = config_of(record["model"]["name"], start=start, **fields)
        folder = self.path / f"train-{start[:6]}-{seed}-{config['training']['length']}"
        copy = folder / "ticket.safetensors"
        write_ticket(copy, {**record, "parent": start}, seed, source.kept)
        return write_run(folder, config, seed, [one_round(0, source.kept, accuracy)])

    def loose(self, path: Path, **record: Any) -> Path:
        """Write a ticket's file outside of any run."""
        return write_ticket(path, record, 0)

    def compare(self, *places: Path | str) -> Comparison:
        """Compare places."""
        return compare([str(place) for place in places], self.path)

    def row(self, what: str, *places: Path | str, control: str | None = None) -> Row:
        """Return the only row of this name."""
        rows = self.compare(*places).rows
        named = [r for r in rows if (r.subject.what, r.subject.control) == (what, control)]
        assert len(named) == 1
        return named[0]


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Return an empty folder of runs."""
    return Runs(tmp_path / "runs")
