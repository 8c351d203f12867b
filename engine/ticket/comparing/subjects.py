"""What a run or a ticket is about: its kind, its name, and the settings that make it comparable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ticket.comparing.names import made_by, plainly, spelled
from ticket.comparing.rows import Subject
from ticket.recipe import Recipe
from ticket.training import Training

Document = Mapping[str, Any]
_PROSE = ("title", "paper", "notes")
Settings = tuple[tuple[str, str], ...]


def ticket_subject(
    document: Document, lineage: Sequence[Document], kept: int, prunable: int
) -> Subject:
    """Return the subject of the ticket that `document`, a configuration or a record, describes.

    Exact counts belong to a found ticket's settings: its seeds agree on them. Those of a transformed
    ticket depend on which layers its seed has emptied, so its first ancestor's stand for them.
    """
    model, dataset = document.get("model"), document.get("dataset")
    recipe = _recipe(document)
    settings = _training(document) + _flat("recipe", recipe)
    if lineage:
        first = lineage[0]
        settings += (
            ("source.method", plainly(first.get("method"))),
            ("source.kept", f"{first.get('kept')} of {first.get('prunable')}"),
        )
        name = made_by(lineage, dataset)
        return Subject(
            "transformed", name, spelled(model), spelled(dataset), settings, _task(document)
        )
    if kept == prunable:
        return dense_subject(document)
    settings += (("kept", f"{kept} of {prunable}"),)
    return Subject(
        "found", str(recipe["name"]), spelled(model), spelled(dataset), settings, _task(document)
    )


def dense_subject(document: Document) -> Subject:
    """Return the subject of the dense network, trained as the ticket of `document` is."""
    task = _task(document)
    model, dataset = spelled(document.get("model")), spelled(document.get("dataset"))
    return Subject("dense", "dense", model, dataset, task, task)


def control_subject(of: Subject, document: Document, name: str) -> Subject:
    """Return the subject of a control of the ticket `of`."""
    return dense_subject(document) if name == "dense" else replace(of, control=name)


def trains_dense_first(document: Document) -> bool:
    """Tell whether round 0 trains the dense network as the task says, or as the ticket is trained.

    By what the configuration says alone, so that no plugin has to be installed to read a result.
    """
    first = _first_phase(document)
    trains = isinstance(first, Mapping) and "train" in first
    return first == "train" or (trains and list(_recipe(document)["final"]) == [first])


def _first_phase(document: Document) -> object:
    recipe = _recipe(document)
    return next(iter(recipe["first"] or recipe["round"] or recipe["final"]), None)


def _recipe(document: Document) -> dict[str, Any]:
    """Return all fields of the recipe, those a later version has added at their defaults."""
    given = document.get("recipe") or {}
    return {**Recipe("not recorded").plain(), **given}


def _training(document: Document) -> Settings:
    training = {**Training().plain(), **(document.get("training") or {})}
    weights = document.get("weights")
    settings = _flat("training", training) + _flat("sources", document.get("sources") or {})
    return settings + ((("weights", str(weights)),) if weights else ())


def _task(document: Document) -> Settings:
    """Return what decides how a dense network is trained."""
    plain = _first_phase(document) == "train"
    final = ["train"] if plain else _recipe(document)["final"]
    return (*_training(document), ("recipe.final", plainly(final)))


def _flat(part: str, fields: Mapping[str, object]) -> Settings:
    return tuple((f"{part}.{k}", plainly(v)) for k, v in fields.items() if k not in _PROSE)
