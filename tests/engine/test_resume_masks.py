"""A run whose masks change in training finds the same ticket however often it dies."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ticket import loop
from ticket.finding import find_one
from ticket.request import Request

Make = Callable[..., Request]
CASES: dict[str, tuple[tuple[str, Any], ...]] = {
    "rigl": (("recipe.round.2.train.mask_every", "4it"),),
    "set-itop": (("recipe.round.2.train.mask_every", "4it"),),
    "gmp": (("recipe.round.0.train.mask_every", "4it"),),
    "early-bird": (("recipe.round.0.train", {"mask_distance": 0.3, "eval_every": "2it"}),),
    "snip": (("recipe.round.0.mark.steps", 3),),
}


class Crash(BaseException):
    """Stand in for the death of the process."""


def bytes_of(runs: Path) -> dict[str, bytes]:
    return {str(p.relative_to(runs)): p.read_bytes() for p in sorted(runs.rglob("*.safetensors"))}


@pytest.mark.parametrize("method", CASES)
def test_a_run_that_dies_at_every_few_files_finds_the_same_ticket(
    request_in: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def request(folder: str) -> Request:
        return request_in(
            tmp_path / folder,
            method=method,
            sets=CASES[method],
            training={"optimizer": {"name": "sgd", "momentum": 0.9}},
            recipe={"rounds": 1, "sparsity": 0.6},
        )

    find_one(request("alone"))
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)  # a checkpoint at every step
    replace_file, files, deaths = os.replace, 0, 0

    def dying(source: Any, target: Any) -> None:
        nonlocal files, deaths
        replace_file(source, target)
        files += 1
        if files % 4 == 0:  # three steps further each time, so that it ends
            deaths += 1
            raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", dying)
        while True:
            try:
                find_one(request("killed"))
                break
            except Crash:
                continue
    assert deaths >= 5
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "alone")
