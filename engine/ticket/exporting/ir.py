"""The graph of a network between PyTorch and the plan: operations over numbered values.

A value is what one image makes of it, the batch left out: an image (channels, height, width) or a
vector (features,). Value numbers index `Graph.values`; each value but the inputs is written by one
operation, before it is read. Weights are float32 tensors, zeros included.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from torch import Tensor

Shape = tuple[int, ...]


class Act(IntEnum):
    """Say what is done last; the order is such that one after another is the larger of the two."""

    NONE = 0
    RELU = 1  # max(x, 0)
    RELU6 = 2  # min(max(x, 0), 6)


@dataclass(frozen=True)
class Window:
    """Hold what a convolution or a pool sees: pairs are (vertical, horizontal), in pixels.

    It makes (size + padding - extent) // stride + 1 positions an axis, where
    extent = (kernel - 1) * dilation + 1. A pool that rounds up says so by more padding at the end.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, left, bottom, right
    dilation: tuple[int, int] = (1, 1)


@dataclass(frozen=True, eq=False)
class Conv:
    """Convolve: `weight` [out, in / groups, kernel], then bias, then residual, then activation."""

    name: str
    input: int
    output: int
    weight: Tensor
    window: Window
    bias: Tensor | None = None
    groups: int = 1
    residual: int | None = None
    act: Act = Act.NONE
    dense: bool = False  # run by a dense kernel
    fused: tuple[str, ...] = ()  # what else it does since the passes, for the report
    picks: bool = False  # no layer of the network: it pads, drops or picks channels


@dataclass(frozen=True, eq=False)
class Linear:
    """Multiply a vector by `weight` [out, in], then bias, then residual, then activation."""

    name: str
    input: int
    output: int
    weight: Tensor
    bias: Tensor | None = None
    residual: int | None = None
    act: Act = Act.NONE
    dense: bool = False
    fused: tuple[str, ...] = ()


@dataclass(frozen=True)
class MaxPool:
    """Take the largest of each window; padding is -inf."""

    input: int
    output: int
    window: Window


@dataclass(frozen=True)
class AvgPool:
    """Take the mean of each window, over the zeros of the padding too if `count_include_pad`."""

    input: int
    output: int
    window: Window
    count_include_pad: bool = True


@dataclass(frozen=True)
class GlobalAvg:
    """Take the mean of each channel: (C, H, W) to (C, 1, 1)."""

    input: int
    output: int


@dataclass(frozen=True)
class GlobalMax:
    """Take the largest pixel of each channel: (C, H, W) to (C, 1, 1)."""

    input: int
    output: int


@dataclass(frozen=True)
class Add:
    """Add two values of one shape."""

    left: int
    right: int
    output: int
    act: Act = Act.NONE


@dataclass(frozen=True)
class Mul:
    """Multiply two values of one shape, or an image `left` by one number a channel, (C, 1, 1)."""

    left: int
    right: int
    output: int
    act: Act = Act.NONE


@dataclass(frozen=True)
class Activate:
    """Apply an activation alone."""

    input: int
    output: int
    act: Act


@dataclass(frozen=True, eq=False)
class Affine:
    """Compute x * scale + shift, one number each a channel or feature."""

    input: int
    output: int
    scale: Tensor
    shift: Tensor
    act: Act = Act.NONE


@dataclass(frozen=True)
class Pad:
    """Surround an image with pixels of one value."""

    input: int
    output: int
    padding: tuple[int, int, int, int]  # top, left, bottom, right
    value: float = 0.0


@dataclass(frozen=True)
class Concat:
    """Join images along the channels, or vectors along the features."""

    inputs: tuple[int, ...]
    output: int


@dataclass(frozen=True)
class Reshape:
    """Read the same numbers, in row-major (C, H, W) order, as another shape."""

    input: int
    output: int


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """Normalise by running statistics: (x - mean) / sqrt(variance + eps) * scale + shift.

    As captured; `passes.fold` leaves none.
    """

    input: int
    output: int
    mean: Tensor
    variance: Tensor
    scale: Tensor | None
    shift: Tensor | None
    eps: float


@dataclass(frozen=True)
class Slot:
    """Stand for a value among the arguments of an Unknown: its place in `inputs`."""

    place: int


@dataclass(frozen=True, eq=False)
class Unknown:
    """Call an operator that the executor does not know.

    `target` is its full name, `aten.silu.default`; `arguments` and `keywords` are its arguments, with a
    Slot where a value goes. The output is None in `Graph.values` unless it is a float32 tensor of
    [batch, *shape]. `left` tells that the executor knows it, but not in its place between others.
    """

    target: str
    inputs: tuple[int, ...]
    output: int
    arguments: tuple[object, ...] = ()
    keywords: tuple[tuple[str, object], ...] = ()
    left: bool = False


Op = (
    Conv
    | Linear
    | MaxPool
    | AvgPool
    | GlobalAvg
    | GlobalMax
    | Add
    | Mul
    | Activate
    | Affine
    | Pad
    | Concat
    | Reshape
    | BatchNorm
    | Unknown
)


@dataclass(frozen=True, eq=False)
class Graph:
    """Hold a network: the shape of each value, the operations in order, inputs and outputs.

    A shape is None where only unknown operators can read the value.
    """

    values: tuple[Shape | None, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
