"""The state of a network as a plain dict: every weight and buffer once, under its first name."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Size, Tensor, nn

from ticket.masks import aliases


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of all weights and buffers on the CPU."""
    others = {other for names in aliases(model).values() for other in names}
    state = model.state_dict()
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous()
        for name, tensor in state.items()
        if name not in others
    }


def shapes_of(network: nn.Module) -> dict[str, Size]:
    """Return the shape of every tensor of the state, shared ones under their first name."""
    others = {other for names in aliases(network).values() for other in names}
    return {n: t.shape for n, t in network.state_dict().items() if n not in others}


@torch.no_grad()
def load_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy `state` into the network in place; shared weights are reached by their first name."""
    own = model.state_dict()
    for name, tensor in state.items():
        own[name].copy_(tensor)


@torch.no_grad()
def copy_state(model: nn.Module, into: dict[str, Tensor]) -> None:
    """Overwrite `into` (of `state_of`) with the network's state; cheaper than a new copy."""
    own = model.state_dict()
    torch._foreach_copy_(list(into.values()), [own[name] for name in into])
