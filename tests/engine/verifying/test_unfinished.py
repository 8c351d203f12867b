"""A run that died is checked as far as it is, its checkpoint too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ticket import ticket_file
from ticket.finding import find_one
from ticket.folder import Folder
from ticket.request import Request
from ticket.verifying.verification import verify
from ticket.watch import Progress


@pytest.fixture
def killed(
    request_in: Callable[..., Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Folder:
    """Return the folder of a run that died in the training of round 1, with its checkpoint."""
    monkeypatch.setattr("ticket.loop.CHECKPOINT_SECONDS", 0.0)
    sets = (("training.optimizer", {"name": "sgd", "momentum": 0.9}),)
    request = request_in(tmp_path / "runs", method="lth", sets=sets)

    def report(progress: Progress) -> None:
        if (progress.round, progress.step) == (1, 10):
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        find_one(request, report=report)
    return Folder(next((tmp_path / "runs").iterdir()))


def test_the_checkpoint_of_an_unfinished_run_is_checked(killed: Folder) -> None:
    found = verify(killed.path, runs_folder=killed.path.parent)
    held = {(r.check, r.subject) for r in found.results if r.state == "held"}

    assert found.held
    assert {("zeros", "checkpoint.safetensors"), ("survivors", "round 1")} <= held


@pytest.mark.parametrize("part", ["model.{}", "moment.{}|momentum_buffer"])
def test_a_checkpoint_whose_mask_does_not_hold(killed: Folder, part: str) -> None:
    document, tensors = ticket_file.read(killed.checkpoint)
    masked = ~tensors["mask.fc1.weight"]
    tensors[part.format("fc1.weight")][masked] = 1e-30
    killed.checkpoint.write_bytes(ticket_file.encode(document, tensors))
    found = verify(killed.path, runs_folder=killed.path.parent)

    assert {(r.check, r.subject) for r in found.failures} == {("zeros", "checkpoint.safetensors")}
