"""TorchScript: an ordinary `torch.jit` module in which one operator runs the whole network.

Where the network has operators that the executor does not know, several of ours with torch's between.
"""

# No `from __future__ import annotations` here: torch.jit reads the annotations of `Network`.
import io
import json
import shutil
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from ticket import kernels
from ticket.errors import TicketError
from ticket.exporting.exported import Exported, refused_when
from ticket.exporting.noise import without_noise
from ticket.exporting.operators import operators
from ticket.files import write_atomically
from ticket_plugins.exporters import script_source
from ticket_plugins.exporters.small_zip import repacked

LAST_PYTHON = (3, 13)  # torch refuses to script under a newer one


def _refused() -> str:
    if sys.version_info[:2] <= LAST_PYTHON:
        return ""
    return (
        f"torch makes no TorchScript under Python {sys.version_info[0]}.{sys.version_info[1]}; "
        "use --format pt2, or --format native for C++"
    )


@refused_when(_refused)
def torchscript(
    exported: Exported, path: Path, *, threads: int = 1, bundle: bool = False
) -> list[Path]:
    """A TorchScript module for Python and C++: `torch.jit.load` after the operator library.

    `threads` is how many it uses; `bundle` puts the operator library beside the file.
    """
    operators()
    source = script_source.STATE + script_source.forward(exported.program)
    buffer = io.BytesIO()
    with without_noise():
        module = _scripted(exported, threads, source)
        told = json.dumps(dict(exported.metadata), sort_keys=True)
        torch.jit.save(module, buffer, _extra_files={"ticket.json": told})
    write_atomically(path, repacked(buffer.getvalue()))
    return [path, *bundled(path)] if bundle else [path]


def _scripted(exported: Exported, threads: int, source: str) -> torch.jit.ScriptModule:
    """Compile a module. Only plans and constants are saved; they are packed as the file is loaded."""
    program = exported.program
    normalisation = exported.metadata.get("normalisation") or {}

    class Network(nn.Module):  # one each time: torch would share the methods of one class
        plans: list[Tensor]
        packed: list[Tensor]
        constants: list[Tensor]
        shape: list[int]  # of an image
        classes: list[str]

        def __init__(self) -> None:
            super().__init__()
            self.plans = [
                torch.frombuffer(bytearray(plan), dtype=torch.uint8) for plan in program.plans
            ]
            self.packed = [torch.ops.ticket.pack_plan(plan) for plan in self.plans]
            self.constants = list(program.constants)
            self.shape = list(exported.shape)
            self.classes = list(exported.metadata.get("classes", ()))
            self.takes_pixels = bool(normalisation.get("in_plan"))
            self.threads = threads

    Network.__module__ = "ticket"  # its name is in the file many times
    module: torch.jit.ScriptModule = torch.jit.script(Network().eval())
    module.define(source)
    return module


def bundled(path: Path) -> list[Path]:
    """Put the operator library beside an exported file. Raises TicketError when it cannot be."""
    beside = path.with_name(f"{path.stem}_ops.so")
    try:
        shutil.copyfile(kernels.describe().detail, beside)
    except OSError as problem:
        raise TicketError(f"cannot write {beside}: {problem.strerror}") from problem
    return [beside]
