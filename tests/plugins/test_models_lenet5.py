"""LeNet-5 has the parameters that its papers count, and pools where they do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from ticket.errors import UsageError
from ticket.masks import prunable
from ticket_plugins.models.lenet import lenet_5

MNIST, CIFAR = (1, 28, 28), (3, 32, 32)


@pytest.mark.parametrize(
    ("build", "weights"),
    [
        # 25*6 + 25*6*16 + 16*4*4*120 + 120*84 + 84*10; the pools leave 4 x 4 of 28, 5 x 5 of 32
        (lambda: lenet_5(MNIST, 10), 150 + 2_400 + 30_720 + 10_080 + 840),
        (lambda: lenet_5(CIFAR, 10), 450 + 2_400 + 48_000 + 10_080 + 840),
        # Caffe's form: 25*20 + 25*20*50 + 50*4*4*500 + 500*10
        (lambda: lenet_5(MNIST, 10, channels=(20, 50), hidden=(500,)), 430_500),
        (lambda: lenet_5((1, 16, 16), 2), 150 + 2_400 + 16 * 120 + 10_080 + 168),
    ],
)
def test_it_has_the_weights_that_its_layers_make(
    build: Callable[[], nn.Module], weights: int
) -> None:
    assert sum(weight.numel() for weight in prunable(build()).values()) == weights


def test_lenet_5_and_its_small_dense_form_have_the_parameters_of_gradient_flow_in_sparse_networks() -> (
    None
):
    def parameters(net: nn.Module) -> int:
        return sum(p.numel() for p in net.parameters())

    whole, small = lenet_5(MNIST, 10), lenet_5(MNIST, 10, channels=(3, 3), hidden=(27, 20))
    assert parameters(small) == 2_399  # as the authors' code counts
    assert parameters(whole) == 44_426  # 44,190 weights and 6 + 16 + 120 + 84 + 10 biases


def test_lenet_5_pools_after_each_convolution() -> None:
    net = lenet_5(MNIST, 10)
    seen: dict[str, tuple[int, ...]] = {}
    for name, layer in net.named_children():
        layer.register_forward_hook(lambda _m, i, _o, n=name: seen.update({n: tuple(i[0].shape)}))
    with torch.no_grad():
        net(torch.zeros(1, *MNIST))
    assert seen == {
        "conv1": (1, 1, 28, 28),
        "conv2": (1, 6, 12, 12),
        "fc1": (1, 256),
        "fc2": (1, 120),
        "output": (1, 84),
    }


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: lenet_5((3, 15, 32), 10), "lenet-5: images of 3 x 15 x 32 are too small"),
        (lambda: lenet_5(CIFAR, 10, channels=(6,)), r"channels \[6\] are not two numbers"),
        (lambda: lenet_5(CIFAR, 10, channels=(6, 0)), r"channels \[6, 0\] are not two numbers"),
        (lambda: lenet_5(CIFAR, 10, hidden=(0,)), r"lenet-5: hidden widths \[0\]"),
    ],
)
def test_what_cannot_be_built_is_refused(build: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build()
