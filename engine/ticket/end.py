"""The network that a ticket is for: what it is called, fed with, and how it is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ticket.bases import CANONICAL, basis_of
from ticket.errors import UsageError
from ticket.seeds import torch_seeded
from ticket.task import builder, open_data
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
    basis: Use = CANONICAL  # that the weights are coefficients in

    def build(self, seed: int = 0, *name: object) -> nn.Module:
        """Build the network with initial weights of the named stream."""
        with torch_seeded(seed, *(name or ("structure",))):
            function = self.function or self.model
            return builder(function, self.shape, self.classes, self.basis)()

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


def end_of(ticket: Ticket, function: Function | None, folder: Path) -> End:
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
    sizes = (int(shape[0]), int(shape[1]), int(shape[2]))
    return End(use, dataset, sizes, classes, function, basis_of(ticket.record))
