"""PT2: what `torch.export` writes, with operators that run the network's plans."""

from __future__ import annotations

import io
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from ticket.exporting.exported import Exported
from ticket.exporting.noise import without_noise
from ticket.exporting.operators import operators
from ticket.exporting.program import PlanCall, Program, run
from ticket.files import write_atomically
from ticket_plugins.exporters.small_zip import repacked
from ticket_plugins.exporters.torchscript import bundled


class Network(nn.Module):
    """Run a program: `images` [N, C, H, W] float32 on the CPU -> [N, *shape]."""

    def __init__(self, program: Program, threads: int) -> None:
        super().__init__()
        self.program = program
        self.threads = threads
        for place, plan in enumerate(program.plans):
            tensor = torch.frombuffer(bytearray(plan), dtype=torch.uint8)
            self.register_buffer(f"plan{place}", tensor)
        for place, tensor in enumerate(program.constants):
            self.register_buffer(f"constant{place}", tensor)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of some images."""

        def call(step: PlanCall, given: Tensor) -> Tensor:
            plan = self.get_buffer(f"plan{step.place}")
            found: Tensor = torch.ops.ticket.infer_plan(plan, given, list(step.shape), self.threads)
            return found

        constants = [
            self.get_buffer(f"constant{place}") for place in range(len(self.program.constants))
        ]
        # Without `detach` a backward pass would find no gradient and say so only in a warning.
        return run(self.program, images.detach(), call, constants)


def pt2(exported: Exported, path: Path, *, threads: int = 1, bundle: bool = False) -> list[Path]:
    """A `torch.export` program: `torch.export.load` after the operator library.

    `threads` is how many it uses; `bundle` puts the operator library beside the file.
    """
    operators()
    network = Network(exported.program, threads).eval()
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
    write_atomically(path, repacked(buffer.getvalue()))
    return [path, *bundled(path)] if bundle else [path]


def _forget(program: torch.export.ExportedProgram) -> None:
    """Drop what only describes the machine that exported: example images, places in source files."""
    program.example_inputs = None
    for node in program.graph.nodes:
        for what in ("stack_trace", "nn_module_stack", "source_fn_stack"):
            node.meta.pop(what, None)
