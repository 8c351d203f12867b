"""Every network that ships is captured whole, lowered, and computes what PyTorch computes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from ticket.exporting.capture import capture
from ticket.exporting.encode import encode
from ticket.exporting.entropy import measure
from ticket.exporting.ir import Affine, Conv, Linear
from ticket.exporting.lower import Lowered, lower
from ticket.exporting.reference import run
from ticket.masks import apply_, prunable
from ticket_plugins.models.conv import conv
from ticket_plugins.models.imagenet_resnet import resnet18
from ticket_plugins.models.lenet import lenet_5
from ticket_plugins.models.mlp import lenet_300_100
from ticket_plugins.models.mobilenet import mobilenet_v1
from ticket_plugins.models.resnet import resnet
from ticket_plugins.models.vgg import vgg
from ticket_plugins.models.wide_resnet import wide_resnet

Build = Callable[[tuple[int, int, int], int], nn.Module]
Shape = tuple[int, int, int]

MODELS: dict[str, tuple[Build, Shape]] = {
    "lenet-300-100": (lenet_300_100, (1, 28, 28)),
    "lenet-5": (lenet_5, (1, 28, 28)),
    "conv-4": (partial(conv, depth=4), (3, 16, 16)),
    "resnet20": (partial(resnet, depth=20), (3, 16, 16)),
    "resnet20, option A": (partial(resnet, depth=20, shortcut="A"), (3, 16, 16)),
    "vgg11": (partial(vgg, depth=11), (3, 16, 16)),
    "resnet18, small stem": (partial(resnet18, stem="cifar"), (3, 8, 8)),
    "resnet18, ImageNet stem": (partial(resnet18, stem="imagenet"), (3, 32, 32)),
    "wrn-10-1": (partial(wide_resnet, depth=10, width=1), (3, 16, 16)),
    "mobilenet-v1": (mobilenet_v1, (3, 32, 32)),
}
SMALL = ("lenet-300-100", "lenet-5", "resnet20, option A", "wrn-10-1")


def built(name: str, sparsity: float) -> tuple[nn.Module, Shape]:
    """Build a network with random BatchNorm statistics and masks."""
    torch.manual_seed(0)
    build, shape = MODELS[name]
    model = build(shape, 10)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.3)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.3, 2)  # type: ignore[arg-type]
            nn.init.normal_(module.weight, 1, 0.3)
            nn.init.normal_(module.bias, 0, 0.3)
        if isinstance(module, nn.Linear):  # an output of nothing but zeros would compare nothing
            nn.init.normal_(module.bias, 0, 0.1)
    apply_(model, {n: torch.rand_like(w) >= sparsity for n, w in prunable(model).items()})
    return model.eval(), shape


def assert_lowered(name: str, sparsity: float) -> Lowered:
    model, shape = built(name, sparsity)
    lowered = lower(model, shape)
    assert lowered.report.unknown == ()
    images = torch.randn(3, *shape)
    with torch.no_grad():
        expected = model(images)
    largest = expected.abs().amax(1)
    assert bool((largest > 0).all())
    errors = (run(lowered.graph, images) - expected).abs().amax(1)
    assert bool((errors <= 1e-4 * largest).all()), (errors / largest).tolist()
    return lowered


@pytest.mark.parametrize("name", [name for name in MODELS if name != "resnet18, small stem"])
def test_a_network_that_ships_is_lowered_to_what_it_computes(name: str) -> None:
    lowered = assert_lowered(name, 0.9)
    assert not any(isinstance(op, Affine) for op in lowered.graph.ops) or name == "wrn-10-1"
    assert 0 < lowered.report.macs < 0.2 * lowered.report.macs_before


@pytest.mark.parametrize("sparsity", [0, 0.5, 0.99])
@pytest.mark.parametrize("name", SMALL)
def test_small_networks_of_any_sparsity_are_lowered_too(name: str, sparsity: float) -> None:
    assert_lowered(name, sparsity)


@pytest.mark.slow
@pytest.mark.parametrize("sparsity", [0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", [name for name in MODELS if name not in SMALL])
def test_large_networks_of_any_sparsity_are_lowered_too(name: str, sparsity: float) -> None:
    assert_lowered(name, sparsity)


@pytest.mark.parametrize("sparsity", [0.9, 0.95])
def test_a_sparse_plan_is_within_a_tenth_of_its_bound_and_the_container(sparsity: float) -> None:
    lowered = assert_lowered("resnet20", sparsity)
    size = measure(encode(lowered.graph, {"model": "resnet20"}))
    assert size.ratio <= 1.02
    assert size.plan <= 1.1 * size.bound
    assert size.container < 3000


def test_the_report_tells_of_each_layer_what_was_done() -> None:
    lowered = assert_lowered("resnet20, option A", 0.95)
    report = lowered.report
    assert len(report.layers) == 20 + 2
    by_name = {layer.name: layer for layer in report.layers}
    first = by_name["stem"]
    assert (first.kind, first.shape_before, first.fused) == (
        "conv",
        (16, 3, 3, 3),
        ("batchnorm", "relu"),
    )
    assert first.macs_before == 16 * 27 * 16 * 16
    assert first.macs == first.kept * 16 * 16
    assert by_name["stages.0.0.conv2"].fused == ("batchnorm", "add", "relu")
    assert by_name["stages.1.0.shortcut"].kind == "pick"
    assert by_name["stages.1.0.shortcut"].macs_before == 0
    assert by_name["classifier"].kind == "linear"
    weights = sum(p.numel() for p in prunable(built("resnet20, option A", 0)[0]).values())
    layers = [layer for layer in report.layers if layer.kind != "pick"]
    assert sum(torch.Size(layer.shape_before).numel() for layer in layers) == weights
    assert all(
        layer.density == pytest.approx(layer.kept / torch.Size(layer.shape).numel())
        for layer in layers
    )


def test_dropped_channels_are_counted() -> None:
    lowered = assert_lowered("mobilenet-v1", 0.97)
    dropped = [layer for layer in lowered.report.layers if layer.dropped_filters]
    assert len(dropped) > 10
    for layer in lowered.report.layers:
        assert layer.dropped_filters == layer.shape_before[0] - layer.shape[0]
        assert layer.dropped_inputs == layer.shape_before[1] - layer.shape[1]
    layers = [op for op in lowered.graph.ops if isinstance(op, Conv | Linear)]
    assert {op.name: tuple(op.weight.shape) for op in layers} == {
        layer.name: layer.shape for layer in lowered.report.layers
    }


def test_unknown_operators_are_reported_by_name() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Conv2d(4, 2, 1), nn.GELU())
    report = lower(model, (3, 8, 8)).report
    assert report.unknown == ("aten.silu.default", "aten.gelu.default")
    assert [layer.name for layer in report.layers] == ["0", "2"]


@pytest.mark.parametrize(("values", "limit"), [("fp16", 2e-3), ("bf16", 2e-2)])
def test_short_values_change_outputs_by_their_precision(values: str, limit: float) -> None:
    model, shape = built("resnet20", 0.5)
    images = torch.randn(3, *shape)
    exact = run(capture(model, shape), images)
    rounded = run(lower(model, shape, values=values).graph, images)
    error = float(((rounded - exact).abs().amax(1) / exact.abs().amax(1)).max())
    assert limit / 100 < error < limit
