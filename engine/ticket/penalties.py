"""Regularizers tried before anything trains: one that needs a mark must have one."""

from __future__ import annotations

import torch

from ticket.errors import UsageError
from ticket.phases import Cut, Mark, Phase, Rewind, Train
from ticket.recipe import Recipe
from ticket.training import Training
from ticket.uses import Use, bind


def check_penalties(recipe: Recipe, training: Training, alone: bool) -> list[str]:
    """Return what the recipe's regularizers find missing; `alone`: only `final` is carried out.

    Each is called once on a weight of its own, with the doomed or without, as the run will call it.
    """
    parts = {"first": recipe.first, "round": recipe.round, "final": recipe.final}
    mistakes: list[str] = []
    for name, phases in parts.items():
        if not alone or name == "final":
            mistakes += _of_part(phases, training, f"recipe '{recipe.name}', {name}")
    return mistakes


def _of_part(phases: tuple[Phase, ...], training: Training, where: str) -> list[str]:
    mistakes, marked = [], False
    for number, phase in enumerate(phases, 1):
        marked = isinstance(phase, Mark) or (marked and not isinstance(phase, Cut | Rewind))
        for use in phase.training(training).regularizers if isinstance(phase, Train) else ():
            problem = _tried(use, marked)
            mistakes += [f"{where} {number}: {problem}"] if problem else []
    return mistakes


def _tried(use: Use, marked: bool) -> str:
    doomed = torch.ones(1, dtype=torch.bool) if marked else None
    try:
        bind(use)(torch.ones(1), torch.zeros(1), doomed, 0.0)
    except UsageError as problem:
        return str(problem)
    return ""
