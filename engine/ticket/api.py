"""The Python door: find, train and evaluate tickets; all that the command line calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from ticket.arguments import Model, objects_of, own_teacher, read_ticket, target, teacher_file
from ticket.assessment import Assessment, assess, reestimate
from ticket.benching.exported import exported_from
from ticket.dataset import DataSet
from ticket.errors import UsageError
from ticket.exporting.export import Asked as ExportAsked
from ticket.exporting.export import Written
from ticket.exporting.export import export as export_ticket
from ticket.exporting.exported import check_exporter
from ticket.finding import Finding, find_one
from ticket.folder import Folder
from ticket.request import Request, prepare
from ticket.ticket_training import Where, document_of, train_ticket
from ticket.tickets import Ticket, load
from ticket.transforming import lineage
from ticket.transforming.examples import training_examples
from ticket.transforming.performing import Asked, Transformed, perform
from ticket.transforming.retraining import find_toward
from ticket.transforming.writing import write_file, write_folder
from ticket.uses import asked_use
from ticket.watch import Report, silent

Strategy = str | Mapping[str, Any]


def find(
    model: Model,
    data: str | DataSet,
    recipe: str = "lth",
    *,
    sparsity: float | None = None,
    rounds: int | None = None,
    seed: int = 0,
    controls: tuple[str, ...] = (),
    teacher: str | Path | None = None,
    data_folder: str | Path = "data",
    runs_folder: str | Path = "runs",
    training: Mapping[str, Any] | None = None,
    sets: Mapping[str, Any] | None = None,
    report: Report = silent,
) -> Finding:
    """Find a ticket for a model and a data set by a recipe (a name or a YAML file).

    `model`: a registered name, a function that builds the network, or a network, whose weights are then
    the initial ones. `training`: fields of the training (`lr`, `length`, ...); `sets`: any field, by
    path. `teacher`: a trained network's file or run, for a recipe that learns from one, in place of its
    own dense network. The run lies in `runs_folder`; the same call continues it, or reads what it found.
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
        teacher=teacher_file(teacher, runs_folder),
    )
    return find_one(request, objects_of(model, data), report)


def train(
    ticket: str | Path | Ticket,
    model: nn.Module | Callable[..., nn.Module] | None = None,
    data: DataSet | None = None,
    *,
    seed: int | None = None,
    controls: tuple[str, ...] = (),
    teacher: str | Path | None = None,
    data_folder: str | Path = "data",
    runs_folder: str | Path = "runs",
    training: Mapping[str, Any] | None = None,
    device: str = "auto",
    threads: int = 1,
    report: Report = silent,
) -> Finding:
    """Train a ticket as its record says, from its own start weights, and write `trained.safetensors`.

    Model and data set come from the record unless they are given. With a `teacher` (a trained network's
    file or run) it learns from soft labels; a ticket that was found so has its run's own teacher.
    Raises TicketError.
    """
    found, sha256 = read_ticket(ticket)
    return train_ticket(
        found,
        sha256,
        Where(Path(data_folder), Path(runs_folder), device, threads, report),
        objects=objects_of(model, data),
        seed=seed,
        controls=controls,
        training=training,
        teacher=teacher_file(teacher, runs_folder),
        own_teacher=own_teacher(ticket),
    )


def transform(
    ticket: str | Path | Ticket,
    to: str | Mapping[str, Any] | Callable[..., nn.Module] | None = None,
    *,
    strategy: Strategy | Sequence[Strategy] = "elastic",
    dataset: str | Mapping[str, Any] | DataSet | None = None,
    model: Callable[..., nn.Module] | None = None,
    seed: int | None = None,
    data_folder: str | Path = "data",
    runs_folder: str | Path = "runs",
    output: str | Path | None = None,
    write: bool = True,
    device: str = "auto",
    threads: int = 1,
    report: Report = silent,
) -> Transformed:
    """Make a ticket for another network of the family, or another one for the same network.

    `to`: a registered model (a name, or name and options) or a function that builds the network;
    `strategy`: a transform's name, `{"name": ..., option: ...}`, or several in turn. `model` builds
    the ticket's own network where no name does. The result lies in a folder of `runs_folder`, or is
    the file `output`; its `path` says where. Raises TicketError, and then nothing is written.
    """
    found, sha256 = read_ticket(ticket)
    several = [strategy] if isinstance(strategy, str | Mapping) else list(strategy)
    asked = Asked(
        tuple(asked_use("transforms", one) for one in several),
        asked_use("models", to) if isinstance(to, str | Mapping) else to,
        asked_use("datasets", dataset) if isinstance(dataset, str | Mapping) else dataset,
        seed,
        Path(data_folder),
        model,
    )
    where = Where(Path(data_folder), Path(runs_folder), device, threads, report)
    objects = objects_of(
        model if to is None else to if callable(to) else None,
        dataset if isinstance(dataset, DataSet) else None,
    )
    spent: list[int] = []

    def trained(start: Ticket, fields: Mapping[str, Any]) -> Ticket:
        if not write:
            raise UsageError("a strategy that trains writes a run, so it cannot just be planned")
        finding = train_ticket(
            start,
            start.identity(),
            where,
            objects=objects,
            training=fields,
            own_teacher=own_teacher(ticket),
        )
        spent.append(sum(lineage.iterations(figures) for figures in finding.rounds))
        return load(Folder(finding.folder).trained)

    def found_toward(start: Ticket, state: Mapping[str, torch.Tensor], recipe: str) -> Ticket:
        if not write:
            raise UsageError("a strategy that trains writes a run, so it cannot just be planned")
        result, iterations = find_toward(start, state, recipe, where, objects)
        spent.append(iterations)
        return result

    folder = None if isinstance(ticket, Ticket) else Path(ticket).parent
    run = folder if folder is not None and Folder(folder).finished else None
    before = torch.get_num_threads()
    torch.set_num_threads(threads)  # of small tensors; more threads would only wait for each other
    try:
        read = partial(training_examples, where=where, objects=objects)
        done = perform(asked, found, sha256, run, trained, found_toward, read)
    finally:
        torch.set_num_threads(before)
    done = replace(done, iterations=sum(spent))
    if not write:
        return done
    path = (
        write_folder(done, Path(runs_folder)) if output is None else write_file(done, Path(output))
    )
    return replace(done, path=path)


def export(
    ticket: str | Path | Ticket,
    path: str | Path,
    format: str | Mapping[str, Any] = "native",
    *,
    model: Callable[..., nn.Module] | None = None,
    data: DataSet | None = None,
    values: str = "fp32",
    normalize: bool = False,
    batch: int = 0,
    force: bool = False,
    data_folder: str | Path = "data",
) -> Written:
    """Write a trained ticket as a file to ship: `native`, `torchscript`, `pt2` or `safetensors`.

    `ticket` is a `trained.safetensors`. `values` (fp32, fp16, bf16) is how the file holds the weights;
    `normalize` lets it take raw pixels; `batch` fixes the number of images. What is written was compared
    with PyTorch first. Raises TicketError, and then nothing is written.
    """
    use = asked_use("exporters", format)
    check_exporter(use)
    found, sha256 = read_ticket(ticket)
    return export_ticket(
        found,
        sha256,
        ExportAsked(
            use, Path(path), values, normalize, batch, force, Path(data_folder), model, data
        ),
    )


def evaluate(
    ticket: str | Path | Ticket,
    model: nn.Module | Callable[..., nn.Module] | None = None,
    data: DataSet | None = None,
    *,
    part: str = "test",
    reestimate_batchnorm: bool = False,
    data_folder: str | Path = "data",
    device: str = "auto",
    exported: str | Path | None = None,
    threads: int = 1,
) -> Assessment:
    """Evaluate the weights in a ticket's file on the `test`, `validation` or `train` part.

    Of a `trained.safetensors` this is the accuracy that its run reported. With `reestimate_batchnorm`
    the running statistics are first taken anew from the training set. `exported` is a file that was
    exported from it, to be run in its place on the CPU, on `threads`. Raises TicketError.
    """
    if exported is not None and reestimate_batchnorm:
        raise UsageError(
            "an exported network has no BatchNorm left to estimate; leave out one of both"
        )
    found, sha256 = read_ticket(ticket)
    seed = found.seed
    device = device if exported is None else "cpu"
    document = document_of(found)
    request = Request(document=document, data_folder=Path(data_folder), seed=seed, device=device)
    prepared = prepare(request, objects_of(model, data))
    if exported is None:
        network = prepared.task.network(seed, "init")
        found.apply(network)
    else:
        network = exported_from(Path(exported), sha256, threads)
    splits = prepared.task.splits(seed)
    parts = {"test": splits.test, "validation": splits.validation, "train": splits.train}
    if part not in parts:
        raise UsageError(f"part wants {', '.join(parts)}, got '{part}'")
    if reestimate_batchnorm:
        reestimate(network, splits.train)
    return assess(network, parts[part], prepared.task.data.classes)


def held(ticket: Ticket, model: nn.Module, optimizer: Optimizer) -> AbstractContextManager[None]:
    """Hold the ticket's masks in your own training loop: after every `optimizer.step()` in the block."""
    return ticket.held(model, optimizer)
