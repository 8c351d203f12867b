"""What a network does is captured as known operations, each exact, and the rest by its ATen name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name every reader of torch code expects
from torch import Tensor, nn

from ticket.errors import TicketError
from ticket.exporting.capture import capture
from ticket.exporting.ir import Act, Activate, Affine, Conv, Graph, Linear, MaxPool, Unknown
from ticket.exporting.reference import run

SHAPE = (4, 6, 6)


class Net(nn.Module):
    """A network whose forward is a function of x and of this module's layers."""

    numbers: Tensor

    def __init__(self, function: Callable[[Net, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.linear = nn.Linear(144, 5)
        self.register_buffer("numbers", torch.tensor([0.5, 1.0, -2.0, 3.0]))

    def forward(self, x: Tensor) -> Tensor:
        """Return the function's result."""
        return self.function(self, x)


def captured(model: nn.Module, shape: tuple[int, ...] = SHAPE) -> Graph:
    """Capture and compare with the model in eval mode, on another batch than the example's."""
    torch.manual_seed(0)
    graph = capture(model, shape)
    images = 3 * torch.randn(5, *shape)
    model.eval()
    with torch.no_grad():
        expected = model(images.clone())
    torch.testing.assert_close(run(graph, images), expected, rtol=1e-6, atol=1e-6)
    return graph


def kinds(graph: Graph) -> list[str]:
    return [type(op).__name__ for op in graph.ops]


def ends(x: Tensor) -> Tensor:
    """Pad channels at both ends, as a shortcut without parameters does."""
    return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 2))


KNOWN: dict[str, tuple[Callable[[Net, Tensor], Tensor], list[str]]] = {
    "conv and norm": (lambda n, x: n.norm(n.conv(x)), ["Conv", "BatchNorm"]),
    "same": (lambda n, x: F.conv2d(x, n.conv.weight[..., :2], padding="same"), ["Conv"]),
    "valid": (lambda n, x: F.conv2d(x, n.conv.weight, padding="valid"), ["Conv"]),
    "grouped": (
        lambda n, x: F.conv2d(x, n.conv.weight[:, :1], None, (2, 1), 2, (1, 2), 4),
        ["Conv"],
    ),
    "linear": (lambda n, x: n.linear(x.flatten(1)), ["Reshape", "Linear"]),
    "addmm": (
        lambda n, x: torch.addmm(n.linear.bias, x.reshape(-1, 144), n.linear.weight.t()),
        ["Reshape", "Linear"],
    ),
    "matmul": (lambda n, x: x.view(-1, 144) @ n.linear.weight.t(), ["Reshape", "Linear"]),
    "relus": (
        lambda n, x: F.relu6(x.relu()).clamp(min=0).clamp(0, 6).clamp_min(0),
        ["Activate"] * 5,
    ),
    "relus by other names": (
        lambda n, x: F.hardtanh(F.threshold(x, 0, 0), 0, 6),
        ["Activate", "Activate"],
    ),
    "in place": (lambda n, x: n.conv(x).relu_().add_(1).mul_(2), ["Conv", "Activate"] + ["Affine"] * 2),
    "residual": (lambda n, x: n.conv(x) + x, ["Conv", "Add"]),
    "difference": (lambda n, x: n.conv(x) - x, ["Conv", "Affine", "Add"]),
    "numbers": (lambda n, x: 3 - (x * 2 - 1) / 4, ["Affine"] * 4),
    "channels": (
        lambda n, x: -(x - n.numbers.view(1, 4, 1, 1)) / n.numbers.view(4, 1, 1),
        ["Affine"] * 3,
    ),
    "features": (lambda n, x: x.mean((2, 3)) * n.numbers, ["GlobalAvg", "Reshape", "Affine"]),
    "gate": (
        lambda n, x: x.mean((2, 3), keepdim=True).relu() * x * x,
        ["GlobalAvg", "Activate", "Mul", "Mul"],
    ),
    "max pool": (lambda n, x: F.max_pool2d(x, 3, 2, 1, 2, ceil_mode=True), ["MaxPool"]),
    "avg pool": (lambda n, x: F.avg_pool2d(x, (3, 2), padding=1), ["AvgPool"]),
    "avg pool over pixels": (
        lambda n, x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
        ["AvgPool"],
    ),
    "avg pool rounded up": (lambda n, x: F.avg_pool2d(x, 4, 4, ceil_mode=True), ["AvgPool"]),
    "avg pool padded and rounded up": (
        lambda n, x: F.avg_pool2d(x, 4, 3, 1, ceil_mode=True),
        ["Pad", "AvgPool"],
    ),
    "adaptive": (
        lambda n, x: F.adaptive_avg_pool2d(x, 3) + F.adaptive_max_pool2d(x, (3, 3)),
        ["AvgPool", "MaxPool", "Add"],
    ),
    "to a pixel": (
        lambda n, x: F.adaptive_avg_pool2d(x, 1) + F.adaptive_max_pool2d(x, 1),
        ["GlobalAvg", "GlobalMax", "Add"],
    ),
    "largest": (lambda n, x: x.amax((-1, -2)), ["GlobalMax", "Reshape"]),
    "rows and columns": (
        lambda n, x: x.mean(2, keepdim=True) + x.mean(2, keepdim=True),
        ["AvgPool", "AvgPool", "Add"],
    ),
    "flattened pixels": (
        lambda n, x: x.flatten(2).mean(2) + x.flatten(2).amax(-1),
        ["GlobalAvg", "Reshape", "GlobalMax", "Reshape", "Add"],
    ),
    "back to an image": (
        lambda n, x: x.mean((2, 3))[:, :, None, None] * x,
        ["GlobalAvg", "Reshape", "Reshape", "Mul"],
    ),
    "shapes": (
        lambda n, x: x.view(len(x), 2, 12, 6).flatten(1).unsqueeze(2).unsqueeze(3).squeeze(),
        ["Reshape"] * 4,
    ),
    "joined": (lambda n, x: torch.cat([x, x.relu(), x], -3), ["Activate", "Concat"]),
    "joined features": (
        lambda n, x: torch.cat([x.flatten(1), x.flatten(1)], 1),
        ["Reshape", "Reshape", "Concat"],
    ),
    "padded": (lambda n, x: F.pad(x, (1, 2, 0, 1), value=0.5), ["Pad"]),
    "shortcut without parameters": (lambda n, x: ends(x), ["MaxPool", "MaxPool", "Conv"]),
    "channels apart": (
        lambda n, x: x[:, 1:4:2] + torch.cat(x.chunk(4, 1)[1:3], 1) + torch.split(x, [1, 2, 1], 1)[1],
        ["Conv"] * 3 + ["Concat", "Add", "Conv", "Add"],
    ),
    "nothing": (
        lambda n, x: F.dropout(x.contiguous().clone().detach().to(torch.float32), 0.5, False) + 1,
        ["Affine"],
    ),
    "the input itself": (lambda n, x: x, ["Reshape"]),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_known_operators_become_operations_that_compute_the_same(name: str) -> None:
    function, expected = KNOWN[name]
    assert kinds(captured(Net(function))) == expected


UNKNOWN: dict[str, tuple[Callable[[Net, Tensor], Tensor], list[str]]] = {
    "silu": (lambda n, x: F.silu(n.conv(x)), ["aten.silu.default"]),
    "norm over the batch": (
        lambda n, x: F.batch_norm(x, None, None, training=True),
        ["aten.batch_norm.default"],
    ),
    "position": (lambda n, x: x + torch.arange(36.0).view(6, 6), ["aten.add.Tensor"]),
    "uneven": (lambda n, x: F.adaptive_avg_pool2d(x, 4), ["aten.adaptive_avg_pool2d.default"]),
    "divisor": (lambda n, x: F.avg_pool2d(x, 2, divisor_override=3), ["aten.avg_pool2d.default"]),
    "reflected": (lambda n, x: F.pad(x, (1, 1, 1, 1), "reflect"), ["aten.pad.default"]),
    "cropped": (lambda n, x: x[:, :, 1:, :-1], ["aten.slice.Tensor"] * 2),
    "clamp": (lambda n, x: x.clamp(-1, 1), ["aten.clamp.default"]),
    "permuted": (
        lambda n, x: x.permute(0, 2, 3, 1).reshape(len(x), -1),
        ["aten.permute.default"],
    ),
    "over the batch": (lambda n, x: x - x.mean(0, keepdim=True), ["aten.mean.dim", "aten.sub.Tensor"]),
    "many results": (
        lambda n, x: torch.max(x.flatten(2), 2).values,
        ["aten.flatten.using_ints", "aten.max.dim", "operator.getitem"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_other_operators_stay_under_their_names_and_compute_the_same(name: str) -> None:
    function, expected = UNKNOWN[name]
    graph = captured(Net(function))
    found = [op.target for op in graph.ops if isinstance(op, Unknown)]
    assert [target for target in found if not target.startswith("aten.sym_size")] == expected


def test_weights_are_named_by_their_layers_and_copied() -> None:
    conv = nn.Conv2d(4, 4, 1)
    model = nn.Sequential(conv, nn.Flatten(), nn.Linear(144, 2))
    graph = captured(model)
    layers = [op for op in graph.ops if isinstance(op, Conv | Linear)]
    assert [op.name for op in layers] == ["0", "2"]
    before = layers[0].weight.clone()
    with torch.no_grad():
        conv.weight.zero_()
    assert layers[0].weight.equal(before)


def test_a_layer_called_twice_has_two_names() -> None:
    graph = captured(Net(lambda n, x: n.conv(n.conv(x))))
    assert [op.name for op in graph.ops if isinstance(op, Conv)] == ["conv", "conv (2)"]


def test_layers_that_share_a_weight_keep_their_names() -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1))
    model[1].weight = model[0].weight
    graph = captured(model)
    assert [op.name for op in graph.ops if isinstance(op, Conv)] == ["0", "1"]


def test_computed_weights_are_computed_once() -> None:
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 2, 3)), nn.ReLU6())
    conv, act = captured(model).ops
    assert isinstance(conv, Conv)
    assert conv.weight.shape == (2, 4, 3, 3)
    assert isinstance(act, Activate)
    assert act.act is Act.RELU6


def test_constants_are_exact_per_channel() -> None:
    (affine,) = captured(Net(lambda n, x: 2 * x * n.numbers.view(4, 1, 1) - 0)).ops[1:2]
    assert isinstance(affine, Affine)
    assert affine.scale.tolist() == [0.5, 1, -2, 3]


def test_skipped_pixels_are_a_pool() -> None:
    (pool,) = captured(Net(lambda n, x: x[:, :, ::4])).ops
    assert isinstance(pool, MaxPool)
    assert (pool.window.kernel, pool.window.stride) == ((1, 1), (4, 1))


def test_vectors_are_taken_too() -> None:
    model = nn.Sequential(nn.Linear(7, 3), nn.BatchNorm1d(3), nn.Dropout(), nn.ReLU())
    assert kinds(captured(model, (7,))) == ["Linear", "BatchNorm", "Activate"]


def test_the_model_keeps_its_mode() -> None:
    model = nn.Sequential(nn.Conv2d(4, 2, 1), nn.Sequential(nn.BatchNorm2d(2)).eval())
    capture(model, SHAPE)
    assert [m.training for m in model.modules()] == [True, True, False, False]


class Counting(nn.Module):
    """A network that counts its calls."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return x."""
        self.count.add_(1)
        return x * 1


def branch(n: Net, x: Tensor) -> Tensor:
    return x if bool(x.sum() > 0) else -x


REFUSED: dict[str, tuple[nn.Module, str]] = {
    "half": (nn.Conv2d(4, 2, 1).half(), "Conv2d: 'weight' is torch.float16; export takes float32"),
    "double": (nn.Conv2d(4, 2, 1).double(), "use .float\\(\\) first"),
    "complex": (nn.Conv2d(4, 2, 1, dtype=torch.complex64), "'weight' is torch.complex64"),
    "elsewhere": (nn.Conv2d(4, 2, 1, device="meta"), "'weight' is on meta; use .cpu"),
    "branching": (Net(branch), "Net cannot be captured for images of .* not branch on what is in it"),
    "fixed batch": (Net(lambda n, x: x.view(2, -1)), "Net cannot be captured .* take any batch"),
    "control flow": (
        Net(lambda n, x: torch.cond(x.sum() > 0, lambda y: y + 1, lambda y: y - 1, (x,))),
        r"is a graph of its own \(control flow\)",
    ),
    "wrong shape": (nn.Linear(3, 3), r"Linear fails for images of \(4, 6, 6\): RuntimeError: mat1"),
    "two tensors": (Net(lambda n, x: (x, x)), "Net returns more than a tensor"),  # type: ignore[arg-type, return-value]
    "one number": (Net(lambda n, x: x.sum()), r"returns a tensor of \(\); export takes one row"),
    "no image": (Net(lambda n, x: n.numbers), "gives the same output for all images"),
    "state": (Counting(), "Counting writes its buffer 'count' in eval mode"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_captured_is_refused_in_one_line(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    model, wrong = REFUSED[name]
    with pytest.raises(TicketError, match=wrong) as error:
        capture(model, SHAPE)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_other_ranks_of_images_are_refused() -> None:
    with pytest.raises(TicketError, match=r"images of shape \(4, 6\): export takes \(C, H, W\)"):
        capture(nn.Identity(), (4, 6))
