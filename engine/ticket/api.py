"""The Python door: find, train and evaluate tickets; all that the command line calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

from ticket.batches import Examples
from ticket.controls import run_control
from ticket.dataset import DataSet
from ticket.errors import UsageError
from ticket.evaluation import Score
from ticket.evaluation import evaluate as evaluate_on
from ticket.files import digest
from ticket.finding import Finding, check_request, find_one, refuse_distributed
from ticket.folder import Folder
from ticket.loop import execute
from ticket.request import Objects, Request, prepare
from ticket.run import Run
from ticket.tickets import Ticket, load
from ticket.watch import Report, interruptible, silent

Model = str | nn.Module | Callable[..., nn.Module]


def find(
    model: Model,
    data: str | DataSet,
    recipe: str = "lth",
    *,
    sparsity: float | None = None,
    rounds: int | None = None,
    seed: int = 0,
    controls: tuple[str, ...] = (),
    data_folder: str | Path = "data",
    runs_folder: str | Path = "runs",
    training: Mapping[str, Any] | None = None,
    sets: Mapping[str, Any] | None = None,
    report: Report = silent,
) -> Finding:
    """Find a ticket for a model and a data set by a recipe (a name or a YAML file).

    `model`: a registered name, a function that builds the network, or a network, whose weights are then
    the initial ones. `training`: fields of the training (`lr`, `length`, ...); `sets`: any field, by
    path. The run lies in `runs_folder`; the same call continues it, or reads what it found.
    Raises TicketError.
    """
    request = Request(
        method=recipe,
        model=model if isinstance(model, str) else None,
        dataset=data if isinstance(data, str) else None,
        data_folder=Path(data_folder),
        runs_folder=Path(runs_folder),
        recipe=target(sparsity, rounds),
        training=training or {},
        sets=tuple((sets or {}).items()),
        seed=seed,
        controls=controls,
    )
    return find_one(request, _objects(model, data), report)


def target(sparsity: float | None, rounds: int | None) -> dict[str, Any]:
    """Return the recipe fields that say how far to prune; one alone replaces what the recipe says."""
    if sparsity is None and rounds is None:
        return {}
    if sparsity is not None and rounds is not None:
        return {"sparsity": sparsity, "rounds": rounds}
    return {"sparsity": sparsity} if rounds is None else {"rounds": rounds}


def _objects(model: Model | None, data: str | DataSet | None) -> Objects | None:
    objects = Objects(
        None if isinstance(model, str) else model, None if isinstance(data, str) else data
    )
    return None if objects == Objects() else objects


def train(
    ticket: str | Path | Ticket,
    model: nn.Module | Callable[..., nn.Module] | None = None,
    data: DataSet | None = None,
    *,
    seed: int | None = None,
    controls: tuple[str, ...] = (),
    data_folder: str | Path = "data",
    runs_folder: str | Path = "runs",
    training: Mapping[str, Any] | None = None,
    device: str = "auto",
    threads: int = 1,
    report: Report = silent,
) -> Finding:
    """Train a ticket as its record says, from its own start weights, and write `trained.safetensors`.

    Model and data set come from the record unless they are given. Raises TicketError.
    """
    refuse_distributed()
    found = ticket if isinstance(ticket, Ticket) else load(Path(ticket))
    request = Request(
        document=document_of(found),
        data_folder=Path(data_folder),
        runs_folder=Path(runs_folder),
        training=training or {},
        seed=int(found.record["seeds"]["seed"]) if seed is None else seed,
        controls=controls,
        device=device,
        threads=threads,
        start=_identity(ticket),
    )
    check_request(request)
    prepared = prepare(request, _objects(model, data))
    folder = Folder(request.runs_folder / prepared.config.run_name())
    with interruptible() as stop:
        run = Run(
            prepared.config, prepared.task, folder, report, stop, threads, "last", start=found
        )  # fmt: skip
        rounds = execute(run)["rounds"]
        trained = [run_control(run, name, 0) for name in controls]
    dense = next((c["trainings"][-1] for c in trained if c["control"] == "dense"), None)
    return Finding(folder.path, prepared.config.seed, rounds, trained, dense)


def _identity(ticket: str | Path | Ticket) -> str:
    if isinstance(ticket, Ticket):
        return ticket.identity()
    return digest(Path(ticket))


def document_of(ticket: Ticket) -> dict[str, Any]:
    """Return the run that a ticket records, as a document. Raises UsageError when it records none."""
    record = ticket.record
    missing = [name for name in ("model", "dataset", "training", "recipe") if name not in record]
    if missing:
        raise UsageError(
            f"the ticket does not record its {', '.join(missing)}; give them in Python"
        )
    model = record["model"]
    return {
        "model": {"name": model["name"], **model["options"]},
        "dataset": record["dataset"],
        "training": dict(record["training"]),
        "recipe": dict(record["recipe"]),
    }


def evaluate(
    ticket: str | Path | Ticket,
    model: nn.Module | Callable[..., nn.Module] | None = None,
    data: DataSet | None = None,
    *,
    part: str = "test",
    data_folder: str | Path = "data",
    device: str = "auto",
) -> Score:
    """Evaluate the weights in a ticket's file on the `test`, `validation` or `train` part.

    Of a `trained.safetensors` this is the accuracy that its run reported. Raises TicketError.
    """
    found = ticket if isinstance(ticket, Ticket) else load(Path(ticket))
    seed = int(found.record.get("seeds", {}).get("seed", 0))
    document = document_of(found)
    request = Request(document=document, data_folder=Path(data_folder), seed=seed, device=device)
    prepared = prepare(request, _objects(model, data))
    network = prepared.task.network(seed, "init")
    found.apply(network)
    splits = prepared.task.splits(seed)
    parts: dict[str, Examples] = {
        "test": splits.test, "validation": splits.validation, "train": splits.train
    }  # fmt: skip
    if part not in parts:
        raise UsageError(f"part wants {', '.join(parts)}, got '{part}'")
    return evaluate_on(network, parts[part])


def held(ticket: Ticket, model: nn.Module, optimizer: Optimizer) -> AbstractContextManager[None]:
    """Hold the ticket's masks in your own training loop: after every `optimizer.step()` in the block."""
    return ticket.held(model, optimizer)
