"""Costs are counted as a hand would count them; a difference is told from noise as a verdict is."""

from __future__ import annotations

from typing import Any

import pytest

from ticket.comparing.costs import NOTHING, UNKNOWN, Cost, cost_of_rounds, cost_of_training
from ticket.comparing.curves import curves

Runs = Any  # of conftest.py
FIGURES: dict[str, Any] = {
    "config": {
        "training": {"batch_size": 10},
        "recipe": {"round": ["train", "mark", {"train": {"batch_size": 25}}], "final": ["train"]},
    },
    "work": {"examples": 100, "weights": {"a": 6, "b": 4}, "uses": {"a": 9.0, "b": 1.0}},
    "rounds": [
        {
            "layers": {"a": 6, "b": 4},
            "trainings": [
                {"phase": "0-train", "iterations": 20},
                {"phase": "2-train", "iterations": 2},
            ],
            "seconds": {"0-train": 1.5, "1-mark": 0.25, "2-train": 0.5},
        },
        {
            "layers": {"a": 3},  # b has no mask: it is dense
            "trainings": [{"phase": "0-train", "iterations": 5}],
            "seconds": {"0-train": 0.5},
        },
    ],
}


def test_a_training_is_counted_by_its_own_batches_and_the_weights_that_are_there() -> None:
    # 10 batches of 10 an epoch; 6 weights used 9 times and 4 used once; forward and backward are 3.
    assert cost_of_training(FIGURES, 0, 0) == Cost(20, 2.0, 3 * (54 + 4) * 200, 1.5)
    # 4 batches of 25 an epoch, as the phase says.
    assert cost_of_training(FIGURES, 0, 1) == Cost(2, 0.5, 3 * (54 + 4) * 50, 0.5)
    assert cost_of_training(FIGURES, 1, 0) == Cost(5, 0.5, 3 * (27 + 4) * 50, 0.5)


def test_a_round_costs_its_trainings_and_the_seconds_between_them() -> None:
    assert cost_of_rounds(FIGURES, [0]) == Cost(22, 2.5, 3 * 58 * 250, 2.25)
    assert cost_of_rounds(FIGURES, [0, 1]) == Cost(27, 3.0, 3 * 58 * 250 + 3 * 31 * 50, 2.75)
    assert cost_of_rounds(FIGURES, []) == NOTHING


def test_what_an_old_run_did_not_write_down_stays_unknown() -> None:
    old = {key: value for key, value in FIGURES.items() if key != "work"}
    assert cost_of_rounds(old, [0, 1]) == Cost(27, None, None, 2.75)
    assert NOTHING.plus(UNKNOWN) == UNKNOWN


@pytest.mark.parametrize(
    ("accuracies", "decided"),
    [
        ((0.90, 0.91, 0.92), True),  # 2 points above the dense 0.89 ± 0.01
        ((0.89, 0.90, 0.91), False),  # as far apart as the noise
        ((0.70, 0.90, 0.91), False),  # a wide spread of its own
        ((0.90, 0.91), None),
    ],
)
def test_a_difference_is_told_from_the_noise_of_its_seeds(
    runs: Runs, accuracies: tuple[float, ...], decided: bool | None
) -> None:
    dense = (0.88, 0.89, 0.90)
    places = [runs.searched(s, a, dense=dense[s]) for s, a in enumerate(accuracies)]
    (difference,) = runs.compare(*places).differences

    assert (difference.one.subject.kind, difference.other.subject.what) == ("dense", "lth")
    assert difference.decided is decided
    mean = sum(accuracies) / len(accuracies)
    assert difference.gap == pytest.approx(sum(dense[: len(accuracies)]) / len(accuracies) - mean)


def test_networks_of_two_tasks_are_not_compared(runs: Runs) -> None:
    places = [runs.searched(0, 0.9), runs.searched(0, 0.9, model="wide")]
    pairs = [(d.one.subject, d.other.subject) for d in runs.compare(*places).differences]

    assert len(pairs) == 2
    assert all(one.model == other.model for one, other in pairs)


def test_a_plot_has_a_curve_a_name_from_dense_to_sparse(runs: Runs) -> None:
    places = [runs.searched(s, 0.9 + s / 100, kept=k) for s in (0, 1) for k in (4, 8)]
    found = curves(runs.compare(*places).rows)

    assert list(found) == ["dense, deep", "lth, deep"]
    assert [x for x, _, _ in found["lth, deep"]] == [50.0, 25.0]
    assert [y for _, y, _ in found["lth, deep"]] == pytest.approx([90.5, 90.5])
    assert found["lth, deep"][0][2] == pytest.approx(2**0.5 / 2)
