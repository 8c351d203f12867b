"""Calls of torch's operators as the graph holds them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from ticket.errors import TicketError
from ticket.exporting.ir import Slot, Unknown


@dataclass(frozen=True)
class Constant:
    """Stand for a tensor among the arguments of a torch operator: its place in `constants`."""

    place: int


def called(op: Unknown, inputs: Sequence[Tensor], constants: Sequence[Tensor] = ()) -> Any:
    """Call torch's operator on these inputs. Raises TicketError when this torch has none."""

    def filled(argument: object) -> object:
        match argument:
            case Slot():
                return inputs[argument.place]
            case Constant():
                return constants[argument.place]
            case list() | tuple():
                return type(argument)(map(filled, argument))
            case _:
                return argument

    function = _function(op.target)
    return function(*map(filled, op.arguments), **{key: filled(v) for key, v in op.keywords})


def _function(target: str) -> Callable[..., Any]:
    namespace, *names = target.split(".")
    try:
        where: Any = operator if namespace == "operator" else getattr(torch.ops, namespace)
        found: Callable[..., Any] = reduce(getattr, names, where)
    except AttributeError as error:
        raise TicketError(f"this torch has no operator {target}: {error}") from error
    return found


def held(op: Unknown, constants: list[Tensor]) -> Unknown:
    """Replace the tensors among the arguments by their places in `constants`, which grows."""

    def placed(argument: object) -> object:
        match argument:
            case Tensor():
                for place, known in enumerate(constants):
                    if known is argument:
                        return Constant(place)
                constants.append(argument)
                return Constant(len(constants) - 1)
            case list() | tuple():
                return type(argument)(map(placed, argument))
            case _:
                return argument

    keywords = tuple((key, placed(value)) for key, value in op.keywords)
    return replace(op, arguments=tuple(map(placed, op.arguments)), keywords=keywords)
