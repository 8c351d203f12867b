"""TorchScript: an ordinary `torch.jit` module whose one operator runs the whole network."""

# No `from __future__ import annotations` here: torch.jit reads the annotations of `Network`.
import io
import json
import shutil
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from ticket import kernels
from ticket.errors import TicketError, UsageError
from ticket.exporting.exported import Exported
from ticket.exporting.noise import without_noise
from ticket.exporting.operators import operators
from ticket.files import write_atomically

LAST_PYTHON = (3, 13)  # torch refuses to script under a newer one


class Network(nn.Module):
    """Run a plan. Only the plan is in the file: the packed network is made as the file is loaded.

    `images` [N, C, H, W] float32 on the CPU -> [N, *shape]. Without `detach` a backward pass would
    find no gradient and say so only in a warning.
    """

    def __init__(self, plan: Tensor, shape: list[int], threads: int) -> None:
        super().__init__()
        self.plan = plan
        self.shape = shape
        self.threads = threads
        self.packed: Tensor = torch.ops.ticket.pack_plan(plan)

    @torch.jit.export
    def __getstate__(self) -> tuple[Tensor, list[int], int, bool]:
        return self.plan, self.shape, self.threads, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[Tensor, list[int], int, bool]) -> None:
        self.plan = state[0]
        self.shape = state[1]
        self.threads = state[2]
        self.training = state[3]
        self.packed = torch.ops.ticket.pack_plan(self.plan)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of some images."""
        found: Tensor = torch.ops.ticket.infer(
            self.packed, images.detach(), self.shape, self.threads
        )
        return found


def torchscript(
    exported: Exported, path: Path, *, threads: int = 1, bundle: bool = False
) -> list[Path]:
    """A TorchScript module for Python and C++: `torch.jit.load` after the operator library.

    `threads` is how many it uses; `bundle` puts the operator library beside the file. Raises
    UsageError on a Python that torch no longer scripts under.
    """
    if sys.version_info[:2] > LAST_PYTHON:
        raise UsageError(
            "torch makes no TorchScript under this Python; "
            "use --format pt2, or --format native for C++"
        )
    operators()
    plan = torch.frombuffer(bytearray(exported.plan), dtype=torch.uint8)
    buffer = io.BytesIO()
    with without_noise():
        module = torch.jit.script(Network(plan, list(exported.outputs), threads).eval())
        told = json.dumps(dict(exported.metadata), sort_keys=True)
        torch.jit.save(module, buffer, _extra_files={"ticket.json": told})
    write_atomically(path, buffer.getvalue())
    return [path, *bundled(path)] if bundle else [path]


def bundled(path: Path) -> list[Path]:
    """Put the operator library beside an exported file. Raises TicketError when it cannot be."""
    beside = path.with_name(f"{path.stem}_ops.so")
    try:
        shutil.copyfile(kernels.describe().detail, beside)
    except OSError as problem:
        raise TicketError(f"cannot write {beside}: {problem.strerror}") from problem
    return [beside]
