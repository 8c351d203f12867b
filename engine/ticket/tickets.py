"""A ticket: masks, the weights that training starts from, and the record of how it was found."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ticket import kernels, ticket_file
from ticket import masks as masking
from ticket.bases import check_same
from ticket.errors import TicketError
from ticket.files import write_atomically

# What each field of the record may be; any other field is free, every field may be left out.
_FIELDS: dict[str, tuple[type, ...]] = {
    "model": (dict,),  # {"name": text, "options": {...}}
    "dataset": (dict, str),
    "input": (dict,),  # {"shape": [C, H, W], "classes": K}
    "training": (dict,),
    "recipe": (dict,),
    "seeds": (dict, list, int),
    "rounds": (list,),
    "parent": (str, type(None)),  # SHA-256 of the parent's file
    "lineage": (list,),  # the ancestors, oldest first (`ticket.transforming.lineage`)
    "moves": (dict,),  # which tensors are the parent's
    "versions": (dict,),
}
# Integers by the size of a float, to look at its bits.
_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True, eq=False)
class Ticket:
    """Hold one ticket; `create` makes one from a model, `load` reads one.

    `masks`: bool, by parameter name. `state`: weights and buffers by `state_dict` name, shared ones
    once, masked weights +0.0. `record`: plain JSON; its `prunable` lists the names of all prunable
    parameters, its `aliases` the other names of shared tensors.
    Raises TicketError when the parts do not fit together.
    """

    masks: Mapping[str, Tensor]
    state: Mapping[str, Tensor]
    record: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together."""
        _check_record(self.record, self.state)
        masking.check(self._weights(), self.masks)
        for name, mask in self.masks.items():
            if not _is_zero_where(~mask, self.state[name]):
                raise TicketError(f"masked weights of {name!r} are not +0.0")

    @property
    def kept(self) -> int:
        """Count the prunable weights that are kept."""
        return masking.counts(self._weights(), self.masks)[0]

    @property
    def prunable(self) -> int:
        """Count the prunable weights."""
        return masking.counts(self._weights(), self.masks)[1]

    @property
    def seed(self) -> int:
        """Return the seed of the run that made the ticket; 0 where none is recorded."""
        return int((self.record.get("seeds") or {}).get("seed", 0))

    @property
    def density(self) -> float:
        """Return kept / prunable."""
        return self.kept / self.prunable

    def save(self, path: Path) -> None:
        """Write the ticket whole or not at all; equal tickets give equal bytes.

        Raises TicketError when the file cannot be written.
        """
        write_atomically(path, self.encoded())

    def identity(self) -> str:
        """Return the SHA-256 of the file that the ticket makes, as 64 hex digits."""
        return hashlib.sha256(self.encoded()).hexdigest()

    def encoded(self) -> bytes:
        """Return the bytes of the ticket's file. Raises TicketError for a ticket that cannot be."""
        self.__post_init__()  # tensors can be written to, and a wrong file must not come to be
        tensors = {f"mask.{name}": kernels.pack_bits(mask) for name, mask in self.masks.items()}
        tensors |= {f"state.{name}": tensor for name, tensor in self.state.items()}
        kept = {name: masking.kept({name: mask}) for name, mask in self.masks.items()}
        return ticket_file.encode({**self.record, "kept": kept}, tensors)

    def apply(self, model: nn.Module) -> None:
        """Give the model the ticket's weights, buffers and masks, or leave it as it was.

        Raises TicketError when the two differ in names, shapes, dtypes, basis or shared weights.
        """
        basis = (self.record.get("recipe") or {}).get("basis", "canonical")
        check_same(basis, model)
        aliases = masking.aliases(model)
        others = {other for names in aliases.values() for other in names}
        target = {name: t for name, t in model.state_dict().items() if name not in others}
        _check_same(target, self.state, type(model).__name__)
        if aliases != self.record["aliases"]:
            raise TicketError(
                f"{type(model).__name__} shares weights as {aliases}, "
                f"the ticket as {self.record['aliases']}; build the model that the ticket records"
            )
        masking.check(masking.prunable(model), self.masks)
        shared = {other: self.state[name] for name in aliases for other in aliases[name]}
        model.load_state_dict({**self.state, **shared})  # masked weights among it, as +0.0

    def held(self, model: nn.Module, optimizer: Optimizer) -> AbstractContextManager[None]:
        """Apply the masks, and hold them after every `optimizer.step()` inside the `with` block."""
        return masking.held(model, self.masks, optimizer)

    def _weights(self) -> dict[str, Tensor]:
        return {name: self.state[name] for name in self.record["prunable"]}


def create(
    model: nn.Module,
    masks: Mapping[str, Tensor],
    *,
    record: Mapping[str, Any],
    state: Mapping[str, Tensor] | None = None,
) -> Ticket:
    """Make a ticket for `model` that starts from `state` (a `state_dict`; None: the model's own).

    Everything is copied to the CPU; masked weights become +0.0. Raises TicketError when masks,
    state or record do not fit.
    """
    aliases = masking.aliases(model)
    others = {other for names in aliases.values() for other in names}
    own = {name: tensor for name, tensor in model.state_dict().items() if name not in others}
    given = own if state is None else {n: state[n] for n in state if n not in others}
    _check_same(own, given, type(model).__name__)
    weights = masking.prunable(model)
    masking.check(weights, masks)
    # Module order, not the order that the caller's dict happens to have: it decides the bytes.
    copies = {name: _copy(masks[name]) for name in weights if name in masks}
    start = {name: _copy(given[name]) for name in own}
    kernels.hold_([start[name] for name in copies], list(copies.values()))
    plain = json.loads(ticket_file.canonical(dict(record)))
    return Ticket(copies, start, plain | {"prunable": list(weights), "aliases": aliases})


def load(path: Path) -> Ticket:
    """Read the ticket at `path`. Raises TicketError with one line that names the file."""
    kernels.describe()  # a TICKET_ISA that is none is no fault of the file
    document, tensors = ticket_file.read(path)
    kept = document.pop("kept", None)
    record = {key: value for key, value in document.items() if key not in ticket_file.OWN_FIELDS}
    packed = {n.removeprefix("mask."): t for n, t in tensors.items() if n.startswith("mask.")}
    state = {n.removeprefix("state."): t for n, t in tensors.items() if n.startswith("state.")}
    try:
        if len(packed) + len(state) != len(tensors):
            raise TicketError("it has tensors that are neither masks nor state")
        masks = {name: _unpack(name, bits, state) for name, bits in packed.items()}
        if kept != {name: masking.kept({name: mask}) for name, mask in masks.items()}:
            raise TicketError("its masks do not keep as many weights as its record says")
        return Ticket(masks, state, record)
    except TicketError as error:
        raise TicketError(f"{path} is not a valid ticket: {error}; make it again") from error


def versions() -> dict[str, str]:
    """Return what a ticket's record says of the software that made it."""
    return {"torch": torch.__version__, "python": ".".join(map(str, sys.version_info[:2]))}


def _unpack(name: str, bits: Tensor, state: Mapping[str, Tensor]) -> Tensor:
    if name not in state:
        raise TicketError(f"there is a mask for {name!r}, but no such weight")
    try:
        return kernels.unpack_bits(bits, state[name].shape)
    except TicketError as error:
        raise TicketError(f"the mask of {name!r} does not fit the weight: {error}") from error


def _check_record(record: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    for field, kinds in _FIELDS.items():
        if field in record and not isinstance(record[field], kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise TicketError(f"its record's {field!r} is not {wanted}")
    model = record.get("model", {"name": "", "options": {}})
    if not isinstance(model.get("name"), str) or not isinstance(model.get("options"), dict):
        raise TicketError("its record's 'model' is not a name with options")
    prunable, aliases = record.get("prunable"), record.get("aliases")
    if not _is_names(prunable) or not prunable:
        raise TicketError("its record does not list the prunable parameters")
    if not isinstance(aliases, dict) or not all(_is_names(names) for names in aliases.values()):
        raise TicketError("its record's 'aliases' are not lists of names")
    for name in (*prunable, *aliases):
        if name not in state:
            raise TicketError(f"its state has no {name!r}")
    for name in prunable:
        if not state[name].is_floating_point() or state[name].numel() == 0:
            raise TicketError(f"the prunable parameter {name!r} holds no floating-point numbers")


def _check_same(model: Mapping[str, Tensor], state: Mapping[str, Tensor], name: str) -> None:
    for odd in (key for key, value in model.items() if not isinstance(value, Tensor)):
        raise TicketError(f"the extra state {odd!r} of {name} is no tensor; a ticket holds tensors")
    if missing := model.keys() - state.keys():
        raise TicketError(f"the ticket's state lacks tensors that {name} has: {_some(missing)}")
    if unexpected := state.keys() - model.keys():
        raise TicketError(f"the ticket's state has tensors unknown to {name}: {_some(unexpected)}")
    for key, right in model.items():
        if right.shape != state[key].shape:
            found, wanted = tuple(state[key].shape), tuple(right.shape)
            raise TicketError(f"{key!r} has shape {found} in the ticket, {wanted} in {name}")
        if right.dtype != state[key].dtype:  # a cast would change the ticket without a word
            raise TicketError(
                f"{key!r} is {state[key].dtype} in the ticket, {right.dtype} in {name}; convert one"
            )


def _is_names(value: object) -> bool:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return False
    return len(set(value)) == len(value)


def _is_zero_where(places: Tensor, values: Tensor) -> bool:
    """Return whether all bits are 0 there: neither -0.0 nor NaN will do. Gathers nothing."""
    bits = values.view(_BITS[values.element_size()])
    return not bool((bits * places).any())


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _some(names: Iterable[str]) -> str:
    first = sorted(names)
    more = f" and {len(first) - 3} more" if len(first) > 3 else ""
    return ", ".join(first[:3]) + more
