"""Layers with weights: convolution, linear, batch normalisation."""

from __future__ import annotations

from torch import Tensor

from ticket.exporting.aten.call import Call, Draft, require
from ticket.exporting.ir import BatchNorm, Conv, Linear, Window


def conv2d(call: Call, draft: Draft) -> int:
    """Translate conv2d and convolution, padding in pixels, `same` or `valid`."""
    value = call.value("input")
    weight, bias = call.tensor("weight"), call.optional_tensor("bias")
    require(len(draft.shape(value)) == 3 and weight.dim() == 4)
    require(not call.arguments.get("transposed"))
    kernel, dilation = (weight.shape[2], weight.shape[3]), call.pair("dilation")
    window = Window(kernel, call.pair("stride"), _padding(call, kernel, dilation), dilation)
    (groups,) = call.integers("groups")
    output = draft.value(call.output)
    return draft.add(Conv(call.name, value, output, weight, window, bias, groups))


def _padding(
    call: Call, kernel: tuple[int, int], dilation: tuple[int, int]
) -> tuple[int, int, int, int]:
    padding = call.arguments["padding"]
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding == "same":  # an odd pixel goes to the end, as in PyTorch
        whole = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        top, left = whole[0] // 2, whole[1] // 2
        return (top, left, whole[0] - top, whole[1] - left)
    vertical, horizontal = call.pair("padding")
    return (vertical, horizontal, vertical, horizontal)


def linear(call: Call, draft: Draft) -> int:
    """Translate linear."""
    return _linear(
        call, draft, call.value("input"), call.tensor("weight"), call.optional_tensor("bias")
    )


def addmm(call: Call, draft: Draft) -> int:
    """Translate addmm: bias + x @ weight."""
    require(call.number("beta") == 1 and call.number("alpha") == 1)
    return _linear(call, draft, call.value("mat1"), call.tensor("mat2").t(), call.tensor("self"))


def matmul(call: Call, draft: Draft) -> int:
    """Translate matmul and mm: x @ weight."""
    key = "mat2" if "mat2" in call.arguments else "other"
    weight = call.tensor(key)
    require(weight.dim() == 2)
    return _linear(call, draft, call.value("self"), weight.t(), None)


def _linear(call: Call, draft: Draft, value: int, weight: Tensor, bias: Tensor | None) -> int:
    require(len(draft.shape(value)) == 1 and weight.dim() == 2)
    require(bias is None or tuple(bias.shape) == call.output)
    output = draft.value(call.output)
    return draft.add(Linear(call.name, value, output, weight.contiguous(), bias))


def batch_norm(call: Call, draft: Draft) -> int:
    """Translate batch normalisation by running statistics."""
    value = call.value("input")
    require(not call.arguments.get("training"))
    draft.shape(value)
    return draft.add(
        BatchNorm(
            value,
            draft.value(call.output),
            call.tensor("running_mean"),
            call.tensor("running_var"),
            call.optional_tensor("weight"),
            call.optional_tensor("bias"),
            call.number("eps"),
        )
    )
