"""A task made ready: the data in memory, a way to build the network, its prunable layers."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from ticket.bases import CANONICAL, put_in_basis
from ticket.batches import Splits, split
from ticket.dataset import DataSet
from ticket.errors import TicketError, UsageError
from ticket.ladder import Layer
from ticket.masks import prunable
from ticket.recipe import Recipe
from ticket.seeds import torch_seeded
from ticket.uses import Use, bind
from ticket.values import closest
from ticket.weights import content_hash


class ModelPlugin(Protocol):
    """Build a network (group `ticket.models`); options are keyword-only.

    `shape` is (C, H, W) of an image; the network maps `[N, C, H, W]` to logits `[N, classes]`. It may
    declare, as attributes, `paper_training` (fields of Training), `prune_rates` (parameter -> rate) and
    `units` (stage -> modules, see `ticket.transforming.anatomy`).
    """

    def __call__(self, shape: tuple[int, int, int], classes: int) -> nn.Module: ...


@dataclass(frozen=True)
class Task:
    """Hold data and network of a run, checked to fit together."""

    data: DataSet
    build: Callable[[], nn.Module]  # draws initial weights from torch's generator
    device: torch.device
    split_seed: int | None = None  # of the validation set, where it is not the run's own seed

    def splits(self, seed: int) -> Splits:
        """Return training, validation and test set on the device."""
        return split(self.data, seed if self.split_seed is None else self.split_seed, self.device)

    def network(self, seed: int, *stream: object) -> nn.Module:
        """Build the network with initial weights of the named stream, on the device."""
        with torch_seeded(seed, *stream):
            return self.build().to(self.device)


def open_data(dataset: Use, folder: Path) -> DataSet:
    """Load a data set and check it. Raises TicketError for data that cannot be trained on."""
    data: Any = bind(dataset)(folder)
    if not isinstance(data, DataSet):
        raise UsageError(
            f"data set '{dataset.name}' gives {type(data).__name__}, not a ticket.DataSet"
        )
    check_data(data)
    return data


def given_data(data: DataSet) -> Use:
    """Check a data set that a Python caller gives, and name it by what is in it."""
    check_data(data)
    content = {
        "images": data.train_images,
        "labels": data.train_labels,
        "test": data.test_images,
        "test_labels": data.test_labels,
    }
    said = (data.classes, data.mean, data.std, data.validation, data.crop, data.flip)
    total = hashlib.sha256(f"{content_hash(content)}{said}".encode()).hexdigest()
    return Use("datasets", data.name, {"content": total[:16]})


def check_data(data: DataSet) -> None:
    """Raise TicketError unless images and labels fit together."""
    for part, images, labels in (
        ("training", data.train_images, data.train_labels),
        ("test", data.test_images, data.test_labels),
    ):
        if images.dim() != 4 or len(images) != len(labels) or len(labels) < 2:
            raise TicketError(
                f"data set '{data.name}': {part} images {list(images.shape)} and labels "
                f"{list(labels.shape)} do not make [N, C, H, W] and [N]"
            )
        if int(labels.min()) < 0 or int(labels.max()) >= len(data.classes):
            raise TicketError(
                f"data set '{data.name}': {part} labels lie outside 0..{len(data.classes) - 1}"
            )
    if not 0 <= data.validation < len(data.train_labels):
        raise TicketError(f"data set '{data.name}' cannot hold out {data.validation} examples")


def builder(
    model: Use | Callable[..., nn.Module],
    shape: tuple[int, ...],
    classes: int,
    basis: Use = CANONICAL,
) -> Callable[[], nn.Module]:
    """Return a function that builds the network for images of a shape (C, H, W) and some classes.

    Its prunable weights are coefficients in the `basis`.

    A user's function is called with (shape, classes), or with nothing if it takes nothing. Raises
    TicketError when it raises.
    """
    name = model.name if isinstance(model, Use) else getattr(model, "__name__", repr(model))
    function: Callable[..., Any] = bind(model) if isinstance(model, Use) else model
    arguments = (shape, classes) if _takes_two(function) else ()

    def build() -> nn.Module:
        try:
            network = function(*arguments)
        except TicketError:
            raise
        except Exception as problem:  # the user's code may raise anything
            raise TicketError(f"model '{name}' cannot be built: {problem!r}") from problem
        if not isinstance(network, nn.Module):
            raise UsageError(f"model '{name}' gives {type(network).__name__}, not an nn.Module")
        return put_in_basis(network, basis)

    return build


def _takes_two(function: Callable[..., Any]) -> bool:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    needed = [p for p in parameters if p.kind in kinds and p.default is p.empty]
    return len(needed) >= 2


def check_network(network: nn.Module, data: DataSet, name: str) -> None:
    """Run two images through the network. Raises TicketError when it raises or gives other than logits."""
    images = torch.zeros(2, *data.train_images.shape[1:])
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad(), torch_seeded(0, "probe"):
            logits = network(images)
    except TicketError:
        raise
    except Exception as problem:  # the user's code may raise anything
        first = str(problem).strip().partition("\n")[0]
        raise TicketError(
            f"model '{name}' fails on images {list(images.shape)} of '{data.name}': {first}"
        ) from problem
    network.train(was_training)
    shape = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if shape != [2, len(data.classes)]:
        raise UsageError(
            f"model '{name}' gives {shape} for 2 images of '{data.name}'; "
            f"{len(data.classes)} classes want [2, {len(data.classes)}]"
        )


def layers(network: nn.Module, recipe: Recipe) -> list[Layer]:
    """Describe the prunable parameters: sizes, rates, and which the recipe excludes.

    Raises UsageError when nothing is left to prune.
    """
    declared: dict[str, float] = {}
    if recipe.rates == "model":
        declared = dict(getattr(network, "prune_rates", {}))
        for name, share in declared.items():
            if not 0 <= share < 1:
                raise UsageError(
                    f"the model declares the rate {share} for '{name}'; a rate is in [0, 1)"
                )
    weights = prunable(network)
    for pattern in recipe.exclude:
        if not any(fnmatch(name, pattern) for name in weights):
            hint = closest(pattern, weights) or f"; they are {', '.join(weights)}"
            raise UsageError(
                f"recipe '{recipe.name}' excludes '{pattern}', which names no prunable layer{hint}"
            )
    rate = recipe.rate or 0.2  # without a rate only the ratios between layers matter
    found = [
        Layer(
            name,
            tuple(weight.shape),
            weight.numel(),
            Fraction(repr(float(declared.get(name, rate)))),
            any(fnmatch(name, pattern) for pattern in recipe.exclude),
        )
        for name, weight in weights.items()
    ]
    if all(layer.excluded for layer in found):
        raise UsageError(f"recipe '{recipe.name}' excludes every prunable layer")
    return found


def declared_training(network: nn.Module) -> dict[str, object]:
    """Return the training that a network declares for itself (`paper_training`), if any."""
    return dict(getattr(network, "paper_training", {}))
