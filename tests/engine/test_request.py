"""A request is resolved and refused as a whole, before anything trains."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ticket.dataset import DataSet
from ticket.errors import TicketError, UsageError
from ticket.request import Objects, Request, pick_device, prepare

Make = Callable[..., Request]


class Net(nn.Module):
    """Declare a training and rates, as a model may."""

    paper_training = {"optimizer": "adam", "lr": 0.5, "batch_size": 7, "length": "9it"}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 4)
        self.prune_rates = {"layer.weight": 0.5}

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layer(images.flatten(1))
        return logits


def test_the_later_word_on_training_is_the_stronger(points: DataSet) -> None:
    data = replace(points, training={"batch_size": 8, "lr": 0.4, "length": "11it"})
    recipe = {"training": {"lr": 0.3, "length": "12it"}}
    request = Request(recipe=recipe, training={"length": "13it"})
    training = prepare(request, Objects(Net, data)).config.training
    assert training.optimizer.name == "adam"  # the model
    assert training.batch_size == 8  # the data set
    assert training.lr == 0.3  # the recipe
    assert str(training.length) == "13it"  # a flag
    assert training.weight_decay == 0.0  # nobody
    request = replace(request, sets=(("training.length", "14it"),))
    assert str(prepare(request, Objects(Net, data)).config.training.length) == "14it"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, (None, 0.9)),
        ({"rounds": 3}, (3, None)),
        ({"sparsity": 0.5}, (None, 0.5)),
        ({"rounds": 5, "sparsity": 0.6723}, (5, 0.6723)),
    ],
)
def test_one_target_replaces_the_other(
    points: DataSet, asked: dict[str, Any], expected: object
) -> None:
    asked = {**asked, "rates": "same"}
    config = prepare(Request(recipe=asked), Objects(Net, points)).config
    assert (config.recipe.rounds, config.recipe.sparsity) == expected


def test_a_rewind_is_set_in_every_rewind_phase_or_taken_out(request_for: Make) -> None:
    later = prepare(request_for(rewind="5it")).config.recipe.rewinds()
    assert [str(phase.to) for phase in later] == ["5it"]
    assert prepare(request_for(rewind="none")).config.recipe.rewinds() == []
    with pytest.raises(UsageError, match="to wants a length such as 500it"):
        prepare(request_for(rewind="soon"))
    with pytest.raises(UsageError, match="recipe 'dense' rewinds nothing"):
        prepare(request_for(method="dense", rewind="5it"))


def test_unknown_names_are_refused_together_before_data_is_read(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"(?s)2 mistakes.*did you mean 'mnist'.*did you mean 'resnet20'"
    ):
        prepare(Request(model="resent20", dataset="mnits", data_folder=tmp_path / "none"))


def own(folder: Path, body: str) -> str:
    file = folder / "net.py"
    file.write_text(f"import torch\nfrom torch import nn\n{body}\n")
    return f"{file}:make"


LINEAR = "def make(shape, classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(16, {out}))"


TWO_LOGITS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, images):
        return images, images

def make():
    return Net()
"""
ALL_GO = """
def make(shape, classes):
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
    net.prune_rates = {"1.weight": 1.0}
    return net
"""


def returns(value: str) -> str:
    return f"def make(shape, classes):\n    return {value}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (returns("1 / 0"), r"cannot be built: ZeroDivisionError\('division by zero'\)"),
        (returns("3"), "gives int, not an nn.Module"),
        (returns("None"), "gives NoneType, not an nn.Module"),
        (returns("nn.Sequential(nn.AvgPool2d(2), nn.Flatten())"), "has no prunable layer"),
        (
            LINEAR.format(out=7),
            r"gives \[2, 7\] for 2 images of 'synthetic'; 4 classes want \[2, 4\]",
        ),
        (returns("nn.Linear(9, 4)"), r"fails on images \[2, 1, 4, 4\] of 'synthetic'"),
        (TWO_LOGITS, "gives tuple for 2 images"),
        (ALL_GO, r"declares the rate 1\.0 for '1\.weight'"),
    ],
)
def test_a_model_of_ones_own_that_does_not_work_is_one_line(
    request_for: Make, tmp_path: Path, body: str, said: str
) -> None:
    with pytest.raises(TicketError, match=said) as caught:
        prepare(request_for(sets=(("model", own(tmp_path, body)),)))
    assert "\n" not in str(caught.value)


def test_another_content_of_ones_own_file_is_another_run(request_for: Make, tmp_path: Path) -> None:
    request = request_for(sets=(("model", own(tmp_path, LINEAR.format(out=4))),))
    first = prepare(request).config
    net = tmp_path / "net.py"
    assert first.sources == {str(net): hashlib.sha256(net.read_bytes()).hexdigest()}
    assert prepare(request).config.run_name() == first.run_name()
    own(tmp_path, LINEAR.format(out=4) + "  # changed")
    assert prepare(request).config.run_name() != first.run_name()


def name_of(model: Any, data: DataSet) -> str:
    return prepare(
        Request(recipe={"rounds": 1, "sparsity": None}), Objects(model, data)
    ).config.run_name()


def test_two_functions_of_one_name_are_two_runs(points: DataSet) -> None:
    def maker(width: int) -> Callable[[], nn.Module]:
        return lambda: nn.Sequential(nn.Flatten(), nn.Linear(16, width), nn.Linear(width, 4))

    assert name_of(maker(8), points) == name_of(maker(8), points)
    assert name_of(maker(8), points) != name_of(maker(9), points)


def test_a_networks_weights_name_its_run(points: DataSet, mlp: nn.Module) -> None:
    before = name_of(mlp, points)
    assert name_of(mlp, points) == before
    with torch.no_grad():
        next(mlp.parameters()).add_(1)
    assert name_of(mlp, points) != before


@pytest.mark.parametrize(
    "change",
    [
        {"train_labels": torch.zeros(80, dtype=torch.int64)},
        {"test_labels": torch.zeros(20, dtype=torch.int64)},
        {"train_images": torch.zeros(80, 1, 4, 4, dtype=torch.uint8)},
        {"mean": (0.1,)},
        {"validation": 20},
        {"flip": True},
        {"crop": 1},
    ],
)
def test_every_part_of_a_data_set_names_its_run(points: DataSet, change: dict[str, Any]) -> None:
    assert name_of(Net, replace(points, **change)) != name_of(Net, points)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"train_images": torch.zeros(80, 16)},
            r"training images \[80, 16\] and labels \[80\] do not make",
        ),
        (
            {"test_labels": torch.zeros(3, dtype=torch.int64)},
            r"test images \[20, 1, 4, 4\] and labels \[3\]",
        ),
        ({"train_labels": torch.full((80,), 4)}, r"training labels lie outside 0\.\.3"),
        ({"train_labels": torch.full((80,), -1)}, "training labels lie outside"),
        ({"validation": 80}, "cannot hold out 80 examples"),
    ],
)
def test_data_that_does_not_fit_together_is_refused(
    points: DataSet, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(TicketError, match=said):
        prepare(Request(), Objects(Net, replace(points, **change)))


def test_a_layer_without_initial_weights_of_its_own_cannot_be_drawn_anew(points: DataSet) -> None:
    class Scaled(Net):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

    with pytest.raises(UsageError, match=r"layer '' \(Scaled\) has no reset_parameters"):
        name_of(Scaled(), points)
    assert name_of(Scaled, points)


def test_weights_of_ones_own_start_the_run(request_for: Make, tmp_path: Path) -> None:
    network = prepare(request_for()).task.network(5, "init")
    torch.save({"state_dict": network.state_dict()}, tmp_path / "w.pt")
    prepared = prepare(request_for(weights=tmp_path / "w.pt"))
    assert prepared.weights is not None
    assert torch.equal(prepared.weights["fc1.weight"], network.state_dict()["fc1.weight"])
    assert prepared.config.run_name() != prepare(request_for()).config.run_name()


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match=r"device 'cuda:99' cannot be used: .*; try --device cpu"):
        pick_device("cuda:99")
    with pytest.raises(UsageError, match="device 'abacus' cannot be used"):
        pick_device("abacus")


def test_a_request_is_left_as_it_was() -> None:
    from ticket.config import from_yaml, to_yaml

    document = from_yaml(to_yaml(prepare(Request(method="lth")).config), "here")
    text = repr(document)
    prepare(Request(document=document, sets=(("recipe.round.0.train.patience", 5),)))
    assert repr(document) == text


def test_a_changed_criterion_of_ones_own_is_another_run(request_for: Make, tmp_path: Path) -> None:
    """Files are found wherever the recipe names them."""
    file = tmp_path / "mine.py"
    text = "from ticket_plugins.criteria.criteria import magnitude\n"
    file.write_text(text, encoding="utf-8")
    request = request_for(sets=(("recipe.round.1.mark.criterion", f"{file}:magnitude"),))
    first = prepare(request).config.run_name()

    file.write_text(f"{text}# changed\n", encoding="utf-8")

    assert prepare(request).config.run_name() != first
