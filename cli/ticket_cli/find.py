"""`ticket find`: find a ticket by a method, for one seed or several."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ticket.errors import UsageError
from ticket_cli import options
from ticket_cli.sections import sectioned

if TYPE_CHECKING:
    from ticket.request import Request

SECTIONS = {
    "What to find": (
        *("method", "config", "model", "dataset", "weights", "teacher", "sparsity", "density"),
        *("rounds", "rate", "scope", "rewind", "sets"),
    ),
    "Training (the model, the data set and the recipe say what is not given)": options.TRAINING,
    "Seeds and controls": ("seed", "replicates", "controls", "control_rounds"),
    "Running": (
        *("data_folder", "runs_folder", "device", "threads", "keep", "fresh", "dry_run"),
        *("as_json", "quiet"),
    ),
}


@click.command(cls=sectioned(SECTIONS))
@options.together(
    click.option(
        "--method", metavar="M", help="A recipe's name, or a YAML file: lth, unilth, dense."
    ),
    click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="A whole run, as its config.yaml records it, in place of --method.",
    ),
    click.option(
        "--model",
        metavar="N",
        help="A model's name or your own file.py:function.  [default: lenet-300-100]",
    ),
    click.option(
        "--dataset",
        metavar="D",
        help="A data set's name or your own file.py:function.  [default: digits]",
    ),
    click.option(
        "--weights",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Start from these trained weights instead of random ones.",
    ),
    options.teacher,
    click.option("--sparsity", type=float, help="Share of the prunable weights to remove, 0 to 1."),
    click.option("--density", type=float, help="Share to keep; 1 - sparsity."),
    click.option("--rounds", type=click.IntRange(min=0), metavar="N", help="Number of cuts."),
    click.option("--rate", type=float, help="Share of the survivors a round removes, everywhere."),
    click.option("--scope", metavar="S", help="Where scores compete: global, layer, uniform, erk."),
    click.option(
        "--rewind", metavar="TO", help="Where survivors return to: 0it, 500it, 2ep, none."
    ),
    click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="A.B=C",
        help="Set any field that --dry-run shows: recipe.round.0.train.patience=5.",
    ),
    options.training,
    options.seed,
    options.replicates,
    options.controls,
    click.option(
        "--control-rounds",
        metavar="R,...",
        help="Rounds that controls start from.  [default: last]",
    ),
    click.option(
        "--keep",
        type=click.Choice(["tickets", "all", "last"]),
        default="tickets",
        help="Files of the rounds that stay: tickets, all (trained weights too), last.",
    ),
    click.option("--fresh", is_flag=True, help="Set an earlier run aside and start again."),
    click.option("--dry-run", is_flag=True, help="Show what would be done; write nothing."),
    options.common,
)
def find(**given: Any) -> None:
    """Find a winning ticket.

    \b
    ticket find --method unilth                          on the bundled data
    ticket find --method lth --dataset mnist --replicates 3 --controls reinit,random

    The same command continues an interrupted run and shows a finished one.
    """
    request = request_of(given)
    from ticket.finding import refuse_distributed, seeds_of

    refuse_distributed()
    requests = seeds_of(request, given["replicates"])
    if given["dry_run"]:
        from ticket_cli.dry_run import show_plan

        show_plan(requests, as_json=given["as_json"])
        return
    from ticket.finding import fresh
    from ticket.replicates import find_all
    from ticket_cli.progress import shown
    from ticket_cli.results import print_finding

    for one in requests if given["fresh"] else []:
        aside = fresh(one)
        if aside is not None:
            click.echo(f"The earlier run is kept as {aside}", err=given["as_json"])
    seeds = [one.seed for one in requests]
    with shown(seeds, quiet=given["quiet"], on_stderr=given["as_json"]) as report:
        findings = find_all(requests, report)
    print_finding(findings, as_json=given["as_json"])


def request_of(given: dict[str, Any]) -> Request:
    """Turn flags into a request. Raises UsageError for flags that contradict each other."""
    if (given["method"] is None) == (given["config"] is None):
        raise UsageError(
            "give --method (such as unilth or lth) or --config, not both"
            if given["method"]
            else "say how to find it, such as --method unilth (ticket plugins recipes lists all)"
        )
    if given["control_rounds"] and not given["controls"]:
        raise UsageError("--control-rounds says where controls start; name them with --controls")
    sparsity = options.sparsity_of(given["sparsity"], given["density"])
    training = options.training_fields(given)
    recipe = {"rate": given["rate"], "rates": "same"} if given["rate"] is not None else {}
    if given["scope"] is not None:
        recipe["scope"] = given["scope"]

    from ticket.arguments import target, teacher_file
    from ticket.config import parse_set
    from ticket.request import Request

    sets = [parse_set(text) for text in given["sets"]]
    if given["momentum"] is not None:
        sets.append(("training.optimizer.momentum", given["momentum"]))
    document = _document(given) if given["config"] else None
    return Request(
        method=given["method"] or "",
        document=document,
        model=given["model"],
        dataset=given["dataset"],
        data_folder=given["data_folder"],
        runs_folder=given["runs_folder"],
        recipe={**recipe, **target(sparsity, given["rounds"])},
        training=training,
        rewind=given["rewind"],
        sets=tuple(sets),
        seed=document["seed"] if document else given["seed"] or 0,
        weights=given["weights"],
        teacher=teacher_file(given["teacher"], given["runs_folder"]),
        device=given["device"],
        threads=given["threads"],
        controls=options.names_in(given["controls"]),
        control_rounds=options.rounds_in(given["control_rounds"]),
        keep=given["keep"],
    )


def _document(given: dict[str, Any]) -> dict[str, Any]:
    """Read a recorded run. Raises UsageError for one that flags contradict or must complete."""
    from ticket.config import from_yaml

    path: Path = given["config"]
    document = from_yaml(path.read_text(encoding="utf-8"), str(path))
    if document.get("start"):
        raise UsageError(f"{path} records a `ticket train` run; give its ticket to `ticket train`")
    if document.get("weights") and given["weights"] is None:
        raise UsageError(f"{path} starts from trained weights; give their file with --weights")
    if document.get("teacher") and given["teacher"] is None:
        raise UsageError(f"{path} learns from a given teacher; give its file with --teacher")
    for part in ("model", "dataset"):
        if given[part] is not None:
            document[part] = given[part]
    seed = given["seed"] if given["seed"] is not None else document.get("seed", 0)
    return {**document, "seed": seed}
