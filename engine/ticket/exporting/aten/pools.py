"""Pools: windows, whole images, and the means that are pools by another name."""

from __future__ import annotations

from ticket.exporting.aten.call import Call, Draft, Unsuitable, require
from ticket.exporting.ir import AvgPool, GlobalAvg, GlobalMax, MaxPool, Pad, Window
from ticket.exporting.shapes import extent


def max_pool2d(call: Call, draft: Draft) -> int:
    """Translate max_pool2d; what it rounds up becomes padding at the end."""
    value = call.value("self")
    return draft.add(MaxPool(value, draft.value(call.output), _window(call, draft, value)))


def avg_pool2d(call: Call, draft: Draft) -> int:
    """Translate avg_pool2d.

    PyTorch counts the padding that was asked for, but not what rounding up adds: where both are there,
    the first is written as an operation of its own.
    """
    value = call.value("self")
    require(call.arguments["divisor_override"] is None)
    window = _window(call, draft, value)
    top, left = call.pair("padding")
    counted = bool(call.arguments["count_include_pad"])
    if window.padding != (top, left, top, left) and counted:
        counted = False
        if top or left:
            channels, height, width = draft.shape(value)
            padded = draft.value((channels, height + 2 * top, width + 2 * left))
            value = draft.add(Pad(value, padded, (top, left, top, left)))
            bottom, right = window.padding[2] - top, window.padding[3] - left
            window = Window(window.kernel, window.stride, (0, 0, bottom, right))
    return draft.add(AvgPool(value, draft.value(call.output), window, counted))


def _window(call: Call, draft: Draft, value: int) -> Window:
    shape = draft.shape(value)
    require(len(shape) == 3)
    kernel, before = call.pair("kernel_size"), call.pair("padding")
    # Without a stride the windows lie side by side.
    stride = call.pair("stride") if call.arguments["stride"] else kernel
    dilation = call.pair("dilation") if "dilation" in call.arguments else (1, 1)
    after = [
        max(
            before[axis],
            (call.output[axis + 1] - 1) * stride[axis]
            + extent(kernel[axis], dilation[axis])
            - shape[axis + 1]
            - before[axis],
        )
        for axis in (0, 1)
    ]
    return Window(kernel, stride, (*before, after[0], after[1]), dilation)


def adaptive_avg_pool2d(call: Call, draft: Draft) -> int:
    """Translate adaptive_avg_pool2d to one pixel, or to sizes that divide the image's."""
    value = call.value("self")
    kernel = _dividing(draft.shape(value), call.output)
    if call.output[1:] == (1, 1):
        return draft.add(GlobalAvg(value, draft.value(call.output)))
    return draft.add(AvgPool(value, draft.value(call.output), Window(kernel, kernel)))


def adaptive_max_pool2d(call: Call, draft: Draft) -> int:
    """Translate adaptive_max_pool2d to one pixel, or to sizes that divide the image's."""
    value = call.value("self")
    kernel = _dividing(draft.shape(value), call.output)
    if call.output[1:] == (1, 1):
        return draft.add(GlobalMax(value, draft.value(call.output)))
    return draft.add(MaxPool(value, draft.value(call.output), Window(kernel, kernel)))


def _dividing(shape: tuple[int, ...], made: tuple[int, ...]) -> tuple[int, int]:
    require(len(shape) == 3 and shape[1] % made[1] == 0 and shape[2] % made[2] == 0)
    return (shape[1] // made[1], shape[2] // made[2])


def mean(call: Call, draft: Draft) -> int:
    """Translate the mean over height and width, or, kept as a dimension, over one of them."""
    pixels = _pixels(call, draft)
    if pixels is not None:
        pooled = draft.add(GlobalAvg(pixels, draft.value((draft.shape(pixels)[0], 1, 1))))
        return draft.reshape(pooled, call.output)
    value = call.value("self")
    shape = draft.shape(value)
    dims = call.dims("dim", len(shape))
    require(len(shape) == 3 and dims in ({2}, {3}) and bool(call.arguments["keepdim"]))
    kernel = (shape[1], 1) if dims == {2} else (1, shape[2])
    return draft.add(AvgPool(value, draft.value(call.output), Window(kernel, kernel)))


def amax(call: Call, draft: Draft) -> int:
    """Translate the largest pixel over height and width."""
    pixels = _pixels(call, draft)
    if pixels is None:
        raise Unsuitable
    pooled = draft.add(GlobalMax(pixels, draft.value((draft.shape(pixels)[0], 1, 1))))
    return draft.reshape(pooled, call.output)


def _pixels(call: Call, draft: Draft) -> int | None:
    """Return the image if the call is over all its pixels, flattened or not."""
    value = call.value("self")
    given = draft.values[value]
    image = draft.viewed(value)
    shape = draft.shape(image)
    if len(shape) != 3 or given is None:
        return None
    if given == (shape[0], shape[1] * shape[2]) and call.dims("dim", 2) == {2}:
        return image
    return value if given == shape and call.dims("dim", 3) == {2, 3} else None
