"""Formats without torch's graph: the plan itself for C++, and the dense weights for other tools."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save

from ticket.exporting.exported import Exported
from ticket.files import write_atomically


def native(exported: Exported, path: Path) -> list[Path]:
    """One self-contained file that the C++ runtime runs without torch (`ticket_runtime.h`)."""
    write_atomically(path, exported.plan)
    return [path]


def safetensors(exported: Exported, path: Path) -> list[Path]:
    """The dense state dict, zeros included, under its own names: for tools that take weights."""
    state = {name: tensor.contiguous() for name, tensor in exported.network.state_dict().items()}
    seen: set[int] = set()
    for name, tensor in state.items():  # the format has no shared tensors
        if tensor.data_ptr() in seen:
            state[name] = tensor.clone()
        seen.add(tensor.data_ptr())
    told = {key: str(value) for key, value in exported.metadata.items() if key != "batch"}
    write_atomically(path, save(state, told))
    return [path]
