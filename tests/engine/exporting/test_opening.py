"""What a file tells of its steps is checked before anybody reads it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from ticket.errors import TicketError
from ticket.exporting.encode import encode
from ticket.exporting.ir import Graph, Linear
from ticket.exporting.opening import StepTold, opened

STEPS = [
    {"plan": 0, "reads": [0], "makes": 1},
    {"operator": "aten.silu.default", "reads": [1], "makes": 2},
    {"plan": 1, "reads": [2], "makes": 3},
]
PROGRAM = {"input": [3], "output": [2], "steps": STEPS}


def plan(made: int, read: int, metadata: dict[str, Any]) -> bytes:
    layer = Linear("fc", 0, 1, torch.ones(made, read))
    return encode(Graph(((read,), (made,)), (layer,), (0,), (1,)), metadata)


def file_of(path: Path, *plans: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for place, data in enumerate(plans):
            archive.writestr(f"archive/data/{place}", data)
        archive.writestr("archive/archive_format", "pt2")
    return path


def of_program(path: Path, program: object, part: object = 1) -> Path:
    first = plan(4, 3, {"model": "mine", "program": program})
    return file_of(path, first, plan(2, 4, {"part": part}))


def test_plans_are_found_in_their_order_wherever_they_lie(tmp_path: Path) -> None:
    first, second = plan(4, 3, {"model": "mine", "program": PROGRAM}), plan(2, 4, {"part": 1})
    found = opened(file_of(tmp_path / "a.pt2", second, first))

    assert (found.format, found.data) == ("pt2", (first, second))
    assert (found.shape, found.outputs, found.metadata) == ((3,), (2,), {"model": "mine"})
    assert found.steps == (
        StepTold(0, "", (0,), 1),
        StepTold(None, "aten.silu.default", (1,), 2),
        StepTold(1, "", (2,), 3),
    )


def test_a_plan_alone_is_one_step(tmp_path: Path) -> None:
    (tmp_path / "a.tkt").write_bytes(plan(2, 3, {"model": "mine"}))
    found = opened(tmp_path / "a.tkt")

    assert (found.format, found.shape, found.outputs) == ("native", (3,), (2,))
    assert found.steps == (StepTold(0, "", (0,), 1),)


@pytest.mark.parametrize(
    "program",
    [
        None,
        [],
        "text",
        {"input": [3], "output": [2]},
        {**PROGRAM, "input": []},
        {**PROGRAM, "input": [0]},
        {**PROGRAM, "output": ["2"]},
        {**PROGRAM, "steps": STEPS[:2]},
        {**PROGRAM, "steps": [STEPS[2], STEPS[0]]},
        {**PROGRAM, "steps": [STEPS[0], STEPS[0], STEPS[2]]},
        {**PROGRAM, "steps": [*STEPS, {"operator": 5, "reads": [], "makes": 4}]},
        {**PROGRAM, "steps": [*STEPS, {"operator": "a", "reads": [-1], "makes": 4}]},
        {**PROGRAM, "steps": [*STEPS, {"operator": "a", "reads": [], "makes": True}]},
        {**PROGRAM, "steps": [*STEPS, 7]},
    ],
)
def test_a_program_that_does_not_fit_its_plans_is_one_line(tmp_path: Path, program: object) -> None:
    path = of_program(tmp_path / "a.pt2", program)

    with pytest.raises(TicketError, match=r"a\.pt2: it.*") as refusal:
        opened(path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("part", [0, 2, -1, True, "1", None, [1]])
def test_plans_that_are_no_parts_of_one_network_are_refused(tmp_path: Path, part: object) -> None:
    with pytest.raises(TicketError, match="not the parts of one network"):
        opened(of_program(tmp_path / "a.pt2", PROGRAM, part))


def test_members_that_overlap_cannot_make_a_file_larger_than_it_is(tmp_path: Path) -> None:
    data = plan(40, 40, {"model": "mine"})
    path = file_of(tmp_path / "a.pt2", data)
    with zipfile.ZipFile(path, "a") as archive:
        entry = archive.getinfo("archive/data/0")
        archive.filelist += [entry] * 5  # the same bytes, listed again and again
        archive._didModify = True  # type: ignore[attr-defined]

    with pytest.raises(TicketError, match="is longer than the file"):
        opened(path)
