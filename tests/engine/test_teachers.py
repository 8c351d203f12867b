"""A teacher is the run's dense network or a file; it is checked before, and there after a kill."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ticket import api, loop
from ticket.batches import batches
from ticket.errors import TicketError, UsageError
from ticket.finding import Finding, find_one, plan
from ticket.network import load_state
from ticket.request import Request, prepare
from ticket.teachers import locate_teacher
from ticket.tickets import Ticket, load
from ticket.watch import Progress

Make = Callable[..., Request]


def kd(make: Make, method: str = "kd", **fields: Any) -> Request:
    recipe = {"rounds": 1, "sparsity": 0.5, **fields.pop("recipe", {})}
    return make(method=method, recipe=recipe, **fields)


def dense(found: Finding) -> Path:
    return found.folder / "round-00" / "trained-0.safetensors"


def same(one: Ticket, other: Ticket) -> bool:
    return all(torch.equal(t, other.state[n]) for n, t in one.state.items())


@pytest.mark.parametrize(
    ("method", "start", "until"), [("kd", 0, 20), ("kd-rewind", 4, 20), ("kd-early", 1, 13)]
)
def test_the_ticket_learns_from_the_dense_network_as_in_plain_torch(
    request_for: Make, method: str, start: int, until: int
) -> None:
    """Temperature 3, three parts soft to one part hard; Hinton's formula written out."""
    loss = {"name": "distillation", "temperature": 3.0, "mixture": 0.75}
    asked = kd(request_for, method, sets=(("recipe.final.0.train.loss", loss),))
    found = find_one(asked)
    assert found.ticket.record["start"] == start
    task = prepare(asked).task
    teacher, student = task.network(0, "init"), task.network(0, "init")
    load_state(teacher, load(dense(found)).state)
    load_state(student, found.ticket.state)
    masks = {n: m.float() for n, m in found.ticket.masks.items()}
    optimizer = torch.optim.SGD(student.parameters(), 0.1, fused=True)
    feed = batches(task.splits(0), 16, 0, "round-1/0-train", start, True)
    for step in range(start, 20):
        if step == until:  # the second training draws its own order
            feed = batches(task.splits(0), 16, 0, "round-1/1-train", step, True)
        inputs, labels = next(feed)
        with torch.no_grad():
            told = (teacher(inputs) / 3).softmax(1)
        logits = student(inputs)
        soft = (told * (told.log() - (logits / 3).log_softmax(1))).sum(1).mean()
        optimizer.zero_grad()
        hard = functional.cross_entropy(logits, labels)
        total = 0.25 * hard + 0.75 * 9 * soft if step < until else hard
        total.backward()
        for name, weight in student.named_parameters():
            if name in masks and weight.grad is not None:
                weight.grad.mul_(masks[name])
        optimizer.step()
    trained = load(found.folder / "trained.safetensors")
    for name, tensor in student.state_dict().items():
        assert torch.allclose(trained.state[name], tensor, atol=1e-6), name
    plain = find_one(kd(request_for, method, sets=(("recipe.final", ["train"]),)))
    assert not torch.allclose(
        load(plain.folder / "trained.safetensors").state["fc1.weight"],
        trained.state["fc1.weight"],
        atol=1e-4,
    )


def test_a_killed_distillation_goes_on_bit_for_bit(
    request_for: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = find_one(kd(request_for, runs_folder=tmp_path / "alone"))
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    asked = kd(request_for, runs_folder=tmp_path / "killed")

    def kill(progress: Progress) -> None:
        if progress.kind == "evaluated" and (progress.round, progress.step) == (1, 10):
            raise MemoryError

    with pytest.raises(MemoryError):
        find_one(asked, report=kill)
    found = find_one(asked)
    trained = found.folder / "trained.safetensors"
    assert trained.read_bytes() == (alone.folder / "trained.safetensors").read_bytes()


def test_a_given_teacher_teaches_from_the_start(request_for: Make) -> None:
    teacher = find_one(request_for(method="dense", seed=7, training={"length": "40it"}))
    loss = (("training.loss", "distillation"),)
    asked = kd(request_for, teacher=teacher.folder / "trained.safetensors", sets=loss)
    found = find_one(asked)
    assert (found.folder / "teacher.safetensors").exists()
    assert not same(load(dense(found)), load(dense(find_one(kd(request_for)))))
    assert found.folder.name != find_one(kd(request_for)).folder.name
    other = find_one(request_for(method="dense", seed=8))
    assert prepare(replace(asked, teacher=dense(other))).config != prepare(asked).config


def test_controls_learn_from_the_same_teacher(request_for: Make) -> None:
    found = find_one(kd(request_for, controls=("same", "reinit")))
    folder = found.folder / "controls"
    assert (folder / "reinit-01" / "teacher.safetensors").read_bytes() == (
        found.folder / "teacher.safetensors"
    ).read_bytes()
    assert found.control("reinit") is not None


def test_the_teacher_on_record_is_the_dense_network(request_for: Make) -> None:
    from ticket.teachers import load_teacher

    found = find_one(kd(request_for))
    state: dict[str, Tensor] = load_teacher(found.folder / "teacher.safetensors")
    assert state.keys() == load(dense(found)).state.keys()
    assert all(torch.equal(t, load(dense(found)).state[n]) for n, t in state.items())


def test_a_ticket_found_so_is_trained_so_again(request_for: Make, tmp_path: Path) -> None:
    found = find_one(kd(request_for))
    again = api.train(found.folder / "ticket.safetensors", runs_folder=tmp_path / "again")
    hard = api.train(
        found.folder / "ticket.safetensors",
        runs_folder=tmp_path / "again",
        training={"loss": "cross_entropy"},
    )
    assert (again.folder / "teacher.safetensors").exists()
    assert not (hard.folder / "teacher.safetensors").exists()
    assert again.final["end"] != hard.final["end"]
    alone = tmp_path / "alone.safetensors"
    found.ticket.save(alone)
    with pytest.raises(UsageError, match=r"learns from a teacher .* with --teacher"):
        api.train(alone, runs_folder=tmp_path / "again")
    told = api.train(alone, teacher=found.folder, runs_folder=tmp_path / "again")
    assert told.final["end"] == again.final["end"]


def test_any_ticket_can_learn_from_a_teacher(request_for: Make, tmp_path: Path) -> None:
    found = find_one(request_for(recipe={"rounds": 1}))
    path, runs = found.folder / "ticket.safetensors", tmp_path / "again"
    taught = api.train(path, teacher=found.folder, runs_folder=runs)
    warm = api.train(
        path,
        teacher=found.folder,
        runs_folder=runs,
        training={"loss": {"name": "distillation", "temperature": 1.0}},
    )
    plain = api.train(path, runs_folder=runs)
    ends = [f.final["end"]["validation_loss"] for f in (taught, warm, plain)]
    assert len(set(ends)) == 3
    assert taught.ticket.record["training"]["loss"] == "distillation"


def test_a_run_means_its_dense_network(request_for: Make) -> None:
    found = find_one(kd(request_for))
    runs = found.folder.parent
    assert locate_teacher(str(found.folder), runs) == dense(found)
    assert locate_teacher(str(dense(found)), runs) == dense(found)
    again = api.train(found.folder / "ticket.safetensors", runs_folder=runs)
    assert locate_teacher(str(again.folder), runs) == again.folder / "trained.safetensors"


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("classes", {"classes": 3}, r"knows 3 classes, 'synthetic' has 4"),
    ("images", {"size": 5}, r"sees images \[1, 5, 5\], those of 'synthetic' are \[1, 4, 4\]"),
]


@pytest.mark.parametrize(("what", "options", "said"), WRONG, ids=[w[0] for w in WRONG])
def test_a_teacher_of_other_data_is_refused_before_anything_trains(
    request_for: Make, tmp_path: Path, what: str, options: dict[str, Any], said: str
) -> None:
    data = ("dataset", {"name": "synthetic", "examples": 80, "size": 4, **options})
    teacher = find_one(request_for(method="dense", sets=(data,), runs_folder=tmp_path / "teacher"))
    asked = kd(request_for, teacher=teacher.folder / "trained.safetensors")
    with pytest.raises(UsageError, match=said):
        find_one(asked)
    assert not asked.runs_folder.exists()


def test_a_teacher_of_another_architecture_is_refused(request_for: Make, tmp_path: Path) -> None:
    for model, said in (
        ("resnet8", "is a resnet8, the student a mlp"),
        (
            {"name": "mlp", "hidden": [9]},
            r"'fc1\.weight' has shape \[9, 16\], the network \[8, 16\]",
        ),
    ):
        fields: dict[str, Any] = {"sets": (("model", model),), "runs_folder": tmp_path / "teacher"}
        teacher = find_one(request_for(method="dense", training={"length": "2it"}, **fields))
        with pytest.raises(UsageError, match=said):
            plan(kd(request_for, teacher=teacher.folder / "trained.safetensors"))
        state = copy.copy(dict(load(teacher.folder / "trained.safetensors").state))
        torch.save(state, tmp_path / "plain.pt")
        with pytest.raises(UsageError, match="the teacher does not fit the student"):
            plan(kd(request_for, teacher=tmp_path / "plain.pt"))


def test_start_weights_teach_nothing(request_for: Make, tmp_path: Path) -> None:
    found = find_one(request_for(recipe={"rounds": 1}, runs_folder=tmp_path / "source"))
    with pytest.raises(UsageError, match="holds a ticket's start weights, which teach nothing"):
        find_one(kd(request_for, teacher=found.folder / "ticket.safetensors"))


def test_a_damaged_teacher_is_named(request_for: Make, tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    with pytest.raises(TicketError, match=r"bad\.safetensors"):
        find_one(kd(request_for, teacher=tmp_path / "bad.safetensors"))


def test_a_teacher_that_nobody_learns_from_is_refused(request_for: Make, tmp_path: Path) -> None:
    teacher = find_one(request_for(method="dense", runs_folder=tmp_path / "teacher"))
    with pytest.raises(UsageError, match="'lth' learns from hard labels and has no use for"):
        find_one(request_for(method="lth", teacher=teacher.folder / "trained.safetensors"))


def test_to_learn_from_nobody_is_refused(request_for: Make) -> None:
    asked = request_for(method="lth", sets=(("training.loss", "distillation"),))
    with pytest.raises(UsageError, match="'lth' learns from a teacher before there is one"):
        find_one(asked)
    assert not asked.runs_folder.exists()


@pytest.mark.parametrize("keep", ["last", "all"])
def test_every_round_after_the_first_can_be_taught(request_for: Make, keep: str) -> None:
    """Iterative: the dense network learns from hard labels, all others from it."""
    soft: dict[str, Any] = {"train": {"loss": "distillation"}}
    recipe = {
        "rounds": 2, "sparsity": None, "rate": 0.2, "first": ["train", "mark", "cut", "rewind"],
        "round": [soft, "mark", "cut", "rewind"], "final": [soft],
    }  # fmt: skip
    found = find_one(kd(request_for, recipe=recipe, keep=keep))
    hard = find_one(
        kd(request_for, recipe={**recipe, "round": [], "first": [], "final": [], **HARD})
    )
    assert found.rounds[0]["trainings"] == hard.rounds[0]["trainings"]
    for number in (1, 2):
        assert found.rounds[number]["trainings"] != hard.rounds[number]["trainings"]
    assert found.dense is not None


HARD: dict[str, Any] = {"round": ["train", "mark", "cut", "rewind"], "final": ["train"]}
