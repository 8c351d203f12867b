"""An exported program, node by node, as operations of the graph.

A node is a value of the graph, a constant tensor, or an unknown operator's result; one that depends
on no image is computed here and now.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind
from torch.fx import Node

from ticket.errors import TicketError
from ticket.exporting.aten.call import Call, Draft, Ref, Unsuitable
from ticket.exporting.aten.forms import reshape
from ticket.exporting.aten.table import OF_ANY_RANK, TRANSLATIONS
from ticket.exporting.ir import Conv, Graph, Linear, Op, Reshape, Shape, Slot, Unknown

# These need memory laid out as in the network itself; what comes before may have been rewritten.
_STRIDED = {
    "aten.view.default": "aten.reshape.default",
    "aten._unsafe_view.default": "aten.reshape.default",
}


class Walk:
    """Translate one exported program, node by node.

    A class because every node needs what all before it left: the draft, what each node stands for.
    """

    def __init__(self, model: str, shape: Shape, program: ExportedProgram) -> None:
        self.model = model
        self.program = program
        self.draft = Draft(shape)
        self.found: dict[Node, object] = {}  # a Ref, a constant tensor, None
        self.firsts: set[Node] = set()  # calls of several results of which only the first is used
        self.owners: dict[Node, str] = {}  # parameters and buffers by their names
        self.batch: object = None

    def graph(self) -> Graph:
        """Return the graph; raises TicketError for what no graph can say."""
        if not self.program.call_spec.out_spec.is_leaf():
            raise TicketError(f"{self.model} returns more than a tensor; export takes one tensor")
        inputs = {spec.arg.name: spec for spec in self.program.graph_signature.input_specs}
        for spec in self.program.graph_signature.output_specs:
            if spec.kind is OutputKind.BUFFER_MUTATION:
                raise TicketError(
                    f"{self.model} writes its buffer '{spec.target}' in eval mode; "
                    "an exported network keeps no state"
                )
        for node in self.program.graph.nodes:
            match node.op:
                case "placeholder":
                    self.found[node] = self._placed(node, inputs[node.name])
                case "call_function":
                    self.found[node] = self._called(node)
                case "output":
                    return self._finished(node.args[0][-1])
                case _:
                    raise TicketError(
                        f"{self.model} cannot be captured: '{node.name}' is a graph of its own "
                        "(control flow); forward must be one sequence of operators"
                    )
        raise AssertionError("an exported program ends with its output")

    def _placed(self, node: Node, spec: Any) -> object:
        if spec.kind is InputKind.USER_INPUT:
            self.batch = node.meta["val"].shape[0].node.expr
            return Ref(0)
        if spec.kind is InputKind.CUSTOM_OBJ or spec.kind is InputKind.TOKEN:
            raise TicketError(
                f"{self.model} cannot be captured: it uses the object '{spec.target}'"
            )
        self.owners[node] = spec.target
        state, constants = self.program.state_dict, self.program.constants
        tensor = state[spec.target] if spec.target in state else constants[spec.target]
        return tensor.detach().clone()

    def _called(self, node: Node) -> object:
        if node.target is operator.getitem and node.args[0] in self.firsts:
            return self.found[_node(node.args[0])]
        arguments = self._filled(node.args)
        keywords = self._filled(dict(node.kwargs))
        assert isinstance(arguments, tuple)
        assert isinstance(keywords, dict)
        if not list(_refs((arguments, keywords))):
            constant = _constant(node, arguments, keywords)
            if constant is not None:
                return constant
        result = self._result(node)
        shape = self._shape(result)
        value = self._translated(node, arguments, keywords, shape)
        if value is not None:
            if result is not node.meta.get("val"):
                self.firsts.add(node)
            return Ref(value)
        return self._unknown(node, arguments, keywords)

    def _translated(
        self, node: Node, arguments: tuple[Any, ...], keywords: dict[str, Any], shape: Shape | None
    ) -> int | None:
        name = _short(node.target)
        translation = TRANSLATIONS.get(name)
        if translation is None or shape is None:
            return None
        if len(shape) not in (1, 3) and name not in OF_ANY_RANK:
            return None
        bound = _bound(node, arguments, keywords)
        before = len(self.draft.ops), len(self.draft.values)
        try:
            return translation(Call(name, self._name(node), bound, shape), self.draft)
        except Unsuitable:
            del self.draft.ops[before[0] :], self.draft.values[before[1] :]
            return None

    def _unknown(
        self, node: Node, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Ref | None:
        val = node.meta.get("val")
        if val is None:
            return None  # a check of the exporter's, which has no result
        target = str(node.target)
        if not isinstance(node.target, torch._ops.OpOverload):
            target = f"operator.{getattr(node.target, '__name__', target)}"
        target = _STRIDED.get(target, target)
        inputs: list[int] = []
        placed = _slotted((arguments, keywords), inputs)
        output = self.draft.value(self._shape(val))
        made = Unknown(target, tuple(inputs), output, placed[0], tuple(placed[1].items()))
        if TRANSLATIONS.get(_short(node.target)) is reshape and self.draft.values[output]:
            self.draft.views[output] = self.draft.viewed(inputs[0])
        return Ref(self.draft.add(made))

    def _filled(self, argument: Any) -> Any:
        match argument:
            case Node():
                return self.found[argument]
            case tuple():
                return tuple(map(self._filled, argument))
            case list():
                return list(map(self._filled, argument))
            case dict():
                return {key: self._filled(item) for key, item in argument.items()}
            case _:
                return argument

    def _result(self, node: Node) -> object:
        """Return what the node makes; of several results the first, if no other is used."""
        val = node.meta.get("val")
        if isinstance(val, tuple | list) and all(
            user.target is operator.getitem and (user.args[1] == 0 or not user.users)
            for user in node.users
        ):
            return val[0] if _short(node.target) in TRANSLATIONS else val
        return val

    def _shape(self, result: object) -> Shape | None:
        """Return the shape per image of a float32 tensor [batch, ...]; None for anything else."""
        if not isinstance(result, Tensor) or result.dtype != torch.float32 or result.dim() < 2:
            return None
        first, *others = result.shape
        if not self._is_batch(first):
            return None
        return tuple(others) if all(isinstance(size, int) for size in others) else None

    def _is_batch(self, size: Any) -> bool:
        return not isinstance(size, int) and bool(size.node.expr == self.batch)

    def _name(self, node: Node) -> str:
        """Name a call after the module it is in if that has a weight, else after the weight's."""
        owned = [self.owners[n] for n in node.all_input_nodes if n in self.owners]
        weights = [name for name in owned if name.rpartition(".")[2] == "weight"]
        modules = [path for path, _ in node.meta.get("nn_module_stack", {}).values()]
        shared = modules and f"{modules[-1]}.weight" in self.program.state_dict
        if not shared and weights and "." in weights[0]:
            return weights[0].rpartition(".")[0]
        return str((modules and modules[-1]) or node.name)

    def _finished(self, node: Node) -> Graph:
        result, val = self.found[node], node.meta["val"]
        if not isinstance(result, Ref):
            raise TicketError(f"{self.model} gives the same output for all images")
        if val.dim() < 1 or not self._is_batch(val.shape[0]):
            raise TicketError(
                f"{self.model} returns a tensor of {tuple(val.shape)}; export takes one row an image"
            )
        value = result.value
        if value == 0:  # a plan's output is written by an operation
            value = self.draft.add(Reshape(0, self.draft.value(self.draft.values[0])))
        ops = tuple(_named_once(self.draft.ops))
        return Graph(tuple(self.draft.values), ops, (0,), (value,))


def _named_once(ops: Sequence[Op]) -> Iterator[Op]:
    """Number the layers that share a name: a layer may be called several times."""
    names: Counter[str] = Counter()
    for op in ops:
        if isinstance(op, Conv | Linear):
            names[op.name] += 1
            if names[op.name] > 1:
                op = replace(op, name=f"{op.name} ({names[op.name]})")
        yield op


def _short(target: object) -> str:
    """Return an ATen operator's name without its overload; empty for a stranger's operator."""
    if target is operator.getitem:
        return "getitem"
    if isinstance(target, torch._ops.OpOverload) and target.namespace == "aten":
        return str(target).split(".")[1]
    return ""


def _node(argument: object) -> Node:
    assert isinstance(argument, Node)
    return argument


def _constant(node: Node, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Compute a call that depends on no image; None if it is drawn anew each time."""
    target = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return target(*arguments, **keywords) if target is operator.getitem else None
    if torch.Tag.nondeterministic_seeded in target.tags:
        return None
    return target(*arguments, **keywords)


def _bound(node: Node, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, object]:
    """Return the arguments by the names of the operator's schema, defaults filled in."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return dict(zip(("self", "index"), arguments, strict=False))
    bound: dict[str, object] = {}
    for place, argument in enumerate(node.target._schema.arguments):
        if place < len(arguments):
            bound[argument.name] = arguments[place]
        else:
            bound[argument.name] = keywords.get(argument.name, argument.default_value)
    return bound


def _refs(argument: Any) -> Iterator[Ref]:
    match argument:
        case Ref():
            yield argument
        case list() | tuple():
            for item in argument:
                yield from _refs(item)
        case dict():
            yield from _refs(list(argument.values()))


def _slotted(argument: Any, inputs: list[int]) -> Any:
    """Replace each value by its place in `inputs`, which grows."""
    match argument:
        case Ref():
            inputs.append(argument.value)
            return Slot(len(inputs) - 1)
        case tuple():
            return tuple(_slotted(item, inputs) for item in argument)
        case list():
            return [_slotted(item, inputs) for item in argument]
        case dict():
            return {key: _slotted(item, inputs) for key, item in argument.items()}
        case _:
            return argument
