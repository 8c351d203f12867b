"""PT2: what `torch.export` writes, with one operator that runs the whole network."""

from __future__ import annotations

import io
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from ticket.exporting.exported import Exported
from ticket.exporting.noise import without_noise
from ticket.exporting.operators import operators
from ticket.files import write_atomically
from ticket_plugins.exporters.torchscript import bundled


class Network(nn.Module):
    """Run a plan: `images` [N, C, H, W] float32 on the CPU -> [N, *shape]."""

    plan: Tensor

    def __init__(self, plan: Tensor, shape: tuple[int, ...], threads: int) -> None:
        super().__init__()
        self.register_buffer("plan", plan)
        self.shape = list(shape)
        self.threads = threads

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of some images."""
        # Without `detach` a backward pass would find no gradient and say so only in a warning.
        found: Tensor = torch.ops.ticket.infer_plan(
            self.plan, images.detach(), self.shape, self.threads
        )
        return found


def pt2(exported: Exported, path: Path, *, threads: int = 1, bundle: bool = False) -> list[Path]:
    """A `torch.export` program: `torch.export.load` after the operator library.

    `threads` is how many it uses; `bundle` puts the operator library beside the file.
    """
    operators()
    plan = torch.frombuffer(bytearray(exported.plan), dtype=torch.uint8)
    network = Network(plan, exported.outputs, threads).eval()
    batch = {} if exported.batch else {0: torch.export.Dim("batch")}
    example = exported.example.clone()
    if exported.batch:
        example = example[:1].expand(exported.batch, *exported.shape).contiguous()
    buffer = io.BytesIO()
    with without_noise():
        program = torch.export.export(network, (example,), dynamic_shapes=(batch,))
        _forget(program)
        told = json.dumps(dict(exported.metadata), sort_keys=True)
        torch.export.save(program, buffer, extra_files={"ticket.json": told})
    write_atomically(path, buffer.getvalue())
    return [path, *bundled(path)] if bundle else [path]


def _forget(program: torch.export.ExportedProgram) -> None:
    """Drop what only describes the machine that exported: example images, places in source files."""
    program.example_inputs = None
    for node in program.graph.nodes:
        for what in ("stack_trace", "nn_module_stack", "source_fn_stack"):
            node.meta.pop(what, None)
