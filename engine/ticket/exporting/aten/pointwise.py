"""Operators that work on each number alone: activations, arithmetic, and those that do nothing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ticket.exporting.aten.call import Call, Draft, Ref, Unsuitable, require
from ticket.exporting.ir import Act, Activate, Add, Mul


def relu(call: Call, draft: Draft) -> int:
    """Translate relu."""
    return _activate(call, draft, Act.RELU)


def relu6(call: Call, draft: Draft) -> int:
    """Translate relu6."""
    return _activate(call, draft, Act.RELU6)


def hardtanh(call: Call, draft: Draft) -> int:
    """Translate hardtanh between 0 and 6."""
    require(call.number("min_val") == 0 and call.number("max_val") == 6)
    return _activate(call, draft, Act.RELU6)


def clamp(call: Call, draft: Draft) -> int:
    """Translate clamp from 0, or between 0 and 6."""
    require(call.number("min") == 0)
    if call.arguments.get("max") is None:
        return _activate(call, draft, Act.RELU)
    require(call.number("max") == 6)
    return _activate(call, draft, Act.RELU6)


def threshold(call: Call, draft: Draft) -> int:
    """Translate threshold: 0 where x is not above 0."""
    require(call.number("threshold") == 0 and call.number("value") == 0)
    return _activate(call, draft, Act.RELU)


def _activate(call: Call, draft: Draft, act: Act) -> int:
    value = call.value("self")
    return draft.add(Activate(value, draft.value(draft.shape(value)), act))


def add(call: Call, draft: Draft) -> int:
    """Translate add: two values, or a value and one number a channel."""
    return _sum(call, draft, "self", "other", call.number("alpha"))


def sub(call: Call, draft: Draft) -> int:
    """Translate sub likewise."""
    return _sum(call, draft, "self", "other", -call.number("alpha"))


def rsub(call: Call, draft: Draft) -> int:
    """Translate rsub: other - alpha * self."""
    return _sum(call, draft, "other", "self", -call.number("alpha"))


def _sum(call: Call, draft: Draft, first: str, second: str, factor: float) -> int:
    """Append first + factor * second."""
    one, other = call.arguments[first], call.arguments[second]
    match one, other:
        case Ref(), Ref():
            require(draft.shape(one.value) == draft.shape(other.value) == call.output)
            scaled = other.value if factor == 1 else draft.affine(other.value, factor, 0.0)
            return draft.add(Add(one.value, scaled, draft.value(call.output)))
        case Ref(), _:
            shift = per_channel(other, draft.shape(one.value), call.output)
            return draft.affine(one.value, 1.0, factor * shift)
        case _, Ref():
            shift = per_channel(one, draft.shape(other.value), call.output)
            return draft.affine(other.value, factor, shift)
        case _:
            raise Unsuitable


def mul(call: Call, draft: Draft) -> int:
    """Translate mul: two values, an image and one number a channel, or a value and constants."""
    one, other = call.arguments["self"], call.arguments["other"]
    match one, other:
        case Ref(), Ref():
            left, right = one.value, other.value
            if draft.shape(left) != call.output:
                left, right = right, left
            shape = draft.shape(left)
            require(shape == call.output)
            per_image = len(shape) == 3 and draft.shape(right) == (shape[0], 1, 1)
            require(per_image or draft.shape(right) == shape)
            return draft.add(Mul(left, right, draft.value(shape)))
        case (Ref() as ref, constant) | (constant, Ref() as ref):
            scale = per_channel(constant, draft.shape(ref.value), call.output)
            return draft.affine(ref.value, scale, 0.0)
        case _:
            raise Unsuitable


def div(call: Call, draft: Draft) -> int:
    """Translate the division of a value by one number a channel."""
    value = call.value("self")
    require(call.arguments.get("rounding_mode") is None)
    divisor = per_channel(call.arguments["other"], draft.shape(value), call.output)
    require(bool(divisor.all()))
    return draft.affine(value, 1 / divisor, 0.0)


def neg(call: Call, draft: Draft) -> int:
    """Translate neg."""
    return draft.affine(call.value("self"), -1.0, 0.0)


def per_channel(constant: object, shape: Sequence[int], made: Sequence[int]) -> Tensor:
    """Return float64 numbers, one a channel of `shape`, that broadcast like `constant`.

    Raises Unsuitable when they differ within a channel, or make another shape.
    """
    require(tuple(made) == tuple(shape))
    numbers = constant if isinstance(constant, Tensor) else None
    if numbers is None:
        require(isinstance(constant, int | float) and not isinstance(constant, bool))
        numbers = torch.tensor(constant)
    rank = len(shape) + 1
    require(numbers.dim() <= rank and not numbers.is_complex())
    sizes = (1,) * (rank - numbers.dim()) + tuple(numbers.shape)
    require(all(size == 1 for axis, size in enumerate(sizes) if axis != 1))
    return numbers.reshape(-1).double().expand(shape[0])


def nothing(call: Call, draft: Draft) -> int:
    """Translate what gives its input back: copies, casts to the same type."""
    value = call.value("input" if "input" in call.arguments else "self")
    require(draft.values[value] == call.output)
    return value


def dropout(call: Call, draft: Draft) -> int:
    """Translate dropout that is switched off."""
    require(not call.arguments["train"])
    return nothing(call, draft)
