"""A phase is read from its short and its long form, and written back as it was."""

from __future__ import annotations

import pytest

from ticket.phases import Cut, Mark, Phase, Rewind, Train, kind_of, plain_phase, read_phase
from ticket.steps import Steps
from ticket.training import Training
from ticket.uses import Use

PHASES: list[tuple[object, Phase]] = [
    ("train", Train()),
    ({"train": {"patience": 5}}, Train({"patience": 5})),
    ({"train": {"length": "20%", "schedule": "cosine"}},
     Train({"length": Steps(20, "%"), "schedule": Use("schedules", "cosine")})),
    ("mark", Mark()),
    ({"mark": {"criterion": "random"}}, Mark(Use("criteria", "random"))),
    ({"mark": {"criterion": {"name": "snip", "batches": 2}, "steps": 100, "pace": "linear"}},
     Mark(Use("criteria", "snip", {"batches": 2}), 100, "linear")),
    ({"train": {"until": "75%", "mask_update": {"name": "rigl", "drop": 0.5}, "mask_every": "50it"}},
     Train({"until": Steps(75, "%"), "mask_update": Use("mask_updates", "rigl", {"drop": 0.5}),
            "mask_every": Steps(50, "it")})),
    ("cut", Cut()),
    ({"cut": {"criterion": "magnitude"}}, Cut(Use("criteria", "magnitude"))),
    ("rewind", Rewind()),
    ({"rewind": {"to": "500it", "optimizer": "rewound"}}, Rewind(Steps(500, "it"), "weights", "rewound")),
    ({"rewind": {"restore": "rate"}}, Rewind(restore="rate")),
]  # fmt: skip


@pytest.mark.parametrize(("written", "phase"), PHASES)
def test_a_phase_is_read_and_written_back(written: object, phase: Phase) -> None:
    assert read_phase(written, "here") == (phase, [])
    assert plain_phase(phase) == written
    assert kind_of(phase) == (written if isinstance(written, str) else next(iter(written)))  # type: ignore[call-overload]


def test_a_phase_without_options_may_be_written_either_way() -> None:
    assert read_phase({"train": None}, "here") == (Train(), [])
    assert read_phase({"cut": {}}, "here") == (Cut(), [])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("trian", "here: no phase 'trian'; did you mean 'train'?"),
        (7, "here: no phase 7; there are: train, mark, cut, rewind"),
        ({"train": 5}, "here, train wants fields and their values, got 5"),
        ({"mark": {"criterion": "magnitud"}}, "here, mark: no criterion named"),
        ({"cut": {"criterium": "magnitude"}}, "here, cut has no field 'criterium'; did you mean"),
        ({"rewind": {"to": "soon"}}, "here, rewind: to wants a length such as 500it"),
        ({"rewind": {"restore": "rates"}}, "here, rewind: restore wants weights, rate or fresh"),
        ({"train": {"lr": -1, "lenght": "5ep"}}, "here, train: lr wants a number"),
    ],
)
def test_a_wrong_phase_says_where_and_what(given: object, said: str) -> None:
    _, mistakes = read_phase(given, "here")
    assert mistakes
    assert mistakes[0].startswith(said)


def test_all_mistakes_of_a_phase_are_told() -> None:
    assert len(read_phase({"train": {"lr": -1, "lenght": "5ep", "patience": 0}}, "here")[1]) == 3


def test_a_train_phase_changes_only_what_it_names() -> None:
    task = Training(lr=0.3, batch_size=7)
    changed = Train({"lr": 0.01}).training(task)
    assert (changed.lr, changed.batch_size) == (0.01, 7)
    assert Train().training(task) == task
