"""The elastic lottery ticket: a ticket for one depth of a family becomes one for another depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from ticket.errors import UsageError
from ticket.network import shapes_of
from ticket.tickets import Ticket
from ticket.transforming import Given
from ticket.transforming.anatomy import Anatomy, anatomy
from ticket.transforming.moves import carry, check_family, moves
from ticket.values import closest
from ticket_plugins.transforms.mapping import Drop, Order, Replicate, assign
from ticket_plugins.transforms.options import PerStage, UnitLists, of_stage

# One word, or a word by stage.
Orders = Annotated[Order | Mapping[str, Order], PerStage(Order, "append")]
Replicates = Annotated[Replicate | Mapping[str, Replicate], PerStage(Replicate, "first")]
Drops = Annotated[Drop | Mapping[str, Drop], PerStage(Drop, "inverse")]
Lists = Annotated[Mapping[str, Sequence[int]] | None, UnitLists()]


def elastic(
    ticket: Ticket,
    given: Given,
    *,
    order: Orders = "append",
    replicate: Replicates = "first",
    drop: Drops = "inverse",
    units: Lists = None,
    weights: Literal["move", "reinit"] = "move",
) -> Ticket:
    """Repeat or drop whole units of every stage: masks, rewound weights, BatchNorm, statistics.

    Elastic ticket transformation (Chen et al. 2021, arXiv 2103.16547, section 3). `order`,
    `replicate` and `drop` are those of `mapping.assign`, one word or `{stage: word}`; the defaults are
    the paper's best. `units` gives stages an explicit list instead: the source unit of every target
    unit, `{stage2: [0, 1, 1, 2]}`, the first one 0. With `weights="reinit"` only the masks move.
    Raises UsageError when the networks are of two families, or an option fits neither of them.
    """
    name = str((ticket.record.get("model") or {}).get("name", "the ticket's network"))
    network = given.fresh()
    source = anatomy(given.own(), name)
    target = anatomy(network, given.name or name)
    lists = units or {}
    words: dict[str, object] = {"order": order, "replicate": replicate, "drop": drop}
    for option, value in (*words.items(), ("units", lists)):
        _check_stages(option, value, target)
    check_family(source, target)
    chosen: dict[str, Sequence[int]] = {}
    for stage, ours in target.stages.items():
        if stage in lists:
            _check_list(stage, lists[stage], source, target)
            _check_alone(stage, words)
            chosen[stage] = lists[stage]
            continue
        chosen[stage] = assign(
            len(source.stages[stage]),
            len(ours),
            order=of_stage(order, stage, "append"),
            replicate=of_stage(replicate, stage, "first"),
            drop=of_stage(drop, stage, "inverse"),
            generator=given.generator,
        )
    return carry(ticket, network, moves(source, target, chosen, given.new), weights)


def fitted(ticket: Ticket, given: Given) -> Ticket:
    """Return the ticket as it is where it is for the network of `given`, else what `elastic` makes."""
    if shapes_of(given.fresh()) == {name: tensor.shape for name, tensor in ticket.state.items()}:
        return ticket
    return elastic(ticket, given)


def _check_stages(option: str, value: object, target: Anatomy) -> None:
    """Raise UsageError for a stage that is not there."""
    for stage in value if isinstance(value, Mapping) else ():
        if stage not in target.stages:
            known = closest(stage, target.stages) or f"; it has {', '.join(target.stages)}"
            raise UsageError(f"elastic: {option} names '{stage}', no stage of {target.name}{known}")


def _check_alone(stage: str, words: Mapping[str, object]) -> None:
    """Raise UsageError when a word is given for a stage that has an explicit list."""
    for option, value in words.items():
        if isinstance(value, Mapping) and stage in value:
            raise UsageError(
                f"elastic: {stage} has a list of units, so {option} of {stage} means nothing; "
                "leave one out"
            )


def _check_list(stage: str, units: Sequence[int], source: Anatomy, target: Anatomy) -> None:
    """Raise UsageError unless the list gives every target unit a source, and leaves none out."""
    theirs, ours = len(source.stages[stage]), len(target.stages[stage])
    if len(units) < ours:
        raise UsageError(
            f"elastic: units of {stage} leaves unit {len(units)} of {target.name} without a source; "
            f"{stage} has {ours} units, the list {len(units)}"
        )
    if len(units) > ours:
        raise UsageError(
            f"elastic: units of {stage} has a source for unit {ours}, which {target.name} has not; "
            f"{stage} has {ours} units, the list {len(units)}"
        )
    for unit in units:
        if not 0 <= unit < theirs:
            raise UsageError(
                f"elastic: units of {stage} names unit {unit}; {source.name} has 0 to {theirs - 1}"
            )
    if [unit == 0 for unit in units] != [True] + [False] * (ours - 1):
        raise UsageError(f"elastic: units of {stage} must name unit 0 once, first: it is invariant")
    left = sorted(set(range(theirs)) - set(units))
    if ours >= theirs and left:
        raise UsageError(
            f"elastic: units of {stage} leaves out unit {left[0]} of {source.name}; "
            f"{ours} units have room for all {theirs}"
        )
