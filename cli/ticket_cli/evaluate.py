"""`ticket eval`: loss and accuracy of a trained ticket."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ticket_cli import options
from ticket_cli.console import print_table


@click.command("eval")
@click.argument("ticket")
@options.together(
    click.option(
        "--part",
        type=click.Choice(["test", "validation", "train"]),
        default="test",
        help="Which examples.  [default: test]",
    ),
    click.option(
        "--exported",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Run this file, exported from the ticket, in its place.",
    ),
    click.option("--per-class", is_flag=True, help="Show the accuracy on each class, too."),
    click.option(
        "--reestimate-batchnorm",
        is_flag=True,
        help="First take BatchNorm's running statistics anew from the training set.",
    ),
    options.data_folder,
    options.runs_folder,
    options.device,
    options.threads,
    options.as_json,
    options.debug_option,
)
def evaluate(
    ticket: str,
    part: str,
    per_class: bool,
    reestimate_batchnorm: bool,
    exported: Path | None,
    data_folder: Path,
    runs_folder: Path,
    device: str,
    threads: int,
    as_json: bool,
) -> None:
    """Evaluate a trained ticket.

    TICKET is a file, a run's folder (its trained.safetensors), or a model's name (the newest run).
    """
    import torch

    from ticket import api
    from ticket.locate import locate

    torch.set_num_threads(
        threads
    )  # as the run did, so that the figures are the same to the last bit
    path = locate(ticket, runs_folder, trained=True)
    found = api.evaluate(
        path,
        part=part,
        reestimate_batchnorm=reestimate_batchnorm,
        data_folder=data_folder,
        device=device,
        exported=exported,
        threads=threads,
    )
    if as_json:
        document = {
            "ticket": str(path),
            **({"exported": str(exported)} if exported else {}),
            "part": part,
            "loss": found.loss,
            "accuracy": found.accuracy,
            "per_class": dict(found.per_class),
            "calibration_error": found.calibration_error,
            "batchnorm": "reestimated" if reestimate_batchnorm else "as trained",
        }
        click.echo(json.dumps(document))
    else:
        click.echo(
            f"{exported or path}\n{part} accuracy {100 * found.accuracy:.2f} %, loss {found.loss:.4f}, "
            f"calibration error {100 * found.calibration_error:.2f} %"
        )
        if per_class:
            rows = [[name, _percent(share)] for name, share in found.per_class.items()]
            print_table(("class", "accuracy %"), rows, left=("class",))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"
