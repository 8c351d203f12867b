"""A program as TorchScript source: one line a step.

torch can neither script nor trace an exported program whose batch is free, but it compiles this. And
source that comes from no file leaves no path in the exported one.
"""

from __future__ import annotations

import math

import torch

from ticket.errors import TicketError
from ticket.exporting.calling import Constant
from ticket.exporting.ir import Slot, Unknown
from ticket.exporting.program import PlanCall, Program

# Sizes of a batch are numbers in torch's graph, and Python works on them.
_INFIX = {"add": "+", "sub": "-", "mul": "*", "floordiv": "//", "mod": "%", "truediv": "/"}

STATE = """
def __getstate__(self):
    told = (self.shape, self.classes, self.takes_pixels)
    return (self.plans, self.constants, told, self.threads, self.training)

def __setstate__(
    self, state: Tuple[List[Tensor], List[Tensor], Tuple[List[int], List[str], bool], int, bool]
) -> None:
    self.plans = state[0]
    self.constants = state[1]
    self.shape, self.classes, self.takes_pixels = state[2]
    self.threads = state[3]
    self.training = state[4]
    packed = torch.jit.annotate(List[Tensor], [])
    for plan in self.plans:
        packed.append(torch.ops.ticket.pack_plan(plan))
    self.packed = packed
"""


def forward(program: Program) -> str:
    """Return the source of `forward`. Raises TicketError that names what TorchScript has no word for."""
    # Without `detach` a backward pass would find no gradient and say so only in a warning.  Where there
    # is nothing to detach it would cost a microsecond.
    lines = [
        "def forward(self, images: Tensor) -> Tensor:",
        f"    v{program.input} = images.detach() if images.requires_grad else images",
        *(f"    v{step.output} = {_step(step)}" for step in program.steps),
        f"    return v{program.output}",
    ]
    return "\n".join(lines) + "\n"


def _step(step: PlanCall | Unknown) -> str:
    if isinstance(step, PlanCall):
        shape = list(step.shape)
        return f"torch.ops.ticket.infer(self.packed[{step.place}], v{step.input}, {shape}, self.threads)"
    namespace, name, *_ = step.target.split(".")
    if namespace == "operator":
        return _python(step, name)
    types = _types(step.target)
    places = [_spelled(step, value, types[0][n]) for n, value in enumerate(step.arguments)]
    named = [f"{key}={_spelled(step, value, types[1][key])}" for key, value in step.keywords]
    return f"torch.ops.{namespace}.{name}({', '.join([*places, *named])})"


def _python(step: Unknown, name: str) -> str:
    words = [_spelled(step, argument, "") for argument in step.arguments]
    if name == "getitem":
        return f"{words[0]}[{words[1]}]"
    if name in _INFIX and len(words) == 2:
        return f"{words[0]} {_INFIX[name]} {words[1]}"
    raise _unsaid(step)


def _types(target: str) -> tuple[list[str], dict[str, str]]:
    """Return the types of an operator's arguments by place and by name."""
    namespace, name, overload = target.split(".")
    schema = getattr(getattr(getattr(torch.ops, namespace), name), overload)._schema
    types = {argument.name: str(argument.type) for argument in schema.arguments}
    return list(types.values()), types


def _spelled(step: Unknown, argument: object, kind: str) -> str:
    match argument:
        case Slot():
            return f"v{step.inputs[argument.place]}"
        case Constant():
            return f"self.constants[{argument.place}]"
        case None | bool() | int() | str():
            return repr(argument)
        case float():
            return repr(argument) if math.isfinite(argument) else f"float('{argument}')"
        case list() | tuple():
            return _listed(step, argument, kind)
        case torch.device():
            return f"torch.device('{argument}')"
        case torch.dtype() | torch.layout() | torch.memory_format():
            return str(argument)
        case _:
            raise _unsaid(step)


def _listed(step: Unknown, items: list[object] | tuple[object, ...], kind: str) -> str:
    words = "[" + ", ".join(_spelled(step, item, "") for item in items) + "]"
    if items and not any(item is None for item in items):
        return words
    # TorchScript cannot tell of what an empty list is one.
    inner = kind.removeprefix("Optional[").removeprefix("List[").removesuffix("]")
    return f"torch.jit.annotate(List[{inner}], {words})"


def _unsaid(step: Unknown) -> TicketError:
    return TicketError(f"TorchScript cannot say how {step.target} is called here; use --format pt2")
