"""Seeds that run side by side find, byte for byte, what each would find alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ticket import replicates
from ticket.errors import TicketError
from ticket.finding import find_one, seeds_of
from ticket.replicates import find_all
from ticket.request import Request
from ticket.watch import Progress

Make = Callable[..., Request]


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.safetensors")}


@pytest.mark.slow
@pytest.mark.parametrize(("method", "controls"), [("lth", ()), ("unilth", ("reinit",))])
def test_two_seeds_side_by_side_are_the_same_as_alone(
    request_for: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    controls: tuple[str, ...],
) -> None:
    monkeypatch.setattr(replicates, "cores", lambda: 2)
    told: list[Progress] = []
    fields = {"method": method, "controls": controls, "recipe": {"rounds": 1}}
    found = find_all(seeds_of(request_for(**fields, runs_folder=tmp_path / "both"), 2), told.append)
    assert [f.seed for f in found] == [0, 1]
    assert {progress.seed for progress in told} == {0, 1}
    assert ("reinit at round 1" in {p.control for p in told}) is bool(controls)
    for one in found:
        alone = find_one(request_for(**fields, seed=one.seed, runs_folder=tmp_path / "alone"))
        assert alone.folder.name == one.folder.name
        assert files(alone.folder) == files(one.folder)


@pytest.mark.slow
def test_the_first_failure_is_raised(
    request_for: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicates, "cores", lambda: 2)
    (tmp_path / "file").write_text("")
    asked = seeds_of(request_for(runs_folder=tmp_path / "file" / "runs"), 2)
    with pytest.raises(TicketError, match="cannot make the folder"):
        find_all(asked, lambda progress: None)


def test_with_one_core_or_one_seed_no_process_is_started(
    request_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        replicates, "_side_by_side", lambda *_: pytest.fail("a process was started")
    )
    assert len(find_all([request_for()], lambda progress: None)) == 1
    monkeypatch.setattr(replicates, "cores", lambda: 1)
    assert len(find_all(seeds_of(request_for(), 2), lambda progress: None)) == 2
