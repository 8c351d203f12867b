"""Operators that move numbers about: reshapes, concatenation, padding, slices."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ticket.exporting.aten.call import Call, Draft, Ref, require
from ticket.exporting.ir import Concat, Conv, MaxPool, Pad, Unknown, Window

_END = 1 << 31  # a slice's end at or beyond it means: to the end


def reshape(call: Call, draft: Draft) -> int:
    """Translate view, reshape, flatten, squeeze and alike, where the batch stays."""
    return draft.reshape(draft.viewed(call.value("self")), call.output)


def expand(call: Call, draft: Draft) -> int:
    """Translate expand that repeats nothing."""
    value = call.value("self")
    require(draft.shape(value) == call.output)
    return value


def cat(call: Call, draft: Draft) -> int:
    """Translate cat along the channels or features."""
    tensors = call.arguments["tensors"]
    require(isinstance(tensors, Sequence) and all(isinstance(t, Ref) for t in tensors))
    assert isinstance(tensors, Sequence)
    values = tuple(ref.value for ref in tensors)
    require(call.dims("dim", len(draft.shape(values[0]))) == {1})
    shapes = [draft.shape(value) for value in values]
    require(all(shape[1:] == call.output[1:] for shape in shapes))
    return draft.add(Concat(values, draft.value(call.output)))


def pad(call: Call, draft: Draft) -> int:
    """Translate constant padding of height and width, and zeros for new channels."""
    value = call.value("self")
    require(len(draft.shape(value)) == 3)
    require(call.arguments.get("mode", "constant") == "constant")
    given = 0.0 if call.arguments["value"] is None else call.number("value")
    filling = float(torch.tensor(given))  # as fp32 holds it
    amounts = (*call.integers("pad"), 0, 0, 0, 0, 0, 0)
    left, right, top, bottom, first, last = amounts[:6]
    require(min(amounts) >= 0 and not any(amounts[6:]))
    if first or last:
        require(filling == 0)
        channels = draft.shape(value)[0]
        rows = [None] * first + list(range(channels)) + [None] * last
        value = picked(call, draft, value, rows)
    if left or right or top or bottom:
        bordered = draft.value(call.output)
        value = draft.add(Pad(value, bordered, (top, left, bottom, right), filling))
    return value


def slice_(call: Call, draft: Draft) -> int:
    """Translate a slice of channels, every n-th row or column from the first on, or all images."""
    value = call.value("self")
    shape = draft.shape(value)
    (dim,) = call.dims("dim", len(shape))
    start = 0 if call.arguments["start"] is None else int(call.number("start"))
    end = _END if call.arguments["end"] is None else int(call.number("end"))
    step = int(call.number("step"))
    if dim == 0:
        require(start == 0 and end >= _END and step == 1)
        return value
    if shape == call.output:
        return value
    require(len(shape) == 3)
    if dim == 1:
        return picked(call, draft, value, range(shape[0])[start:end:step])
    require(start == 0 and end >= shape[dim - 1])
    stride = (step, 1) if dim == 2 else (1, step)
    return draft.add(MaxPool(value, draft.value(call.output), Window((1, 1), stride)))


def piece(call: Call, draft: Draft) -> int:
    """Translate one piece of what chunk or split made of the channels."""
    pieces = call.value("self")
    (whole,) = [op for op in draft.ops if op.output == pieces]
    require(isinstance(whole, Unknown))
    assert isinstance(whole, Unknown)
    value, index = whole.inputs[0], int(call.number("index"))
    shape = draft.shape(value)
    _, size, dim = (*whole.arguments, *(argument for _, argument in whole.keywords), 0)[:3]
    require(len(shape) == 3 and isinstance(dim, int) and dim % 4 == 1)
    if whole.target == "aten.chunk.default":
        require(isinstance(size, int))
        assert isinstance(size, int)
        size = -(-shape[0] // size)
    elif whole.target not in ("aten.split.Tensor", "aten.split_with_sizes.default"):
        require(False)
    if isinstance(size, int):
        start = size * index
    else:
        assert isinstance(size, Sequence)
        start = sum(size[:index])
    return picked(call, draft, value, range(start, start + call.output[0]))


def picked(call: Call, draft: Draft, value: int, rows: Sequence[int | None]) -> int:
    """Append a 1x1 convolution that makes each channel one of the input's, or zeros for None.

    As sparse as a layer can be, and exact; one kernel does what would be several operations.
    """
    channels, height, width = draft.shape(value)
    weight = torch.zeros(len(rows), channels, 1, 1)
    for row, source in enumerate(rows):
        if source is not None:
            weight[row, source] = 1
    output = draft.value((len(rows), height, width))
    return draft.add(Conv(call.name, value, output, weight, Window((1, 1)), picks=True))
