"""Weights that a user brings: read safely, checked against the network, named by their content."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ticket import ticket_file
from ticket.bases import CANONICAL, basis_of, coefficients
from ticket.errors import TicketError
from ticket.network import state_of
from ticket.uses import Use


def read_weights(path: Path, network: nn.Module, basis: Use = CANONICAL) -> dict[str, Tensor]:
    """Read the state a run starts from: a ticket, a safetensors or a torch state dict.

    Plain weights become coefficients where the network has its own in a `basis`. Nothing is unpickled
    but tensors. Raises TicketError when the file does not fit the network.
    """
    try:
        state: object = _read_any(path)
    except TicketError:
        raise
    except pickle.UnpicklingError as problem:  # its own text advises to unpickle anything
        raise TicketError(
            f"cannot read weights from {path}: it is neither a safetensors file nor a torch file "
            "that holds nothing but tensors"
        ) from problem
    except Exception as problem:  # torch raises what it likes on a damaged file
        reason = str(problem).partition("\n")[0]
        raise TicketError(f"cannot read weights from {path}: {reason}") from problem
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping):
        raise TicketError(f"{path} holds {type(state).__name__}, not a state dict")
    own = state_of(network)
    for name, tensor in own.items():
        if not isinstance(state.get(name), Tensor):
            raise TicketError(
                f"{path} has no tensor '{name}', which {type(network).__name__} needs"
            )
        if state[name].shape != tensor.shape:
            raise TicketError(
                f"{path}: '{name}' has shape {list(state[name].shape)}, the network {list(tensor.shape)}"
            )
    theirs = basis_of(record_in(path))
    if theirs not in (CANONICAL, basis):
        raise TicketError(
            f"{path} holds coefficients in the basis {theirs.plain()}, not in {basis.plain()}"
        )
    read = {name: state[name].to(tensor.dtype) for name, tensor in own.items()}
    return read if theirs == basis else coefficients(network, read)


def record_in(path: Path) -> dict[str, Any]:
    """Return the record in a ticket's file; nothing for other files of weights."""
    if path.suffix != ".safetensors":
        return {}
    try:
        return ticket_file.read_record(path)
    except TicketError:  # a plain safetensors file; `read_weights` tells what else is wrong
        return {}


def _read_any(path: Path) -> object:
    if path.suffix != ".safetensors":
        return torch.load(path, map_location="cpu", weights_only=True)
    tensors = load_file(path)
    if any(name.startswith("state.") for name in tensors):
        _, tensors = ticket_file.read(path)
        return {n.removeprefix("state."): t for n, t in tensors.items() if n.startswith("state.")}
    return tensors


def content_hash(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names and bytes of some tensors."""
    total = hashlib.sha256()
    for name, tensor in state.items():
        total.update(name.encode())
        total.update(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
