"""An estimate counts the steps of every phase and the bytes of every file that stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn

from ticket import estimate
from ticket.estimate import disk_bytes, run_seconds
from ticket.finding import find_one
from ticket.request import Request, prepare

Make = Callable[..., Request]


@pytest.mark.parametrize("keep", ["tickets", "all", "last"])
def test_the_files_of_a_run_take_about_what_was_estimated(request_for: Make, keep: str) -> None:
    sets = (("model", {"name": "mlp", "hidden": [400]}),)  # headers would count in a smaller one
    request = request_for(keep=keep, sets=sets, training={"length": "2it"}, recipe={"rounds": 3})
    estimated = disk_bytes(prepare(request).task.network(0, "init"), 3, keep)
    folder = find_one(request).folder
    left = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    assert left == pytest.approx(estimated, rel=0.35)


@pytest.mark.parametrize(
    ("method", "rounds", "trained"), [("dense", 0, 100), ("lth", 3, 400), ("random", 1, 100)]
)
def test_time_is_that_of_the_steps_that_will_be_trained(
    request_for: Make, monkeypatch: pytest.MonkeyPatch, method: str, rounds: int, trained: int
) -> None:
    monkeypatch.setattr(estimate, "_step_seconds", lambda network, prepared: 1000.0)
    recipe = (
        {}
        if method == "dense"
        else {"rounds": rounds, "sparsity": 0.3 if method == "random" else None}
    )
    prepared = prepare(request_for(method=method, training={"length": "100it"}, recipe=recipe))
    assert run_seconds(prepared, rounds, 1) == pytest.approx(1000 * trained, rel=1e-3)


def test_a_step_is_timed_without_the_evaluation_that_ends_the_training(
    request_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(model: nn.Module, examples: object) -> object:
        import time

        from ticket.evaluation import Score

        time.sleep(1)
        return Score(1.0, 0.5)

    monkeypatch.setattr("ticket.training_loop.evaluate", slow)
    prepared = prepare(request_for())
    assert estimate._step_seconds(prepared.task.network(0, "init"), prepared) < 0.03
