"""A network for large images counts the parameters and multiply-adds of its paper, at any image size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ticket.errors import UsageError
from ticket_plugins.models.imagenet_resnet import (
    imagenet_resnet,
    resnet18,
    resnet26,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
)
from ticket_plugins.models.mobilenet import mobilenet_v1
from ticket_plugins.models.wide_resnet import wide_resnet

IMAGENET = (3, 224, 224)
CIFAR = (3, 32, 32)


def built(build: Callable[[], nn.Module]) -> nn.Module:
    """Build without memory and without drawing weights: only shapes matter here."""
    with torch.device("meta"):
        return build().eval()


def multiply_adds(net: nn.Module, shape: tuple[int, ...]) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, *shape, device="meta"))
    return int(counter.get_total_flops()) // 2


def sizes_after_stages(net: nn.Module, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    sizes: list[tuple[int, ...]] = []
    for stage in net.get_submodule("stages").children():
        stage.register_forward_hook(lambda _m, _i, out: sizes.append(tuple(out.shape[1:])))
    net(torch.zeros(1, *shape, device="meta"))
    return sizes


@pytest.mark.parametrize(
    ("build", "shape", "classes", "parameters"),
    [
        (resnet18, IMAGENET, 1000, 11_689_512),
        (resnet34, IMAGENET, 1000, 21_797_672),
        (resnet50, IMAGENET, 1000, 25_557_032),
        (resnet101, IMAGENET, 1000, 44_549_160),
        (resnet152, IMAGENET, 1000, 60_192_808),
        (mobilenet_v1, IMAGENET, 1000, 4_231_976),
        (resnet18, CIFAR, 10, 11_173_962),
        (resnet50, CIFAR, 10, 23_520_842),
        (lambda s, c: wide_resnet(s, c, depth=28, width=10), CIFAR, 10, 36_479_194),
        (lambda s, c: wide_resnet(s, c, depth=16, width=8), CIFAR, 10, 10_961_370),
    ],
)
def test_a_network_has_as_many_parameters_as_published(
    build: Callable[[Any, int], nn.Module],
    shape: tuple[int, int, int],
    classes: int,
    parameters: int,
) -> None:
    net = built(lambda: build(shape, classes))
    assert sum(p.numel() for p in net.parameters()) == parameters


@pytest.mark.parametrize(
    ("build", "shape", "millions"),
    [
        (resnet18, CIFAR, 555),
        (resnet18, IMAGENET, 1_814),
        (resnet50, IMAGENET, 4_089),
        (mobilenet_v1, IMAGENET, 569),
        (lambda s, c: wide_resnet(s, c, depth=28, width=10), CIFAR, 5_243),
    ],
)
def test_a_network_does_as_many_multiply_adds_as_published(
    build: Callable[[Any, int], nn.Module], shape: tuple[int, int, int], millions: int
) -> None:
    net = built(lambda: build(shape, 1000 if shape == IMAGENET else 10))
    assert round(multiply_adds(net, shape) / 1e6) == millions


def test_resnet26_lies_between_18_and_34_and_has_basic_blocks() -> None:
    net = built(lambda: resnet26(IMAGENET, 1000))
    assert [len(list(s.children())) for s in net.get_submodule("stages").children()] == [2, 3, 4, 3]
    assert sum(p.numel() for p in net.parameters()) == 19_066_920
    layers = [
        n for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)
        and "shortcut" not in n
    ]  # fmt: skip
    assert len(layers) == 26


def test_the_stem_follows_the_size_of_the_images_unless_it_is_named() -> None:
    small = [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]
    large = [(64, 8, 8), (128, 4, 4), (256, 2, 2), (512, 1, 1)]
    assert sizes_after_stages(built(lambda: resnet18(CIFAR, 10)), CIFAR) == small
    named = built(lambda: resnet18(CIFAR, 10, stem="imagenet"))
    assert sizes_after_stages(named, CIFAR) == large
    for size, stem in ((63, 3), (64, 7)):
        net = built(lambda size=size: resnet18((3, 64, size), 10))  # type: ignore[misc]
        assert net.get_parameter("stem.weight").shape[-1] == stem
    forced = built(lambda: resnet18(IMAGENET, 10, stem="cifar"))
    assert forced.get_parameter("stem.weight").shape == (64, 3, 3, 3)


def test_mobilenet_for_small_images_halves_them_four_times_and_not_in_the_stem() -> None:
    net = built(lambda: mobilenet_v1(CIFAR, 10))
    assert sizes_after_stages(net, CIFAR) == [
        (64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (1024, 2, 2)
    ]  # fmt: skip
    large = built(lambda: mobilenet_v1(IMAGENET, 1000))
    assert sizes_after_stages(large, IMAGENET)[-1] == (1024, 7, 7)


def test_a_bottleneck_strides_on_its_3x3() -> None:
    block = built(lambda: resnet50(IMAGENET, 1000)).get_submodule("stages.1.0")
    strides = {n: m.stride for n, m in block.named_modules() if isinstance(m, nn.Conv2d)}
    assert strides == {
        "conv1": (1, 1), "conv2": (2, 2), "conv3": (1, 1), "shortcut.conv": (2, 2)
    }  # fmt: skip


def test_a_bottleneck_network_gives_finite_logits_and_a_gradient_to_every_parameter() -> None:
    torch.manual_seed(0)
    net = resnet50((3, 8, 8), 4)
    logits = net(torch.randn(2, 3, 8, 8))
    assert logits.shape == (2, 4)
    assert logits.isfinite().all()
    logits.square().sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_wide_block_activates_before_it_splits_only_where_it_widens() -> None:
    torch.manual_seed(0)
    net = wide_resnet((1, 4, 4), 2, depth=16, width=2).eval()
    images = torch.randn(1, 32, 4, 4)
    same, widening = net.get_submodule("stages.0.1"), net.get_submodule("stages.1.0")
    for name, parameter in net.named_parameters():
        if name.endswith("conv2.weight"):
            nn.init.zeros_(parameter)  # leaves what goes past the convolutions
    assert torch.equal(same(images), images)
    past = widening.get_submodule("shortcut")(widening.get_submodule("norm1")(images).relu())
    assert torch.equal(widening(images), past)


def test_a_network_declares_the_training_of_its_image_size() -> None:
    lengths = {
        (shape, build.__name__): built(lambda b=build, s=shape: b(s, 10)).paper_training["length"]  # type: ignore[misc, index]
        for build in (resnet18, mobilenet_v1)
        for shape in (IMAGENET, CIFAR)
    }
    assert lengths == {
        (IMAGENET, "resnet18"): "90ep",
        (CIFAR, "resnet18"): "160ep",
        (IMAGENET, "mobilenet_v1"): "90ep",
        (CIFAR, "mobilenet_v1"): "160ep",
    }


@pytest.mark.parametrize("build", [resnet18, mobilenet_v1])
def test_an_unknown_stem_is_refused_by_name(build: Callable[..., nn.Module]) -> None:
    with pytest.raises(UsageError, match="stem 'big' is not one of auto, imagenet, cifar"):
        build(CIFAR, 10, stem="big")


def test_a_depth_that_is_none_of_he_and_chen_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="depth 20 is not one of 18, 26, 34, 50, 101, 152"):
        imagenet_resnet(CIFAR, 10, depth=20)
