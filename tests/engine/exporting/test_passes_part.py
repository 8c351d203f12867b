"""Around operators that are not known, the rest lies in stretches of one input and one output."""

from __future__ import annotations

import torch

from ticket.exporting.ir import (
    Act,
    Activate,
    Add,
    Concat,
    Conv,
    GlobalAvg,
    Graph,
    Mul,
    Op,
    Reshape,
    Shape,
    Slot,
    Unknown,
    Window,
)
from ticket.exporting.passes.part import Stretch, part, stretches
from ticket.exporting.reference import run

IMAGE = (2, 4, 4)


def conv(value: int, output: int, residual: int | None = None, act: Act = Act.NONE) -> Conv:
    weight = torch.linspace(-1, 1, 4).reshape(2, 2, 1, 1)
    fused = () if residual is None else ("batchnorm", "add", "relu")
    window = Window((1, 1))
    return Conv(
        f"c{output}", value, output, weight, window, residual=residual, act=act, fused=fused
    )


def silu(value: int, output: int) -> Unknown:
    return Unknown("aten.silu.default", (value,), output, (Slot(0),))


def graph(*ops: Op, shapes: dict[int, Shape] | None = None) -> Graph:
    values: list[Shape] = [IMAGE] * (len(ops) + 1)
    for value, shape in (shapes or {}).items():
        values[value] = shape
    return Graph(tuple(values), ops, (0,), (len(ops),))


def steps(whole: Graph) -> list[object]:
    """Say a stretch by what it reads, the values it makes, and an unknown operator by its name."""
    return [
        (step.input, [op.output for op in step.ops]) if isinstance(step, Stretch) else step.target
        for step in stretches(whole)
    ]


def test_what_is_known_whole_is_one_stretch_and_stays_as_it_is() -> None:
    whole = graph(conv(0, 1), conv(1, 2, residual=0))

    assert part(whole) is whole
    assert steps(whole) == [(0, [1, 2])]


def test_an_unknown_operator_parts_a_chain() -> None:
    whole = graph(conv(0, 1), conv(1, 2), silu(2, 3), conv(3, 4))

    assert part(whole) is whole
    assert steps(whole) == [(0, [1, 2]), "aten.silu.default", (3, [4])]


def test_branches_that_one_value_feeds_are_one_stretch() -> None:
    whole = graph(silu(0, 1), conv(1, 2), conv(1, 3), Add(2, 3, 4), conv(4, 5, residual=4))

    assert part(whole) is whole
    assert steps(whole) == ["aten.silu.default", (1, [2, 3, 4, 5])]


def test_a_value_that_an_unknown_operator_reads_ends_a_stretch() -> None:
    whole = graph(conv(0, 1), conv(1, 2), silu(1, 3), Add(2, 3, 4, Act.RELU))
    parted = part(whole)
    images = torch.randn(2, *IMAGE)

    assert [op.target for op in parted.ops if isinstance(op, Unknown) and op.left] == [
        "aten.add.Tensor",
        "aten.relu.default",
    ]
    assert steps(parted) == [
        (0, [1]),
        (1, [2]),
        "aten.silu.default",
        "aten.add.Tensor",
        "aten.relu.default",
    ]
    assert torch.equal(run(parted, images), run(whole, images))


def test_a_sum_in_a_layer_leaves_it_where_its_values_meet_from_apart() -> None:
    whole = graph(conv(0, 1), silu(1, 2), conv(2, 3), silu(3, 4), conv(4, 5, 2, Act.RELU6))
    parted = part(whole)
    images = 9 * torch.randn(2, *IMAGE)
    last = [op for op in parted.ops if isinstance(op, Conv)][-1]

    assert (last.residual, last.act, last.fused) == (None, Act.NONE, ("batchnorm",))
    assert steps(parted)[-3:] == [(4, [5]), "aten.add.Tensor", "aten.clamp.default"]
    torch.testing.assert_close(run(parted, images), run(whole, images))


def test_a_gate_by_an_unknown_operator_is_a_stretch_beside_a_product_of_torch() -> None:
    sigmoid = Unknown("aten.sigmoid.default", (3,), 4, (Slot(0),))
    whole = graph(
        conv(0, 1), GlobalAvg(1, 2), conv(2, 3), sigmoid, Mul(1, 4, 5), Concat((5, 1), 6),
        shapes={2: (2, 1, 1), 3: (2, 1, 1), 4: (2, 1, 1), 6: (4, 4, 4)},
    )  # fmt: skip
    parted = part(whole)
    images = torch.randn(2, *IMAGE)

    assert steps(parted) == [
        (0, [1]),
        (1, [2, 3]),
        "aten.sigmoid.default",
        "aten.mul.Tensor",
        "aten.cat.default",
    ]
    assert torch.equal(run(parted, images), run(whole, images))


def test_a_reshape_or_an_activation_alone_is_torchs() -> None:
    whole = graph(
        silu(0, 1), Activate(1, 2, Act.RELU), Reshape(2, 3), silu(3, 4), conv(0, 5), silu(5, 6),
        shapes={3: (32,), 4: (32,)},
    )  # fmt: skip
    whole = Graph(whole.values, whole.ops, (0,), (4,))
    parted = part(whole)
    images = torch.randn(2, *IMAGE)

    assert [op.target for op in parted.ops if isinstance(op, Unknown) and op.left] == [
        "aten.relu.default",
        "aten.reshape.default",
    ]
    assert torch.equal(run(parted, images), run(whole, images))
