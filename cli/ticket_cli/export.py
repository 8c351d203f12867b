"""`ticket export`: a trained ticket becomes a file to ship, checked against PyTorch first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ticket.errors import UsageError
from ticket_cli import options

ENDINGS = {"native": "tkt", "torchscript": "pt", "pt2": "pt2", "safetensors": "safetensors"}


@click.command()
@click.argument("ticket")
@options.together(
    click.option(
        "--format",
        "-f",
        metavar="NAME",
        default="native",
        help="native (C++ without torch), torchscript, pt2, safetensors (dense weights) or a plugin.  "
        "[default: native]",
    ),
    click.option(
        "--output",
        "-o",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write it there.  [default: MODEL.tkt, .pt, .pt2 or .safetensors here]",
    ),
    click.option("--force", is_flag=True, help="Replace the file if it is there."),
    click.option(
        "--bundle",
        is_flag=True,
        help="Put the operator library beside it; who loads it needs no ticket then.",
    ),
    click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="A=B",
        help="Set another option of the exporter.",
    ),
    click.option(
        "--values",
        metavar="TYPE",
        default="fp32",
        help="How the file holds the weights: fp32, fp16, bf16; it computes in fp32.  [default: fp32]",
    ),
    click.option(
        "--normalize",
        is_flag=True,
        help="Put the data set's normalisation in: the file takes pixels as they are stored.",
    ),
    click.option(
        "--batch",
        type=click.IntRange(min=1),
        metavar="N",
        help="Fix the number of images a call.  [default: any number]",
    ),
    click.option(
        "--threads",
        type=click.IntRange(min=1),
        metavar="N",
        help="Most threads of a call, where the file says it.  [default: 1]",
    ),
    click.option("--layers", is_flag=True, help="A line for every layer, however many there are."),
    options.data_folder,
    options.runs_folder,
    options.as_json,
    options.debug_option,
)
def export(**given: Any) -> None:
    """Export a trained ticket: one file for Python or C++.

    \b
    ticket export lenet-300-100 --format torchscript --bundle
    ticket export runs/resnet20-cifar10-lth-0123456789 -o resnet20.tkt --normalize

    TICKET is a trained.safetensors, a run's folder, or a model's name (the newest ticket for it).
    """
    from ticket.uses import asked_use

    asked: dict[str, Any] = {"name": given["format"], **_options(given)}
    asked_use("exporters", asked)  # a mistake is told before anything is read

    from ticket import api
    from ticket.locate import locate
    from ticket_cli.export_report import document, print_written

    ticket = locate(given["ticket"], given["runs_folder"], trained=True)
    path = given["output"] or Path(_default_name(ticket, given["format"]))
    written = api.export(
        ticket,
        path,
        asked,
        values=given["values"],
        normalize=given["normalize"],
        batch=given["batch"] or 0,
        force=given["force"],
        data_folder=given["data_folder"],
    )
    if given["as_json"]:
        click.echo(json.dumps(document(written, ticket, given), indent=1))
    else:
        print_written(written, ticket, given["layers"])


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """Return the exporter's options that flags give. Raises UsageError for a twofold one."""
    from ticket.config import parse_set

    found = {name: given[name] for name in ("threads", "bundle") if given[name]}
    for name, value in map(parse_set, given["sets"]):
        if name in found or name == "name":
            raise UsageError(f"--set {name} is said already; give it once")
        found[name] = value
    return found


def _default_name(ticket: Path, form: str) -> str:
    """Return the model's name with the format's ending. Raises TicketError for no ticket."""
    from ticket.config import short
    from ticket.ticket_file import read_record

    model = read_record(ticket).get("model")
    name = model.get("name") if isinstance(model, dict) else model
    return f"{short(str(name))}.{ENDINGS.get(form, short(form))}"
