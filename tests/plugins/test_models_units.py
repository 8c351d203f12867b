"""Every built-in model tells its units: the first of a stage is its own, the others are alike."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ticket.registry import installed
from ticket.transforming.anatomy import Anatomy, anatomy
from ticket.uses import bind, read_use
from ticket_plugins.models.hidden import hidden_units
from ticket_plugins.models.vgg import vgg

CIFAR = (3, 32, 32)

# Plugin -> a model of it -> units of each stage.
EXAMPLES: dict[str, tuple[object, dict[str, int]]] = {
    "lenet-300-100": ("lenet-300-100", {"width 300": 1, "width 100": 1}),
    "lenet-5": (
        {"name": "lenet-5", "hidden": [120, 84, 84, 84]},
        {"stage1": 1, "stage2": 1, "head 120": 1, "head 84": 3},
    ),
    "mlp": ({"name": "mlp", "hidden": [7, 7, 7, 5, 7]}, {"width 7": 3, "width 5": 1, "width 7 (2)": 1}),
    "mlp-{layers}": ("mlp-4", {"width 300": 4, "width 100": 1}),
    "conv-{depth}": ("conv-4", {"stage1": 2, "stage2": 2, "head": 2}),
    "resnet{depth}": ("resnet32", {"stage1": 5, "stage2": 5, "stage3": 5}),
    "cifar-resnet{depth}": ("cifar-resnet26", {"stage1": 4, "stage2": 4, "stage3": 4}),
    "resnet18": ("resnet18", {"stage1": 2, "stage2": 2, "stage3": 2, "stage4": 2}),
    "resnet26": ("resnet26", {"stage1": 2, "stage2": 3, "stage3": 4, "stage4": 3}),
    "resnet34": ("resnet34", {"stage1": 3, "stage2": 4, "stage3": 6, "stage4": 3}),
    "resnet50": ("resnet50", {"stage1": 3, "stage2": 4, "stage3": 6, "stage4": 3}),
    "resnet101": ("resnet101", {"stage1": 3, "stage2": 4, "stage3": 23, "stage4": 3}),
    "resnet152": ("resnet152", {"stage1": 3, "stage2": 8, "stage3": 36, "stage4": 3}),
    "wrn-{depth}-{width}": ("wrn-16-8", {"stage1": 2, "stage2": 2, "stage3": 2}),
    "vgg{depth}": ("vgg16", {"stage1": 2, "stage2": 2, "stage3": 3, "stage4": 3, "stage5": 3}),
    "mobilenet-v1": (
        "mobilenet-v1", {"stage1": 1, "stage2": 2, "stage3": 2, "stage4": 6, "stage5": 2}
    ),
}  # fmt: skip


def taken_apart(model: object) -> Anatomy:
    """Build without memory and without drawing weights: only names and shapes matter here."""
    with torch.device("meta"):
        network = bind(read_use("models", model))(CIFAR, 10)
    return anatomy(network, str(model))


@functools.cache
def example(plugin: str) -> Anatomy:
    return taken_apart(EXAMPLES[plugin][0])


def shapes_of(unit: Mapping[str, str], whole: Anatomy) -> dict[str, torch.Size]:
    return {within: whole.shapes[name] for within, name in unit.items()}


def test_every_built_in_model_has_an_example_here() -> None:
    built_in = {p.name for p in installed("models") if p.package == "ticket"}
    assert built_in == set(EXAMPLES)


@pytest.mark.parametrize("plugin", EXAMPLES)
def test_a_model_tells_its_stages_and_how_many_units_they_have(plugin: str) -> None:
    _, counts = EXAMPLES[plugin]
    assert {s: len(units) for s, units in example(plugin).stages.items()} == counts


@pytest.mark.parametrize("plugin", EXAMPLES)
def test_the_units_after_the_first_of_a_stage_are_alike(plugin: str) -> None:
    whole = example(plugin)
    for stage, units in whole.stages.items():
        shapes = [shapes_of(unit, whole) for unit in units[1:]]
        assert all(s == shapes[0] for s in shapes), stage


@pytest.mark.parametrize("plugin", EXAMPLES)
def test_only_stem_last_layer_and_their_norm_belong_to_no_unit(plugin: str) -> None:
    rest = {name.partition(".")[0] for name in example(plugin).rest}
    assert rest <= {"stem", "norm", "classifier", "output"}


@pytest.mark.parametrize(
    ("model", "stage", "number", "tensors"),
    [
        ("resnet20", "stage2", 1, [
            *["stages.1.1.conv1.weight", "stages.1.1.conv2.weight"],
            *[f"stages.1.1.norm{i}.{part}" for i in (1, 2) for part in (
                "weight", "bias", "running_mean", "running_var", "num_batches_tracked")],
        ]),
        ("vgg13", "stage5", 1, ["stages.4.1.conv.weight", *[f"stages.4.1.norm.{part}" for part in (
            "weight", "bias", "running_mean", "running_var", "num_batches_tracked")]]),
        ("mlp-2", "width 300", 1, ["fc2.weight", "fc2.bias"]),
        ("mlp-2", "width 100", 0, ["fc3.weight", "fc3.bias"]),
        ("conv-6", "stage3", 1, ["convs.5.weight", "convs.5.bias"]),
        ("conv-6", "head", 1, ["fc2.weight", "fc2.bias"]),
        ("lenet-5", "stage2", 0, ["conv2.weight", "conv2.bias"]),
        ("lenet-5", "head 84", 0, ["fc2.weight", "fc2.bias"]),
    ],
)  # fmt: skip
def test_a_unit_holds_all_tensors_of_its_layers(
    model: object, stage: str, number: int, tensors: list[str]
) -> None:
    assert sorted(taken_apart(model).stages[stage][number].values()) == sorted(tensors)


def test_the_repeated_units_of_mobilenet_have_512_channels() -> None:
    whole = example("mobilenet-v1")
    repeated = whole.stages["stage4"][1:]
    assert len(repeated) == 5
    for unit in repeated:
        shapes = shapes_of(unit, whole)
        assert shapes["conv1.weight"] == (512, 1, 3, 3)
        assert shapes["conv2.weight"] == (512, 512, 1, 1)


def test_a_name_with_a_network_of_its_own_goes_before_the_family_of_all_depths() -> None:
    def widths(model: str) -> list[int]:
        whole = taken_apart(model)
        return [whole.shapes[units[0]["conv1.weight"]][0] for units in whole.stages.values()]

    assert widths("resnet26") == [64, 128, 256, 512]
    assert widths("cifar-resnet26") == widths("resnet20") == [16, 32, 64]


def test_hidden_layers_of_a_vgg_make_a_head_and_leave_the_rest_as_it_was() -> None:
    torch.manual_seed(0)
    plain = vgg(CIFAR, 10, depth=13)
    torch.manual_seed(0)
    deep = vgg(CIFAR, 10, depth=13, hidden=(512, 512, 512, 512))
    stages = anatomy(deep, "vgg13").stages
    assert {s: len(units) for s, units in stages.items()} == {
        **{f"stage{i}": 2 for i in range(1, 6)},
        "head 512": 4,
    }
    names = [n for n in deep.state_dict() if n not in plain.state_dict()]
    assert names == [f"fc{i}.{part}" for i in range(1, 5) for part in ("weight", "bias")]
    assert list(plain.state_dict()) == [n for n in deep.state_dict() if n not in names]


def test_a_vgg_puts_relu_behind_its_hidden_layers() -> None:
    torch.manual_seed(0)
    net = vgg((1, 16, 16), 2, depth=11, hidden=(3,)).eval()
    fc1, classifier = net.get_submodule("fc1"), net.get_submodule("classifier")
    seen: dict[str, torch.Tensor] = {}
    fc1.register_forward_hook(lambda _m, _i, out: seen.update(before=out))
    classifier.register_forward_hook(lambda _m, inputs, _o: seen.update(after=inputs[0]))
    nn.init.constant_(net.get_parameter("fc1.bias"), -0.1)
    with torch.no_grad():
        net(torch.randn(8, 1, 16, 16))
    assert (seen["before"] < 0).any()
    assert torch.equal(seen["after"], seen["before"].relu())


def test_equal_widths_in_a_row_make_one_stage_and_a_width_that_returns_another() -> None:
    assert hidden_units("width", (300, 300, 100, 300, 100)) == {
        "width 300": ["fc1", "fc2"],
        "width 100": ["fc3"],
        "width 300 (2)": ["fc4"],
        "width 100 (2)": ["fc5"],
    }
    assert hidden_units("head", ()) == {}


@given(st.lists(st.integers(1, 3), min_size=1, max_size=12))
def test_the_stages_of_hidden_layers_name_each_layer_once_and_in_order(widths: list[int]) -> None:
    units = hidden_units("width", widths)
    assert [name for names in units.values() for name in names] == [
        f"fc{i}" for i in range(1, len(widths) + 1)
    ]
    for stage, names in units.items():
        assert {widths[int(n.removeprefix("fc")) - 1] for n in names} == {int(stage.split()[1])}
