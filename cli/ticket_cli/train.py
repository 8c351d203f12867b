"""`ticket train`: train a ticket from its own start weights."""

from __future__ import annotations

from typing import Any

import click

from ticket.errors import UsageError
from ticket_cli import options
from ticket_cli.sections import sectioned

SECTIONS = {
    "Training (the ticket's record says what is not given)": options.TRAINING,
    "Soft labels": ("teacher", "temperature", "mixture"),
    "Seeds and controls": ("seed", "replicates", "controls"),
    "Running": ("data_folder", "runs_folder", "device", "threads", "as_json", "quiet"),
}


@click.command(cls=sectioned(SECTIONS))
@click.argument("ticket")
@options.together(
    options.training,
    options.teacher,
    click.option("--temperature", type=float, help="Of the soft labels.  [default: 4]"),
    click.option(
        "--mixture", type=float, help="Share of the soft labels in the loss, 0 to 1.  [default: 1]"
    ),
    options.seed,
    options.replicates,
    options.controls,
    options.common,
)
def train(**given: Any) -> None:
    """Train a ticket and write trained.safetensors.

    TICKET is a ticket file, a run's folder, or a model's name (the newest ticket found for it).
    Masks and start weights come from the ticket; the seed, its own by default, orders the examples.
    """
    fields = options.training_fields(given)

    from ticket import api, tickets
    from ticket.locate import locate
    from ticket_cli.progress import shown
    from ticket_cli.results import print_trained

    path = locate(given["ticket"], given["runs_folder"])
    ticket = tickets.load(path)
    if given["momentum"] is not None:
        optimizer = fields.get("optimizer") or ticket.record.get("training", {}).get(
            "optimizer", "sgd"
        )
        name = optimizer if isinstance(optimizer, str) else optimizer["name"]
        fields["optimizer"] = {"name": name, "momentum": given["momentum"]}
    soft = {name: given[name] for name in ("temperature", "mixture") if given[name] is not None}
    if soft and given["teacher"] is None:
        raise UsageError(f"--{next(iter(soft))} is about soft labels; say whose with --teacher")
    if soft:
        fields["loss"] = {"name": "distillation", **soft}
    seed = given["seed"]
    first = ticket.seed if seed is None else seed
    findings = []
    seeds = range(first, first + given["replicates"])
    with shown(seeds, quiet=given["quiet"], on_stderr=given["as_json"]) as report:
        for each in seeds:
            findings.append(
                api.train(
                    path,
                    seed=each,
                    controls=options.names_in(given["controls"]),
                    teacher=given["teacher"],
                    data_folder=given["data_folder"],
                    runs_folder=given["runs_folder"],
                    training=fields,
                    device=given["device"],
                    threads=given["threads"],
                    report=report,
                )
            )
    print_trained(findings, as_json=given["as_json"])
