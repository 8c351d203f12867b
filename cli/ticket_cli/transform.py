"""`ticket transform`: a ticket for one network becomes one for another of the family."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ticket.errors import UsageError
from ticket_cli import options
from ticket_cli.sections import sectioned

if TYPE_CHECKING:
    from ticket.transforming.performing import Transformed

ELASTIC = ("order", "replicate", "drop", "units", "weights")

SECTIONS = {
    "From what to what": ("source", "to", "dataset", "seed", "output", "plan"),
    "How": ("strategies", *ELASTIC, "sets"),
    "Running (for strategies that train)": (
        *("data_folder", "runs_folder", "device", "threads", "as_json", "quiet"),
    ),
}


@click.command(cls=sectioned(SECTIONS))
@options.together(
    click.option(
        "--from",
        "source",
        required=True,
        metavar="TICKET",
        help="A ticket file, a run's folder, or a model's name (the newest ticket found for it).",
    ),
    click.option(
        "--to", metavar="MODEL", help="The target: a model's name or your own file.py:function."
    ),
    click.option("--dataset", metavar="D", help="Another data set, for the target."),
    click.option(
        "--output",
        "-o",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Write the ticket there.  [default: a folder among the runs]",
    ),
    click.option("--plan", is_flag=True, help="Show what would go where; write nothing."),
    click.option(
        "--strategy",
        "strategies",
        metavar="NAME,...",
        default="elastic",
        help="elastic, copy-and-snip, shuffle, random, reinit, rst, unidlth or a plugin; several in turn.  "
        "[default: elastic]",
    ),
    click.option(
        "--order",
        metavar="WORD",
        help="How copies follow each other: append (1 2 1 2), interpolate (1 1 2 2), reverse, shuffle.",
    ),
    click.option(
        "--replicate",
        metavar="WORD",
        help="Which units get one copy more: first, last, uniform, random.",
    ),
    click.option(
        "--drop", metavar="WORD", help="Which units go: inverse, first, last, uniform, random."
    ),
    click.option(
        "--units",
        metavar="LIST",
        help='The source unit of every target unit: "stage2: 0 1 1 2; stage3: 0 1".',
    ),
    click.option(
        "--weights", metavar="WORD", help="move: with the masks; reinit: the masks alone move."
    ),
    click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="A.B=C",
        help="Set an option of a strategy or of the target: elastic.order=append, to.hidden=[300,100].",
    ),
    options.seed,
    options.common,
)
def transform(**given: Any) -> None:
    """Transform a ticket into one for another network.

    \b
    ticket transform --from resnet20 --to resnet56
    ticket transform --from runs/mlp-3-mnist-lth-0123456789 --to mlp-5 --plan

    Masks and start weights of whole units (blocks, layers) move; nothing is pruned or trained again.
    """
    target, dataset, strategies = _asked(given)

    from ticket import api
    from ticket.locate import locate
    from ticket_cli.plan_table import document, print_transformed
    from ticket_cli.progress import shown

    source = locate(given["source"], given["runs_folder"], found=True)
    seeds = [given["seed"] or 0]
    with shown(seeds, quiet=given["quiet"], on_stderr=given["as_json"], idle="") as report:
        done: Transformed = api.transform(
            source,
            target,
            strategy=strategies,
            dataset=dataset,
            seed=given["seed"],
            data_folder=given["data_folder"],
            runs_folder=given["runs_folder"],
            output=given["output"],
            write=not given["plan"],
            device=given["device"],
            threads=given["threads"],
            report=report,
        )
    if given["as_json"]:
        click.echo(document(done, source))
    else:
        print_transformed(done, source)


def _asked(given: dict[str, Any]) -> tuple[Any, Any, list[dict[str, Any]]]:
    """Return target, data set and strategies with their options. Raises UsageError."""
    from ticket.config import parse_set

    names = options.names_in(given["strategies"])
    if not names:
        raise UsageError(
            "--strategy wants a name such as elastic (ticket plugins transforms lists all)"
        )
    uses: dict[str, dict[str, Any]] = {name: {"name": name} for name in names}
    if len(uses) < len(names):
        raise UsageError(f"--strategy names {', '.join(names)}: each strategy once")
    flags = {name: given[name] for name in ELASTIC if given[name] is not None}
    if flags:
        uses.get("elastic", uses[names[0]]).update(flags)
    target: dict[str, Any] = {"name": given["to"]} if given["to"] else {}
    dataset: dict[str, Any] = {"name": given["dataset"]} if given["dataset"] else {}
    owners = {**uses, "to": target, "dataset": dataset}
    for path, value in map(parse_set, given["sets"]):
        owner, _, option = path.rpartition(".")
        if not option or not owners.get(owner):
            known = ", ".join(name for name, fields in owners.items() if fields)
            raise UsageError(f"--set {path}: a path starts with one of {known}")
        owners[owner][option] = value
    if not target and not dataset and "elastic" in uses and not flags:
        raise UsageError("say what to transform the ticket to, such as --to resnet56")
    return target or None, dataset or None, list(uses.values())
