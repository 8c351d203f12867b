"""One call of an ATen operator, as the functions that translate it see it, and what they write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ticket.exporting.ir import Affine, Op, Reshape, Shape


class Unsuitable(Exception):
    """This call cannot be said by the graph's operations; it stays an unknown operator."""


@dataclass(frozen=True)
class Ref:
    """Stand for a value of the graph among a call's arguments."""

    value: int


class Draft:
    """Collect values and operations; value 0 is the network's input."""

    def __init__(self, shape: Shape) -> None:
        self.values: list[Shape | None] = [shape]
        self.ops: list[Op] = []
        self.views: dict[int, int] = {}  # of another rank -> the image or vector that it shows

    def value(self, shape: Shape | None) -> int:
        """Number a new value."""
        self.values.append(shape)
        return len(self.values) - 1

    def add(self, op: Op) -> int:
        """Append an operation and return the value it writes."""
        self.ops.append(op)
        return op.output

    def affine(self, value: int, scale: Tensor | float, shift: Tensor | float) -> int:
        """Append x * scale + shift; numbers hold for all channels."""
        shape = self.shape(value)
        scales, shifts = (
            torch.as_tensor(n, dtype=torch.float64).expand(shape[0]).float() for n in (scale, shift)
        )
        return self.add(Affine(value, self.value(shape), scales, shifts))

    def reshape(self, value: int, shape: Shape) -> int:
        """Append a reshape, unless it changes nothing."""
        return value if self.shape(value) == shape else self.add(Reshape(value, self.value(shape)))

    def viewed(self, value: int) -> int:
        """Return the image or vector of which a value is a mere reshape, or the value itself."""
        return self.views.get(value, value)

    def shape(self, value: int) -> Shape:
        """Return the shape of an image or a vector; raises Unsuitable for anything else."""
        shape = self.values[value]
        if shape is None or len(shape) not in (1, 3):
            raise Unsuitable
        return shape


@dataclass(frozen=True)
class Call:
    """Hold a call: the operator's short name, its layer, its arguments by name, its output's shape.

    An argument is a Ref, a constant Tensor, a number, text, None, or a list of those. `name` is the
    layer's name in the network.
    """

    operator: str
    name: str
    arguments: Mapping[str, object]
    output: Shape

    def value(self, key: str) -> int:
        """Return an argument that is a value of the graph."""
        argument = self.arguments[key]
        require(isinstance(argument, Ref))
        assert isinstance(argument, Ref)
        return argument.value

    def tensor(self, key: str) -> Tensor:
        """Return an argument that is a constant tensor."""
        argument = self.arguments[key]
        require(isinstance(argument, Tensor))
        assert isinstance(argument, Tensor)
        return argument

    def optional_tensor(self, key: str) -> Tensor | None:
        """Return an argument that is a constant tensor or None."""
        return None if self.arguments[key] is None else self.tensor(key)

    def number(self, key: str) -> float:
        """Return an argument that is one number, or a constant tensor of one."""
        argument = self.arguments[key]
        if isinstance(argument, Tensor) and argument.numel() == 1:
            return float(argument)
        require(isinstance(argument, int | float) and not isinstance(argument, bool))
        assert isinstance(argument, int | float)
        return float(argument)

    def integers(self, key: str) -> list[int]:
        """Return an argument that is a list of integers, or one."""
        argument = self.arguments[key]
        numbers = argument if isinstance(argument, Sequence) else [argument]
        require(all(isinstance(number, int) for number in numbers))
        return list(numbers)

    def pair(self, key: str) -> tuple[int, int]:
        """Return one number for both directions, or one each."""
        numbers = self.integers(key)
        require(len(numbers) in (1, 2))
        return numbers[0], numbers[-1]

    def dims(self, key: str, rank: int) -> set[int]:
        """Return an argument that lists dimensions of a value of `rank`, the batch being 0."""
        require(self.arguments[key] is not None)
        return {dim % (rank + 1) for dim in self.integers(key)}


class Translation(Protocol):
    """Say a call by the graph's operations and return the value written; may raise Unsuitable."""

    def __call__(self, call: Call, draft: Draft) -> int: ...


def require(condition: bool) -> None:
    """Raise Unsuitable unless the condition holds."""
    if not condition:
        raise Unsuitable
