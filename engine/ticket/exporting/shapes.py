"""The rules of shapes: what each operation makes of its inputs, and when it cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from torch import Tensor

from ticket.errors import TicketError
from ticket.exporting.ir import (
    Activate,
    Add,
    Affine,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    GlobalAvg,
    GlobalMax,
    Linear,
    MaxPool,
    Mul,
    Op,
    Pad,
    Reshape,
    Shape,
    Window,
)

MOST_ELEMENTS = 1 << 31  # of a value, padding included; what the executor's offsets reach


def spelled(shape: Shape | None) -> str:
    """Spell a shape: `3x32x32`, or `10` of a vector."""
    return "no image" if shape is None else "x".join(map(str, shape))


def kind(op: Op) -> str:
    """Name an operation for messages and tables: `conv`, `maxpool`, ..."""
    return type(op).__name__.lower()


def infer(op: Op, shape_of: Callable[[int], Shape]) -> Shape | None:
    """Return the shape of the output of `op`; None where only the operation itself can tell.

    Reshape and Unknown tell by the graph. Raises TicketError when the inputs do not suit it.
    """
    match op:
        case Conv():
            return _convolved(op, shape_of)
        case Linear():
            return _multiplied(op, shape_of)
        case MaxPool() | AvgPool():
            return _pooled(op, _image(op, shape_of(op.input)))
        case GlobalAvg() | GlobalMax():
            return (_image(op, shape_of(op.input))[0], 1, 1)
        case Add() | Mul():
            return _paired(op, shape_of(op.left), shape_of(op.right))
        case Affine():
            _check_channels(op, shape_of(op.input), (op.scale, op.shift))
            return shape_of(op.input)
        case BatchNorm():
            tensors = (op.mean, op.variance, op.scale, op.shift)
            _check_channels(op, shape_of(op.input), [t for t in tensors if t is not None])
            return shape_of(op.input)
        case Activate():
            return shape_of(op.input)
        case Pad():
            return _padded(op, _image(op, shape_of(op.input)))
        case Concat():
            return _joined(op, [shape_of(value) for value in op.inputs])
        case Reshape():
            return None
        case _:
            return None


def positions(size: int, before: int, after: int, kernel: int, stride: int, dilation: int) -> int:
    """Return how many positions a window has along one axis; below 1 if it does not fit."""
    return (size + before + after - extent(kernel, dilation)) // stride + 1


def extent(kernel: int, dilation: int) -> int:
    """Return from which pixel to which a window reaches along one axis, both counted."""
    return (kernel - 1) * dilation + 1


def _image(op: Op, shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise _refused(op, f"takes an image, not a vector of {spelled(shape)}")
    return (shape[0], shape[1], shape[2])


def _convolved(op: Conv, shape_of: Callable[[int], Shape]) -> Shape:
    channels, height, width = _image(op, shape_of(op.input))
    if op.weight.dim() != 4 or tuple(op.weight.shape[2:]) != op.window.kernel:
        found = tuple(op.weight.shape)
        raise _refused(op, f"has weights {found} for a kernel of {spelled(op.window.kernel)}")
    out, within = op.weight.shape[:2]
    if op.groups < 1 or out % op.groups or within * op.groups != channels:
        raise _refused(
            op,
            f"reads {channels} channels, its weights take {within} in each of {op.groups} groups "
            f"and make {out}",
        )
    _check_window(op, op.window, height, width)
    shape = (out, *_positions(op.window, height, width))
    _check_bias(op, shape, shape_of)
    return shape


def _multiplied(op: Linear, shape_of: Callable[[int], Shape]) -> Shape:
    shape = shape_of(op.input)
    if op.weight.dim() != 2 or shape != (op.weight.shape[1],):
        found = tuple(op.weight.shape)
        raise _refused(op, f"reads {spelled(shape)}; its weights {found} take a vector")
    made = (op.weight.shape[0],)
    _check_bias(op, made, shape_of)
    return made


def _check_bias(op: Conv | Linear, shape: Shape, shape_of: Callable[[int], Shape]) -> None:
    if op.bias is not None and tuple(op.bias.shape) != shape[:1]:
        raise _refused(op, f"makes {shape[0]} channels, its bias has {tuple(op.bias.shape)}")
    if op.residual is not None and shape_of(op.residual) != shape:
        found = spelled(shape_of(op.residual))
        raise _refused(op, f"makes {spelled(shape)}, what is added to it is {found}")


def _pooled(op: MaxPool | AvgPool, shape: tuple[int, int, int]) -> Shape:
    channels, height, width = shape
    window = op.window
    if isinstance(op, AvgPool) and window.dilation != (1, 1):
        raise _refused(op, f"has dilation {window.dilation}; an average has none")
    _check_window(op, window, height, width)
    made = _positions(window, height, width)
    for axis, size in enumerate((height, width)):
        before = window.padding[axis]
        # The largest of padding alone would be -inf, its mean 0/0.
        if (
            before >= extent(window.kernel[axis], window.dilation[axis])
            or (made[axis] - 1) * window.stride[axis] >= size + before
        ):
            raise _refused(op, "has a window that lies wholly in the padding")
    return (channels, *made)


def _positions(window: Window, height: int, width: int) -> tuple[int, int]:
    top, left, bottom, right = window.padding
    return (
        positions(height, top, bottom, window.kernel[0], window.stride[0], window.dilation[0]),
        positions(width, left, right, window.kernel[1], window.stride[1], window.dilation[1]),
    )


def _check_window(op: Op, window: Window, height: int, width: int) -> None:
    if min(*window.kernel, *window.stride, *window.dilation) < 1 or min(window.padding) < 0:
        raise _refused(op, f"has an impossible {window}")
    if min(_positions(window, height, width)) < 1:
        raise _refused(
            op, f"has a kernel larger than the image {spelled((height, width))} and its padding"
        )


def _paired(op: Add | Mul, left: Shape, right: Shape) -> Shape:
    per_channel = isinstance(op, Mul) and len(left) == 3 and right == (left[0], 1, 1)
    if left != right and not per_channel:
        raise _refused(op, f"reads {spelled(left)} and {spelled(right)}")
    return left


def _check_channels(op: Op, shape: Shape, tensors: Sequence[Tensor]) -> None:
    for tensor in tensors:
        if tuple(tensor.shape) != shape[:1]:
            raise _refused(op, f"reads {spelled(shape)}, but has {tuple(tensor.shape)} numbers")


def _padded(op: Pad, shape: tuple[int, int, int]) -> Shape:
    top, left, bottom, right = op.padding
    if min(op.padding) < 0:
        raise _refused(op, f"has negative padding {op.padding}")
    return (shape[0], shape[1] + top + bottom, shape[2] + left + right)


def _joined(op: Concat, shapes: Sequence[Shape]) -> Shape:
    if not shapes or any(shape[1:] != shapes[0][1:] for shape in shapes):
        raise _refused(op, f"joins {', '.join(map(spelled, shapes)) or 'nothing'}")
    return (sum(shape[0] for shape in shapes), *shapes[0][1:])


def elements(shape: Shape) -> int:
    """Count the numbers of a value."""
    return prod(shape)


def _refused(op: Op, wrong: str) -> TicketError:
    name = op.name if isinstance(op, Conv | Linear) else f"value {op.output}"
    return TicketError(f"the graph is inconsistent: {kind(op)} {name} {wrong}")
