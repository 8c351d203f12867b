"""What `show` and `compare` print of analyses: paths through a ticket, distances, masks and signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ticket.errors import TicketError, UsageError
from ticket_cli.console import print_table

if TYPE_CHECKING:
    from ticket.analysing.agreement import Agreement
    from ticket.analysing.distance import Moved

ALL = "all"


def connected_weights(path: Path) -> dict[str, int] | None:
    """Count, by layer, the kept weights on a path through the network; None where it cannot be built."""
    import torch

    from ticket.analysing.paths import connected
    from ticket.end import end_of
    from ticket.tickets import load

    ticket = load(path)
    if "input" not in ticket.record:
        return None
    try:
        end = end_of(ticket, None, Path())
        network = end.build()
        found = connected(network, ticket.masks, torch.ones(1, *end.shape))
    except TicketError:  # of another's plugin, which is not installed here
        return None
    return {name: int(mask.sum()) for name, mask in found.items()}


def print_collapse(connected: Mapping[str, int] | None) -> None:
    """Say what the paths mean for a training."""
    if connected is None:
        click.echo("on a path: not known, for the network cannot be built here")
    elif not any(connected.values()):
        click.echo("Layer collapse: no signal gets from input to output, so it cannot be trained")


def moved_weights(path: Path) -> dict[str, dict[str, Any]]:
    """Compare a run's ticket with what it was trained to. Raises UsageError where that is not there."""
    from ticket.analysing.distance import moved, total
    from ticket.folder import Folder
    from ticket.tickets import load

    folder = Folder(path.parent)
    if not (folder.ticket.is_file() and folder.trained.is_file()):
        raise UsageError(f"--distance wants a run with a trained ticket; {path.parent} has none")
    parts = moved(load(folder.ticket), load(folder.trained))
    return {name: _moved(one) for name, one in {**parts, ALL: total(parts)}.items()}


def print_moved(moved: Mapping[str, Mapping[str, Any]]) -> None:
    """Print how far each layer's survivors have moved."""
    lines = [
        [
            name,
            f"{one['kept']:,}",
            f"{one['distance']:.3f}",
            _number(one["relative"], "{:.3f}"),
            _number(one["cosine"], "{:.4f}"),
            _number(one["signs"] / one["kept"] if one["kept"] else None, "{:.1%}"),
        ]
        for name, one in moved.items()
    ]
    print_table(("moved", "survivors", "L2", "over the start's", "cosine", "same sign"), lines)


def mask_pairs(named: Sequence[str], runs_folder: Path) -> list[dict[str, Any]]:
    """Compare the tickets that are named, every two of them.

    Raises UsageError for fewer than two, or for tickets of different networks.
    """
    from ticket.analysing.agreement import agreement, total
    from ticket.locate import locate
    from ticket.tickets import load

    paths = [locate(text, runs_folder) for text in named]
    if len(paths) < 2:
        raise UsageError("--masks compares tickets with one another: name two or more")
    pairs = []
    for one, other in combinations(paths, 2):
        parts = agreement(load(one), load(other))
        layers = {name: _agreed(a) for name, a in {**parts, ALL: total(parts)}.items()}
        pairs.append({"one": str(one), "other": str(other), "layers": layers})
    return pairs


def print_pairs(pairs: Sequence[Mapping[str, Any]]) -> None:
    """Print one table a pair of tickets."""
    for pair in pairs:
        click.echo(f"masks of {pair['one']}\n     and {pair['other']}")
        lines = [
            [
                name,
                *(f"{a[key]:,}" for key in ("one", "other", "both")),
                f"{a['chance']:,.0f}",
                _number(a["overlap"], "{:.1%}"),
                _number(a["above_chance"], "{:+.3f}"),
                _number(a["sign_agreement"], "{:.1%}"),
            ]
            for name, a in pair["layers"].items()
        ]
        headings = (
            "layer",
            "one",
            "other",
            "both",
            "by chance",
            "overlap",
            "above chance",
            "same sign",
        )
        print_table(headings, lines)
        click.echo()
    click.echo(
        "overlap: of the smaller mask; by chance: if each layer chose at random; above chance: 0 is chance, "
        "1 the most\n"
    )


def _moved(one: Moved) -> dict[str, Any]:
    return {
        "kept": one.kept,
        "distance": one.distance,
        "relative": one.relative,
        "cosine": one.cosine,
        "signs": one.signs,
    }


def _agreed(one: Agreement) -> dict[str, Any]:
    return {
        "weights": one.size,
        "one": one.one,
        "other": one.other,
        "both": one.both,
        "chance": one.chance,
        "overlap": one.overlap,
        "above_chance": one.above_chance,
        "sign_agreement": one.sign_agreement,
    }


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
