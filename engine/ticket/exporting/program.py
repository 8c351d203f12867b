"""What a file runs: one plan, or several with torch's own operators between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ticket.errors import TicketError
from ticket.exporting.calling import called, held
from ticket.exporting.encode import encode
from ticket.exporting.ir import Graph, Shape, Unknown
from ticket.exporting.operators import operators
from ticket.exporting.passes.part import Stretch, stretches
from ticket.exporting.value_type import ValueType
from ticket.exporting.wiring import tidied


@dataclass(frozen=True)
class PlanCall:
    """Run a plan: its place in `plans`, the values it reads and makes, the shape that it makes."""

    place: int
    input: int
    output: int
    shape: Shape


Step = PlanCall | Unknown


@dataclass(frozen=True, eq=False)
class Program:
    """Hold the steps in order, the bytes of the plans, and the tensors that torch's operators take.

    Values are numbered as in the graph; `input` is the images, `output` what the network gives.
    """

    steps: tuple[Step, ...]
    plans: tuple[bytes, ...]
    constants: tuple[Tensor, ...]
    input: int
    output: int


def assemble(graph: Graph, metadata: Mapping[str, Any], values: ValueType) -> Program:
    """Encode the stretches of a lowered graph as plans, with what the file says of itself.

    The metadata is in the first plan; where there are several steps, it tells them as `program`, and
    the other plans say their place as `part`. Raises TicketError when no operation is known.
    """
    found = stretches(graph)
    if not any(isinstance(step, Stretch) for step in found):
        raise TicketError(
            "no layer of the network is known to the executor, so that nothing would run faster; "
            "docs/export.md lists the operations it knows"
        )
    constants: list[Tensor] = []
    steps: list[Step] = []
    bodies: list[Graph] = []
    for step in found:
        if isinstance(step, Unknown):
            steps.append(held(step, constants))
        else:
            shape = graph.values[step.output]
            assert shape is not None  # known operations make images or vectors
            steps.append(PlanCall(len(bodies), step.input, step.output, shape))
            bodies.append(tidied(Graph(graph.values, step.ops, (step.input,), (step.output,))))
    told = dict(metadata)
    if len(steps) > 1:
        told["program"] = _described(graph, steps)
    plans = [encode(bodies[0], told, values)]
    for place, body in enumerate(bodies[1:], 1):
        plans.append(encode(body, {"batch": metadata.get("batch", 0), "part": place}, values))
    return Program(tuple(steps), tuple(plans), tuple(constants), graph.inputs[0], graph.outputs[0])


def run(
    program: Program,
    images: Tensor,
    call: Callable[[PlanCall, Tensor], Tensor],
    constants: Sequence[Tensor],
) -> Tensor:
    """Run the steps on `images` `[N, *shape]`; `call` runs a plan on its input."""
    values: dict[int, Tensor] = {program.input: images}
    for step in program.steps:
        if isinstance(step, PlanCall):
            values[step.output] = call(step, values[step.input])
        else:
            values[step.output] = called(step, [values[v] for v in step.inputs], constants)
    return values[program.output]


def run_plans(program: Program, images: Tensor, threads: int = 1) -> Tensor:
    """Run the steps on float32 `images` as an exported file will."""
    plans = [torch.frombuffer(bytearray(plan), dtype=torch.uint8) for plan in program.plans]
    infer = operators().infer_plan

    def call(step: PlanCall, given: Tensor) -> Tensor:
        found: Tensor = infer(plans[step.place], given, list(step.shape), threads)
        return found

    return run(program, images, call, program.constants)


def _described(graph: Graph, steps: Sequence[Step]) -> dict[str, Any]:
    """Return the steps for those who read the file without torch."""
    return {
        "input": list(graph.values[graph.inputs[0]] or ()),
        "output": list(graph.values[graph.outputs[0]] or ()),
        "steps": [
            {"plan": step.place, "reads": [step.input], "makes": step.output}
            if isinstance(step, PlanCall)
            else {"operator": step.target, "reads": list(step.inputs), "makes": step.output}
            for step in steps
        ],
    }
