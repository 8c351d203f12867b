"""`ticket train`: train a ticket from its own start weights."""

from __future__ import annotations

from typing import Any

import click

from ticket_cli import options
from ticket_cli.sections import sectioned

SECTIONS = {
    "Training (the ticket's record says what is not given)": options.TRAINING,
    "Seeds and controls": ("seed", "replicates", "controls"),
    "Running": ("data_folder", "runs_folder", "device", "threads", "as_json", "quiet"),
}


@click.command(cls=sectioned(SECTIONS))
@click.argument("ticket")
@options.together(
    options.training, options.seed, options.replicates, options.controls, options.common
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
                    data_folder=given["data_folder"],
                    runs_folder=given["runs_folder"],
                    training=fields,
                    device=given["device"],
                    threads=given["threads"],
                    report=report,
                )
            )
    print_trained(findings, as_json=given["as_json"])
