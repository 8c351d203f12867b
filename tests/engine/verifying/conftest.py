"""What tests of verification share: a run with everything kept, and a way to write a false file whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ticket import kernels, ticket_file
from ticket.finding import find_one
from ticket.folder import Folder
from ticket.request import Objects, Request
from ticket.verifying.stored import Stored, read_stored
from ticket.verifying.verification import Verification, verify


def network(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Return a network with BatchNorm and dropout."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(),
        nn.Linear(16, classes),
    )  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """Hold a copy of a run's folder, to be falsified."""

    folder: Folder

    def verify(self, place: Path | None = None, **options: Any) -> Verification:
        """Verify it, or one of its files, as it is now."""
        return verify(
            place or self.folder.path, network, runs_folder=self.folder.path.parent, **options
        )

    def failing(self, **options: Any) -> set[str]:
        """Return the names of the checks that fail."""
        return {result.check for result in self.verify(**options).failures}

    def stored(self, path: Path) -> Stored:
        """Read one of its files."""
        return read_stored(path)

    def rewrite(
        self,
        path: Path,
        *,
        state: Mapping[str, Tensor] | None = None,
        masks: Mapping[str, Tensor] | None = None,
        **record: Any,
    ) -> None:
        """Write a ticket's file anew, whole and with right checksums, some of it changed."""
        was = read_stored(path)
        now = {**was.masks, **(masks or {})}
        tensors = {f"mask.{n}": kernels.pack_bits(m) for n, m in now.items()}
        tensors |= {f"state.{n}": t for n, t in {**was.state, **(state or {})}.items()}
        kept = {name: int(mask.sum()) for name, mask in now.items()}
        document = {**was.record, "kept": kept, **record}
        path.write_bytes(ticket_file.encode(document, tensors))

    def reword(self, path: Path, change: Callable[[Any], None]) -> None:
        """Change a JSON document in place."""
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document, indent=1) + "\n")


@pytest.fixture(scope="session")
def whole(request_in: Callable[..., Request], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run rewound to iteration 4, moments too, every file of it kept."""
    runs = tmp_path_factory.mktemp("verified")
    sets = (
        ("recipe.round.3.rewind", {"to": "4it", "optimizer": "rewound"}),
        ("training.optimizer", {"name": "sgd", "momentum": 0.9}),
    )
    request = request_in(runs, method="lth", keep="all", sets=sets, controls=("reinit",))
    with torch.random.fork_rng():
        return find_one(request, Objects(model=network)).folder


@pytest.fixture
def kept(whole: Path, tmp_path: Path) -> Kept:
    """Return a copy of that run."""
    return Kept(Folder(Path(shutil.copytree(whole, tmp_path / "runs" / whole.name))))
