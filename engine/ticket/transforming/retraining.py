"""A recipe carried out toward a ticket's mask: what turns a random ticket into a winning one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from ticket.bases import basis_of
from ticket.errors import UsageError
from ticket.finding import refuse_distributed, refuse_untaught
from ticket.folder import Folder
from ticket.ladder import ladder
from ticket.loop import execute
from ticket.recipe import recipe_document
from ticket.request import Objects, Request, prepare
from ticket.run import Run
from ticket.task import layers
from ticket.ticket_training import Where, document_of
from ticket.tickets import Ticket, load
from ticket.toward import scope_toward
from ticket.transforming.lineage import iterations
from ticket.watch import interruptible
from ticket.weights import content_hash


def find_toward(
    ticket: Ticket,
    state: Mapping[str, Tensor],
    recipe: str,
    where: Where,
    objects: Objects | None = None,
) -> tuple[Ticket, int]:
    """Return what a recipe finds from the dense `state` toward the ticket's mask, and its iterations.

    The run has the ticket's seed, training, basis and data, so that it is the run that would have found this
    mask by itself. Its `final` phases are left out: they train the ticket, which is another step.
    Raises UsageError when the ticket is dense or the recipe prunes nothing.
    """
    refuse_distributed()
    if ticket.kept == ticket.prunable:
        raise UsageError("the ticket keeps every weight; there is no mask to go toward")
    document = document_of(ticket)
    chosen = recipe_document(recipe)
    if not chosen.get("round"):
        raise UsageError(f"recipe '{recipe}' prunes nothing, so it cannot lead to a mask")
    rounds = chosen.get("rounds") if chosen.get("rate", 0.2) is None else None
    chosen |= {"sparsity": 1 - ticket.kept / ticket.prunable, "rounds": rounds}
    chosen["basis"] = basis_of(ticket.record)  # what the ticket's mask and weights are about
    document["recipe"] = chosen
    document["training"] |= chosen.get("training") or {}
    request = Request(
        document=document,
        data_folder=where.data_folder,
        runs_folder=where.runs_folder,
        seed=ticket.seed,
        device=where.device,
        threads=where.threads,
    )
    prepared = prepare(request, objects)
    refuse_untaught(prepared)
    network = prepared.task.network(ticket.seed, "init")
    found = layers(network, prepared.config.recipe)
    goal = {x.name: ticket.masks.get(x.name, state[x.name].new_ones(x.shape).bool()) for x in found}
    rungs = ladder(prepared.config.recipe, found)
    toward = scope_toward(prepared.config.recipe, found, rungs, goal)
    config = replace(
        prepared.config,
        recipe=replace(toward, final=()),
        weights=content_hash(state),
        toward=content_hash(goal),
    )
    folder = Folder(where.runs_folder / config.run_name())
    with interruptible() as stop:
        run = Run(
            config,
            prepared.task,
            folder,
            where.report,
            stop,
            where.threads,
            "last",
            dict(state),
            toward=goal,
        )
        shown = execute(run)["rounds"]
    return load(folder.ticket), sum(iterations(figures) for figures in shown)
