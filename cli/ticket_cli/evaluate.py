"""`ticket eval`: loss and accuracy of a trained ticket."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ticket_cli import options


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
    score = api.evaluate(
        path, part=part, data_folder=data_folder, device=device, exported=exported, threads=threads
    )
    if as_json:
        document = {
            "ticket": str(path),
            **({"exported": str(exported)} if exported else {}),
            "part": part,
            "loss": score.loss,
            "accuracy": score.accuracy,
        }
        click.echo(json.dumps(document))
    else:
        click.echo(
            f"{exported or path}\n{part} accuracy {100 * score.accuracy:.2f} %, loss {score.loss:.4f}"
        )
