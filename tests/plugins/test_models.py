"""A model has the weights its paper counts, starts as its paper says, refuses the impossible."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ticket.errors import UsageError
from ticket.training import read_training
from ticket_plugins.models.conv import conv
from ticket_plugins.models.imagenet_resnet import resnet18
from ticket_plugins.models.lenet import lenet_5
from ticket_plugins.models.mlp import lenet_300_100, mlp, mlp_300
from ticket_plugins.models.mobilenet import mobilenet_v1
from ticket_plugins.models.resnet import resnet
from ticket_plugins.models.vgg import vgg
from ticket_plugins.models.wide_resnet import wide_resnet

MNIST = (1, 28, 28)
CIFAR = (3, 32, 32)

BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "lenet-300-100": lambda: lenet_300_100(MNIST, 10),
    "lenet-5": lambda: lenet_5(CIFAR, 10),
    "mlp": lambda: mlp((2, 4, 5), 3, hidden=(7, 6, 5)),
    "conv-2": lambda: conv(CIFAR, 10, depth=2),
    "conv-4": lambda: conv(CIFAR, 10, depth=4),
    "conv-6": lambda: conv(CIFAR, 10, depth=6),
    "resnet8": lambda: resnet(CIFAR, 10, depth=8),
    "resnet20": lambda: resnet(CIFAR, 10, depth=20),
    "resnet20-A": lambda: resnet(CIFAR, 10, depth=20, shortcut="A"),
    "vgg11": lambda: vgg(CIFAR, 10, depth=11),
    "vgg11-head": lambda: vgg(CIFAR, 10, depth=11, hidden=(512, 512)),
    "mlp-3": lambda: mlp_300(CIFAR, 10, layers=3),
    "resnet18": lambda: resnet18(CIFAR, 10),
    "wrn-10-2": lambda: wide_resnet(CIFAR, 10, depth=10, width=2),
    "mobilenet-v1": lambda: mobilenet_v1(CIFAR, 10),
}


def kernels(net: nn.Module) -> dict[str, torch.Tensor]:
    layers = (nn.Conv2d, nn.Linear)
    return {f"{n}.weight": m.weight for n, m in net.named_modules() if isinstance(m, layers)}


def prunable(net: nn.Module) -> int:
    return sum(weight.numel() for weight in kernels(net).values())


@pytest.mark.parametrize(
    ("build", "weights"),
    [
        (lambda: lenet_300_100(MNIST, 10), 266_200),
        (lambda: conv(CIFAR, 10, depth=2), 4_300_992),
        (lambda: conv(CIFAR, 10, depth=4), 2_425_024),
        (lambda: conv(CIFAR, 10, depth=6), 2_261_184),
        (lambda: resnet(CIFAR, 10, depth=20), 270_896),
        (lambda: resnet(CIFAR, 10, depth=20, shortcut="A"), 270_896 - 512 - 2_048),
        (lambda: resnet(CIFAR, 10, depth=56), 851_504),
        (lambda: vgg(CIFAR, 10, depth=11), 9_222_848),
        (lambda: vgg(CIFAR, 10, depth=13), 9_407_168),
        (lambda: vgg(CIFAR, 10, depth=16), 14_715_584),
        (lambda: vgg(CIFAR, 10, depth=19), 20_024_000),
        (lambda: vgg(CIFAR, 10, depth=13, hidden=(512, 512)), 9_407_168 + 2 * 512 * 512),
        (lambda: mlp_300(MNIST, 10, layers=1), 266_200),
        (lambda: mlp_300(MNIST, 10, layers=4), 266_200 + 3 * 90_000),
    ],
)
def test_a_model_has_as_many_prunable_weights_as_published(
    build: Callable[[], nn.Module], weights: int
) -> None:
    assert prunable(build()) == weights


def test_lenet_has_the_layers_of_the_paper_in_order() -> None:
    shapes = {
        name: tuple(weight.shape) for name, weight in kernels(BUILDERS["lenet-300-100"]()).items()
    }
    assert shapes == {
        "fc1.weight": (300, 784),
        "fc2.weight": (100, 300),
        "output.weight": (10, 100),
    }


def test_conv_2_spends_38_thousand_weights_on_convolutions() -> None:
    weights = kernels(BUILDERS["conv-2"]())
    assert sum(w.numel() for n, w in weights.items() if n.startswith("convs.")) == 38_592


def test_the_parameters_of_a_resnet_are_named_by_stage_and_block() -> None:
    names = set(kernels(BUILDERS["resnet8"]()))
    assert names == {
        "stem.weight",
        "stages.0.0.conv1.weight",
        "stages.0.0.conv2.weight",
        "stages.1.0.conv1.weight",
        "stages.1.0.conv2.weight",
        "stages.1.0.shortcut.conv.weight",
        "stages.2.0.conv1.weight",
        "stages.2.0.conv2.weight",
        "stages.2.0.shortcut.conv.weight",
        "classifier.weight",
    }


@pytest.mark.parametrize("name", BUILDERS)
def test_a_model_gives_finite_logits_of_a_batch_and_a_gradient_to_every_parameter(
    name: str,
) -> None:
    torch.manual_seed(0)
    net = BUILDERS[name]()
    shape, classes = ((2, 4, 5), 3) if name == "mlp" else (CIFAR, 10)
    images = torch.randn(4, *(MNIST if name == "lenet-300-100" else shape))
    logits = net(images)
    assert logits.shape == (4, classes)
    assert logits.isfinite().all()
    logits.square().sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", BUILDERS)
def test_one_seed_gives_one_start_and_another_seed_another(name: str) -> None:
    starts = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        starts.append(BUILDERS[name]().state_dict())
    assert all(torch.equal(starts[0][key], starts[1][key]) for key in starts[0])
    first = next(iter(starts[0]))
    assert not torch.equal(starts[0][first], starts[2][first])


@pytest.mark.parametrize("name", BUILDERS)
def test_biases_start_at_zero(name: str) -> None:
    layers = [m for m in BUILDERS[name]().modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    biases = [layer.bias for layer in layers if layer.bias is not None]
    assert biases
    assert not any(bias.any() for bias in biases)


@pytest.mark.parametrize(
    ("name", "layer", "variance"),
    [
        ("lenet-300-100", "fc1.weight", 2 / (784 + 300)),
        ("lenet-300-100", "fc2.weight", 2 / (300 + 100)),
        ("lenet-5", "fc1.weight", 2 / (400 + 120)),
        ("conv-4", "convs.3.weight", 2 / (128 * 9 + 128 * 9)),
        ("conv-2", "fc2.weight", 2 / (256 + 256)),
        ("resnet20", "stages.2.1.conv2.weight", 2 / (64 * 9)),
        ("vgg11", "stages.3.0.conv.weight", 2 / (256 * 9)),
        ("vgg11-head", "fc2.weight", 2 / 512),
        ("mlp-3", "fc2.weight", 2 / 300),
        ("resnet18", "stages.3.1.conv2.weight", 2 / (512 * 9)),
        ("wrn-10-2", "stages.2.0.conv2.weight", 2 / (128 * 9)),
        ("mobilenet-v1", "stages.4.1.conv1.weight", 2 / 9),
    ],
)
def test_weights_start_gaussian_with_the_declared_spread(
    name: str, layer: str, variance: float
) -> None:
    torch.manual_seed(0)
    weight = kernels(BUILDERS[name]())[layer].detach().double()
    assert weight.std().item() == pytest.approx(variance**0.5, rel=0.02)
    # A Gaussian leaves 0.27 % beyond 3 standard deviations; uniform and truncated ones nothing.
    beyond = (weight.abs() > 3 * variance**0.5).double().mean().item()
    assert 0.0015 < beyond < 0.0045


@pytest.mark.parametrize("name", ["lenet-300-100", "mlp", "mlp-3", "conv-2", "conv-4", "conv-6"])
def test_the_paper_rates_name_every_prunable_weight(name: str) -> None:
    net = BUILDERS[name]()
    assert set(net.prune_rates) == set(kernels(net))  # type: ignore[arg-type]


def test_the_output_layer_is_cut_at_half_the_rate_and_conv_6_keeps_its_own() -> None:
    assert BUILDERS["lenet-300-100"]().prune_rates == {
        "fc1.weight": 0.2,
        "fc2.weight": 0.2,
        "output.weight": 0.1,
    }
    conv_4, conv_6 = BUILDERS["conv-4"]().prune_rates, BUILDERS["conv-6"]().prune_rates
    assert isinstance(conv_4, dict)
    assert isinstance(conv_6, dict)
    assert (conv_4["convs.0.weight"], conv_4["fc1.weight"], conv_4["output.weight"]) == (
        0.1,
        0.2,
        0.1,
    )
    assert (conv_6["convs.5.weight"], conv_6["fc2.weight"], conv_6["output.weight"]) == (
        0.15,
        0.2,
        0.1,
    )


@pytest.mark.parametrize("name", BUILDERS)
def test_the_paper_training_of_a_model_is_complete_and_understood(name: str) -> None:
    training = BUILDERS[name]().paper_training
    assert isinstance(training, dict)
    assert {"optimizer", "lr", "batch_size", "length", "eval_every"} <= set(training)
    assert read_training(training, name)[1] == []


def test_a_vgg_pools_between_stages_only() -> None:
    net = BUILDERS["vgg11"]().eval()
    sizes = []
    stages = net.get_submodule("stages")
    for stage in stages.children():
        stage.register_forward_hook(lambda _m, _i, out: sizes.append(tuple(out.shape[1:])))
    with torch.no_grad():
        net(torch.zeros(1, *CIFAR))
    assert sizes == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 2, 2)]


def test_a_conv_net_pools_after_every_second_convolution() -> None:
    net = BUILDERS["conv-6"]()
    sizes = []
    for layer in net.get_submodule("convs").children():
        layer.register_forward_hook(lambda _m, _i, out: sizes.append(tuple(out.shape[1:])))
    with torch.no_grad():
        net(torch.zeros(1, *CIFAR))
    assert sizes == [
        *[(64, 32, 32)] * 2,
        *[(128, 16, 16)] * 2,
        *[(256, 8, 8)] * 2,
    ]


def test_the_padded_shortcut_takes_every_second_pixel_and_adds_zero_channels() -> None:
    net = BUILDERS["resnet20-A"]()
    shortcut = net.get_submodule("stages.1.0.shortcut")
    images = torch.arange(16 * 16, dtype=torch.float32).reshape(1, 16, 4, 4)
    out = shortcut(images)
    assert out.shape == (1, 32, 2, 2)
    assert torch.equal(out[0, 0], torch.tensor([[0.0, 2.0], [8.0, 10.0]]))
    assert not out[0, 16:].any()


@given(
    hidden=st.lists(st.integers(1, 9), max_size=4),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
    classes=st.integers(1, 5),
)
@settings(max_examples=30, deadline=None)
def test_an_mlp_has_the_product_of_neighbouring_widths(
    hidden: list[int], shape: tuple[int, int, int], classes: int
) -> None:
    net = mlp(shape, classes, hidden=tuple(hidden))
    widths = [shape[0] * shape[1] * shape[2], *hidden, classes]
    assert prunable(net) == sum(a * b for a, b in pairwise(widths))
    assert net(torch.zeros(2, *shape)).shape == (2, classes)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: resnet(CIFAR, 10, depth=21),
            "depth 21 is not 6n \\+ 2; the nearest are 20 and 26",
        ),
        (lambda: resnet(CIFAR, 10, depth=2), "depth 2 is not 6n \\+ 2; the smallest is 8"),
        (lambda: resnet(CIFAR, 10, depth=-4), "the smallest is 8"),
        (lambda: resnet(CIFAR, 10, depth=20, shortcut="C"), "shortcut 'C'"),
        (lambda: vgg(CIFAR, 10, depth=12), "depth 12 is not one of 11, 13, 16, 19"),
        (lambda: vgg((3, 15, 32), 10, depth=11), "vgg11: images of 3 x 15 x 32 are too small"),
        (lambda: conv(CIFAR, 10, depth=3), "depth 3 is not one of 2, 4, 6"),
        (lambda: conv((3, 8, 7), 10, depth=6), "conv-6: images of 3 x 8 x 7 are too small"),
        (lambda: lenet_300_100((0, 28, 28), 10), "too small"),
        (lambda: lenet_300_100(MNIST, 0), "0 classes"),
        (lambda: mlp(MNIST, 10, hidden=(300, 0)), "hidden widths \\[300, 0\\]"),
        (lambda: vgg(CIFAR, 10, depth=13, hidden=(0,)), "vgg13: hidden widths \\[0\\]"),
        (lambda: mlp_300(MNIST, 10, layers=0), "mlp-0: 0 hidden layers of 300; .* 1 or more"),
        (lambda: wide_resnet(CIFAR, 10, depth=29, width=2), "depth 29 .*nearest are 28 and 34"),
        (lambda: wide_resnet(CIFAR, 10, depth=4, width=2), "wrn: depth 4 .*the smallest is 10"),
        (lambda: wide_resnet(CIFAR, 10, depth=10, width=0), "wrn: width 0 is not 1 or more"),
        (lambda: resnet18((3, 0, 32), 10), "resnet18: images of 3 x 0 x 32 are too small"),
        (lambda: mobilenet_v1(CIFAR, 0), "mobilenet-v1: 0 classes"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(
    build: Callable[[], nn.Module], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        build()


def test_the_smallest_images_a_model_accepts_go_through_it() -> None:
    for net, size in (
        (conv((1, 8, 8), 2, depth=6), 8),
        (vgg((1, 16, 16), 2, depth=11), 16),
        (resnet((1, 1, 1), 2, depth=8), 1),
        (wide_resnet((1, 1, 1), 2, depth=10, width=1), 1),
        (mobilenet_v1((1, 1, 1), 2), 1),
        (mobilenet_v1((1, 1, 1), 2, stem="imagenet"), 1),
    ):
        assert net.eval()(torch.zeros(1, 1, size, size)).shape == (1, 2)
