"""A transform from beginning to end: a ticket read, its strategies applied in turn, the result checked."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ticket.batches import Examples
from ticket.config import short
from ticket.dataset import DataSet
from ticket.dense import dense_state
from ticket.end import End, Function, end_of
from ticket.errors import TicketError, UsageError
from ticket.folder import Folder
from ticket.network import load_state, shapes_of
from ticket.seeds import stream
from ticket.tickets import Ticket, load, versions
from ticket.transforming import lineage
from ticket.transforming.anatomy import anatomy
from ticket.transforming.ends import shaped_by_data, target_end
from ticket.transforming.given import Given
from ticket.transforming.plan import Plan, plan_of
from ticket.transforming.surveying import surveyor
from ticket.uses import Use, bind

Trainer = Callable[[Ticket, Mapping[str, Any]], Ticket]
Finder = Callable[[Ticket, Mapping[str, Tensor], str], Ticket]
Reader = Callable[[Ticket], tuple[Examples, int]]


@dataclass(frozen=True)
class Asked:
    """Hold what is asked for: the strategies in turn, the target, and where data lies.

    `to` None leaves the model, `dataset` None the data set, `seed` None the seed as the ticket has it.
    `function` builds the ticket's network where a Python caller gives it.
    """

    strategies: tuple[Use, ...]
    to: Use | Function | None = None
    dataset: Use | DataSet | None = None
    seed: int | None = None
    data_folder: Path = Path("data")
    function: Function | None = None


@dataclass(frozen=True)
class Transformed:
    """Hold the result: the ticket, its parent, what went where, the networks' names, the seconds.

    `iterations` are those that its strategies trained, `path` is where it was written.
    """

    ticket: Ticket
    parent: Ticket
    plan: Plan
    source: str
    target: str
    seconds: float
    iterations: int = 0
    path: Path | None = None

    def name(self) -> str:
        """Return a folder's name for it: model, data set, strategies, hash of what decided it."""
        record = self.ticket.record
        told = record["lineage"][-1]
        decided = {"parent": record["parent"], "strategies": told["strategies"]}
        decided |= {"seed": told["transform_seed"], "to": [record["model"], record["dataset"]]}
        text = json.dumps(decided, sort_keys=True, separators=(",", ":"))
        names = (s if isinstance(s, str) else s["name"] for s in told["strategies"])
        words = "+".join(map(short, names))
        data = record["dataset"]
        data = data if isinstance(data, str) else data["name"]
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        return "-".join((short(record["model"]["name"]), short(data), words, digest))


def perform(
    asked: Asked,
    parent: Ticket,
    sha256: str,
    folder: Path | None = None,
    train: Trainer | None = None,
    find: Finder | None = None,
    read: Reader | None = None,
) -> Transformed:
    """Transform the ticket `parent`, whose file has this SHA-256; write nothing.

    `folder` is the run that it was found in, where that is known; `train` and `find` what strategies
    that train call, `read` what gives those that score weights examples and batch size.
    Raises UsageError when source, strategies and target do not fit.
    """
    began = time.perf_counter()
    if parent.record.get("trained"):
        raise UsageError(
            "the file holds trained weights; a transform starts from the ticket itself, "
            "ticket.safetensors beside it"
        )
    source = end_of(parent, asked.function, asked.data_folder)
    target = target_end(source, asked.to, asked.dataset, asked.data_folder)
    new = shaped_by_data(source, target)
    seed = parent.seed if asked.seed is None else asked.seed
    told = [use.plain() for use in asked.strategies]
    stamp = {
        **target.record(),
        "rounds": [],
        "parent": sha256,
        "lineage": [
            *parent.record.get("lineage", []),
            lineage.ancestor(parent, sha256, told, seed),
        ],
        "versions": versions(),
    }
    moves = lineage.all_of(parent)
    ticket = parent
    wanted = shapes_of(target.build())
    here = source
    for number, use in enumerate(asked.strategies):
        run = None if folder is None or here != source else Folder(folder)
        ticket = lineage.handed(ticket, moves)
        given = _given(use, number, seed, here, target, ticket, run)
        if here != target:
            given = replace(given, new=new)
        if train is not None:
            given = replace(given, train=_of_target(train, target))
        if find is not None:
            given = replace(given, find=_found_for(find, target))
        if read is not None:
            shown = partial(read, _as_target(ticket, target))
            given = replace(given, survey=surveyor(shown, given.generator))
        made = bind(use)(ticket, given)
        if not isinstance(made, Ticket):
            raise UsageError(f"strategy '{use.name}' gives {type(made).__name__}, not a Ticket")
        moves = lineage.after(moves, made, parent)
        record = {
            **parent.record,
            **made.record,
            **stamp,
            "moves": moves,
            "start": made.record.get("start", 0),
        }
        ticket = Ticket(made.masks, made.state, record)
        if wanted == {name: tensor.shape for name, tensor in ticket.state.items()}:
            here = target
    if here != source:  # what its run began with is not this network's
        ticket = replace(ticket, record={**ticket.record, "weights": None})
    _check_fits(ticket, target, asked.strategies)
    plan = Plan((), ())
    if moves["units"]:
        ends = (anatomy(end.build(), end.model.name) for end in (source, target))
        plan = plan_of(parent, ticket, moves, *ends)
    seconds = time.perf_counter() - began
    return Transformed(ticket, parent, plan, source.model.name, target.model.name, seconds)


def _given(
    use: Use, number: int, seed: int, here: End, target: End, ticket: Ticket, run: Folder | None
) -> Given:
    """Return what the strategy of this number may ask for; `run` is that of the network `here`."""

    def own() -> nn.Module:
        network = here.build()
        ticket.apply(network)
        return network

    def origin() -> nn.Module:
        network = here.build(ticket.seed, "init")
        if run is not None and run.round_ticket(0).exists():
            load_state(network, load(run.round_ticket(0)).state)
        elif run is None and ticket.record.get("weights"):
            raise _wants_run(use, "the weights that the run began with")
        return network

    def dense() -> nn.Module:
        if run is None:
            raise _wants_run(use, "the trained dense network")
        network = here.build()
        load_state(network, dense_state(run))
        return network

    def fresh() -> nn.Module:
        return target.build(seed, "transform", number, use.name)

    generator = stream(seed, "transform", number, use.name, "masks")
    return Given(origin, fresh, dense, generator, target.model.name, own=own)


def _as_target(ticket: Ticket, target: End) -> Ticket:
    """Return the ticket with the target's model and data in its record."""
    return replace(ticket, record={**ticket.record, **target.record()})


def _of_target(train: Trainer, target: End) -> Trainer:
    """Return what trains a ticket as the target's and changes nothing of its record."""

    def trained(ticket: Ticket, fields: Mapping[str, Any]) -> Ticket:
        done = train(_as_target(ticket, target), fields)
        return Ticket(done.masks, done.state, ticket.record)

    return trained


def _found_for(find: Finder, target: End) -> Finder:
    """Return what carries out a recipe toward a ticket of the target."""

    def found(ticket: Ticket, state: Mapping[str, Tensor], recipe: str) -> Ticket:
        return find(_as_target(ticket, target), state, recipe)

    return found


def _wants_run(use: Use, what: str) -> TicketError:
    return TicketError(
        f"strategy '{use.name}' wants {what}; give the run's folder, not the ticket's file alone"
    )


def _check_fits(ticket: Ticket, target: End, strategies: tuple[Use, ...]) -> None:
    """Raise UsageError unless the ticket is one for the target, tensor by tensor."""
    try:
        ticket.apply(target.build())
    except TicketError as problem:
        names = ", ".join(use.name for use in strategies)
        raise UsageError(
            f"strategy {names} gives no ticket for {target.model.name}: {problem}; "
            "a strategy that changes the network, such as elastic, comes first"
        ) from problem
