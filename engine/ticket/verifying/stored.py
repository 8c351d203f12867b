"""A ticket's file as it is: read without believing it, so that a check can say what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ticket import ticket_file
from ticket.errors import TicketError

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Stored:
    """Hold what a file says; a `Ticket` would refuse to be wrong."""

    path: Path
    record: Record
    masks: Mapping[str, Tensor]
    state: Mapping[str, Tensor]

    @property
    def prunable(self) -> list[str]:
        """List the prunable parameters."""
        return list(self.record["prunable"])

    def kept(self) -> dict[str, int]:
        """Count what each prunable parameter keeps; one without a mask is dense."""
        return {
            name: int(self.masks[name].sum()) if name in self.masks else self.state[name].numel()
            for name in self.prunable
        }


def read_stored(path: Path) -> Stored:
    """Read a ticket's file. Raises TicketError when it is no whole ticket."""
    record, tensors = ticket_file.read(path)
    state = {n.removeprefix("state."): t for n, t in tensors.items() if n.startswith("state.")}
    names = record.get("prunable")
    if not isinstance(names, list) or not all(name in state for name in names):
        raise TicketError(f"{path} does not list prunable parameters that it holds")
    masks = {}
    for name, bits in tensors.items():
        if not name.startswith("mask."):
            continue
        parameter = name.removeprefix("mask.")
        if parameter not in names:
            raise TicketError(f"{path} has a mask for {parameter!r}, which is not prunable")
        masks[parameter] = _unpack(path, parameter, bits, state[parameter].shape)
    return Stored(path, record, masks, state)


def _unpack(path: Path, name: str, packed: Tensor, shape: torch.Size) -> Tensor:
    """Unpack a mask by numpy, as the format is written down: bit i of byte j is weight 8j + i."""
    if packed.dtype != torch.uint8 or packed.numel() != -(-shape.numel() // 8):
        raise TicketError(f"{path}: the mask of {name!r} does not fit the weight")
    bits = np.unpackbits(packed.numpy(), bitorder="little")
    if bits[shape.numel() :].any():
        raise TicketError(f"{path}: the mask of {name!r} has bits set past its end")
    return torch.from_numpy(bits[: shape.numel()].astype(bool)).reshape(shape)


def not_zero(tensor: Tensor, mask: Tensor) -> int:
    """Count the masked places of a tensor that are not +0.0."""
    masked = tensor[~mask]
    return int(((masked != 0) | masked.signbit()).sum())
