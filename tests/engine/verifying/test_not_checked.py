"""What cannot be checked is told, with what would let it be; a ticket alone is checked by what it says."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from ticket.errors import UsageError
from ticket.verifying.verification import verify

Kept = Any  # of conftest.py
WEIGHT = "5.weight"


def at(mask: Tensor) -> tuple[int, ...]:
    """Return the first place that a mask has."""
    return tuple(int(i) for i in mask.nonzero()[0])


def changed(tensor: Tensor, place: tuple[int, ...], value: float) -> Tensor:
    made = tensor.clone()
    made[place] = value
    return made


def test_trained_weights_that_were_not_kept_are_told_with_what_keeps_them(kept: Kept) -> None:
    (kept.folder.round(1) / "trained-0.safetensors").unlink()
    found = kept.verify()
    told = {(r.check, r.subject): r.text for r in found.results if r.state == "not checked"}

    assert found.held
    assert "--keep all" in told.pop(("masks", "round 2"))
    assert set(told) == {("zeros", "moments"), ("replay", "")}


def test_a_round_that_was_not_kept_leaves_what_is_independent_of_it(kept: Kept) -> None:
    shutil.rmtree(kept.folder.round(1))
    found = kept.verify()
    told = {(r.check, r.subject): r.text for r in found.results if r.state == "not checked"}
    held = {(r.check, r.subject) for r in found.results if r.state == "held"}

    assert found.held
    assert "--keep tickets" in told["masks", "round 2"]
    assert {("nested", "round 2"), ("survivors", "round 2"), ("counts", "round 2")} <= held


def test_a_run_whose_network_is_not_given_checks_what_the_files_tell(kept: Kept) -> None:
    found = verify(kept.folder.path, runs_folder=kept.folder.path.parent)
    held = {r.check for r in found.results if r.state == "held"}
    unmade = {r.check for r in found.results if r.state == "not checked"}

    assert found.held
    assert {"initial", "masks", "accuracy", "streams"} <= unmade
    assert {"files", "records", "counts", "nested", "zeros", "survivors"} <= held


def test_a_replay_of_a_round_that_is_not_there_is_refused(kept: Kept) -> None:
    with pytest.raises(UsageError, match=r"--replay 7: .* kept the rounds 0, 1, 2"):
        kept.verify(replay=[7])


def test_on_another_machine_bits_are_not_compared(kept: Kept) -> None:
    def elsewhere(document: Any) -> None:
        document["cpu"] = "abacus"

    kept.reword(kept.folder.path / "machine.json", elsewhere)
    found = kept.verify(replay=[1])
    told = {r.check: r.text for r in found.results if r.state == "not checked"}

    assert found.held
    assert "for abacus" in told["replay"]
    assert "for abacus" in told["streams"]


def test_a_ticket_beside_its_run_means_the_run(kept: Kept) -> None:
    assert kept.verify(place=kept.folder.ticket).path == kept.folder.path


def test_a_ticket_alone_is_checked_by_what_it_says(kept: Kept, tmp_path: Path) -> None:
    path = Path(shutil.copy(kept.folder.ticket, tmp_path / "alone.safetensors"))
    whole = verify(path, runs_folder=tmp_path)
    stored = kept.stored(path)
    place = at(~stored.masks[WEIGHT])
    kept.rewrite(path, state={WEIGHT: changed(stored.state[WEIGHT], place, 1e-30)})

    assert whole.held
    assert {r.check for r in verify(path, runs_folder=tmp_path).failures} == {"zeros"}
