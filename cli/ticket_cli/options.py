"""Options that several verbs share, and the values that their texts mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from ticket.errors import UsageError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
_FOLDER = click.Path(file_okay=False, path_type=Path)


def together(*options: Decorator) -> Decorator:
    """Join options into one decorator; help lists them in this order."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


data_folder = click.option(
    "--data",
    "data_folder",
    type=_FOLDER,
    envvar="TICKET_DATA",
    default="data",
    help="Folder of the data sets; TICKET_DATA names it too.  [default: ./data]",
)
runs_folder = click.option(
    "--runs",
    "runs_folder",
    type=_FOLDER,
    envvar="TICKET_RUNS",
    default="runs",
    help="Folder of the runs; TICKET_RUNS names it too.  [default: ./runs]",
)
device = click.option(
    "--device", default="auto", help="cpu, cuda, cuda:1; auto takes CUDA if it is there."
)
threads = click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    help="Threads of one training; seeds run side by side.  [default: 1]",
)
debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, help="On a failure, show the Python traceback."
)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
quiet = click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
controls = click.option(
    "--controls",
    metavar="NAME,...",
    default="",
    help="Train these beside the ticket: reinit (same masks, new weights), random (new masks too), "
    "shuffled-mask (masks permuted, same weights), "
    "oneshot (masks of the dense network, trained once), dense, same (trained in full).",
)
teacher = click.option(
    "--teacher",
    metavar="TRAINED",
    help="Learn from the soft labels of this trained network: a file, a run's folder (its dense "
    "network) or a model's name.",
)
seed = click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Seed of all random streams.  [default: 0, or that of the ticket]",
)
replicates = click.option(
    "--replicates",
    type=click.IntRange(min=1),
    default=1,
    metavar="K",
    help="Run K seeds, from --seed on; 3 decide whether a ticket matches.  [default: 1]",
)
common = together(data_folder, runs_folder, device, threads, as_json, quiet, debug_option)

TRAINING = (
    *("epochs", "steps", "optimizer", "lr", "momentum", "weight_decay", "batch_size"),
    *("schedule", "warmup", "patience", "eval_every"),
)
training = together(
    click.option(
        "--epochs",
        type=click.FloatRange(min=0, min_open=True),
        metavar="N",
        help="Length of a training in epochs.",
    ),
    click.option(
        "--steps",
        type=click.IntRange(min=1),
        metavar="N",
        help="Length of a training in iterations.",
    ),
    click.option("--optimizer", metavar="NAME", help="sgd, adam, adamw or a plugin."),
    click.option("--lr", type=float, help="Learning rate."),
    click.option("--momentum", type=float, help="Momentum, for an optimizer that has one."),
    click.option("--weight-decay", type=float, help="L2 penalty on all weights."),
    click.option("--batch-size", type=int, help="Examples a step."),
    click.option("--schedule", metavar="NAME", help="constant, multistep, cosine or a plugin."),
    click.option("--warmup", metavar="LENGTH", help="Linear rise of the rate: 500it, 2ep."),
    click.option("--patience", type=int, help="Stop after so many evaluations without progress."),
    click.option("--eval-every", metavar="LENGTH", help="Validate this often: 100it, 1ep."),
)


def training_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the training that flags change. Raises UsageError for two lengths."""
    names = (
        "optimizer",
        "lr",
        "weight_decay",
        "batch_size",
        "schedule",
        "warmup",
        "patience",
        "eval_every",
    )
    fields = {name: given[name] for name in names if given[name] is not None}
    if given["epochs"] is not None and given["steps"] is not None:
        raise UsageError("--epochs and --steps both give the length; give one")
    if given["epochs"] is not None:
        fields["length"] = f"{given['epochs']:g}ep"
    if given["steps"] is not None:
        fields["length"] = f"{given['steps']}it"
    return fields


def names_in(text: str) -> tuple[str, ...]:
    """Split `reinit,random`."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def rounds_in(text: str | None) -> tuple[int, ...] | None:
    """Split `7,9,12`. Raises UsageError."""
    if text is None:
        return None
    try:
        return tuple(int(part) for part in names_in(text))
    except ValueError:
        raise UsageError(
            f"--control-rounds wants round numbers such as 7,9,12, got '{text}'"
        ) from None


def sparsity_of(sparsity: float | None, density: float | None) -> float | None:
    """Return the sparsity that either flag asks for. Raises UsageError outside 0 to 1."""
    if sparsity is not None and density is not None:
        raise UsageError("--sparsity and --density say the same thing twice; give one")
    for flag, share in (("--sparsity", sparsity), ("--density", density)):
        if share is not None and not 0 < share < 1:
            raise UsageError(f"{flag} wants a number between 0 and 1, both excluded, got {share:g}")
    if density is None:
        return sparsity
    from decimal import Decimal

    return float(1 - Decimal(str(density)))  # 1 - 0.8 in binary is not 0.2
