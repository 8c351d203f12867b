"""The networks at both ends of a transform: what they are called, fed with, and how they are built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Size, nn

from ticket.dataset import DataSet
from ticket.errors import UsageError
from ticket.masks import aliases
from ticket.registry import load
from ticket.seeds import torch_seeded
from ticket.task import builder, given_data, open_data
from ticket.tickets import Ticket
from ticket.uses import Use, asked_use

Function = Callable[..., nn.Module]


@dataclass(frozen=True)
class End:
    """Describe one end: a model on a data set, by name and by what decides the tensors' shapes."""

    model: Use
    dataset: object  # in terms of YAML
    shape: tuple[int, int, int]
    classes: int
    function: Function | None = None  # of a Python caller, in place of the model's name

    def build(self, seed: int = 0, *name: object) -> nn.Module:
        """Build the network with initial weights of the named stream."""
        with torch_seeded(seed, *(name or ("structure",))):
            return builder(self.function or self.model, self.shape, self.classes)()

    def fed_like(self, other: End) -> bool:
        """Tell whether both ends see images of one shape and know as many classes."""
        return (self.shape, self.classes) == (other.shape, other.classes)

    def record(self) -> dict[str, Any]:
        """Return the fields of a ticket's record."""
        return {
            "model": {"name": self.model.name, "options": dict(self.model.options)},
            "dataset": self.dataset,
            "input": {"shape": list(self.shape), "classes": self.classes},
        }


def source_end(ticket: Ticket, function: Function | None, folder: Path) -> End:
    """Return the end that a ticket is for. Raises UsageError when its record does not say it."""
    model, dataset = ticket.record.get("model"), ticket.record.get("dataset")
    if not isinstance(model, Mapping) or dataset is None:
        raise UsageError("the ticket does not record its model and data set")
    fed = ticket.record.get("input")
    if isinstance(fed, Mapping):  # reading the data can take longer than the transform
        shape, classes = fed["shape"], int(fed["classes"])
    else:
        data = open_data(asked_use("datasets", dataset), folder)
        shape, classes = data.train_images.shape[1:], len(data.classes)
    if function is not None:
        use = Use("models", str(model["name"]), dict(model["options"]))
    else:
        use = asked_use("models", {"name": model["name"], **model["options"]})
    return End(use, dataset, (int(shape[0]), int(shape[1]), int(shape[2])), classes, function)


def target_end(
    source: End, model: Use | Function | None, dataset: Use | DataSet | None, folder: Path
) -> End:
    """Return the end that is asked for; what is not asked for stays as it is."""
    shape, classes, named = source.shape, source.classes, source.dataset
    if dataset is not None:
        use = dataset if isinstance(dataset, Use) else given_data(dataset)
        data = open_data(dataset, folder) if isinstance(dataset, Use) else dataset
        channels, height, width = data.train_images.shape[1:]
        shape, classes = (int(channels), int(height), int(width)), len(data.classes)
        named = use.plain()
    if model is None:
        return End(source.model, named, shape, classes, source.function)
    if isinstance(model, Use):
        load("models", model.name)
        return End(model, named, shape, classes)
    name = f"{model.__module__}:{getattr(model, '__qualname__', type(model).__name__)}"
    return End(Use("models", name), named, shape, classes, model)


def shapes_of(network: nn.Module) -> dict[str, Size]:
    """Return the shape of every tensor of the state, shared ones under their first name."""
    others = {other for names in aliases(network).values() for other in names}
    return {n: t.shape for n, t in network.state_dict().items() if n not in others}


def shaped_by_data(source: End, target: End) -> frozenset[str]:
    """Name the tensors of the target that its data set gives another shape than the source's would."""
    if target.fed_like(source):
        return frozenset()
    there = replace(target, shape=source.shape, classes=source.classes)
    shapes = shapes_of(there.build())
    return frozenset(n for n, size in shapes_of(target.build()).items() if shapes.get(n) != size)
