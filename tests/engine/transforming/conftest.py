"""What tests of transforms share: a small network that tells its units, tickets made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ticket.masks import prunable
from ticket.seeds import torch_seeded
from ticket.task import builder
from ticket.tickets import Ticket, create
from ticket.training import Training
from ticket.transforming.performing import Asked, Transformed, perform
from ticket.uses import asked_use, read_use

FED = ((1, 8, 8), 4)  # shape and classes of the images that resnets see here


class Tower(nn.Module):
    """Linear layers in a row: a stem, stage `wide`, stage `narrow` with BatchNorm, a classifier."""

    def __init__(self, wide: int, narrow: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Linear(16, 6)
        self.wide = nn.ModuleList(nn.Linear(6, 6) for _ in range(wide))
        widths = [6, *[4] * narrow]
        self.narrow = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(4) for _ in range(narrow))
        self.classifier = nn.Linear(4, classes)
        self.units: Any = {
            "wide": [f"wide.{unit}" for unit in range(wide)],
            "narrow": [[f"narrow.{unit}", f"norms.{unit}"] for unit in range(narrow)],
        }

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images.flatten(1)).relu()
        for layer in self.wide:
            x = layer(x).relu()
        for layer, norm in zip(self.narrow, self.norms, strict=True):
            x = norm(layer(x)).relu()
        logits: Tensor = self.classifier(x)
        return logits


@pytest.fixture
def tower() -> Callable[..., Any]:
    """Return a maker of towers of so many units, their weights drawn by `seed`."""

    def make(wide: int = 3, narrow: int = 2, *, classes: int = 4, seed: int = 0) -> nn.Module:
        with torch_seeded(seed, "tower"):
            return Tower(wide, narrow, classes)

    return make


@pytest.fixture
def ticket_of() -> Callable[..., Ticket]:
    """Return a maker of a network's ticket: half of the weights, no two tensors alike."""

    def make(network: nn.Module, **record: Any) -> Ticket:
        generator = torch.Generator().manual_seed(1)
        for number, tensor in enumerate(network.state_dict().values()):
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=generator))
            else:
                tensor.fill_(1000 + number)
        masks = {
            name: torch.rand(weight.shape, generator=generator) < 0.5
            for name, weight in prunable(network).items()
        }
        return create(network, masks, record={"start": 0, "rounds": [], **record})

    return make


@pytest.fixture
def ticket_for(ticket_of: Callable[..., Ticket]) -> Callable[..., Ticket]:
    """Return a maker of the ticket of a model by its name, rewound to iteration 4 of 12."""

    def make(model: str | Mapping[str, Any], **record: Any) -> Ticket:
        use = read_use("models", model)
        network = builder(use, *FED)()
        known = {
            "model": {"name": use.name, "options": dict(use.options)},
            "dataset": {"name": "synthetic", "examples": 80},
            "input": {"shape": list(FED[0]), "classes": FED[1]},
            "training": {**Training().plain(), "length": "12it", "batch_size": 16},
            "recipe": {"name": "lth", "final": ["train"]},
            "seeds": {"seed": 3},
            "start": 4,
        }
        return ticket_of(network, **{**known, **record})

    return make


@pytest.fixture
def transform() -> Callable[..., Transformed]:
    """Return `perform`, told by names, as its callers tell it."""

    def call(
        ticket: Ticket,
        to: Any = None,
        strategies: Sequence[object] = ("elastic",),
        *,
        dataset: Any = None,
        folder: Path | None = None,
        **fields: Any,
    ) -> Transformed:
        asked = Asked(
            tuple(asked_use("transforms", one) for one in strategies),
            asked_use("models", to) if isinstance(to, str | Mapping) else to,
            asked_use("datasets", dataset) if isinstance(dataset, str | Mapping) else dataset,
            **fields,
        )
        return perform(asked, ticket, ticket.identity(), folder)

    return call


@pytest.fixture
def strategy(tmp_path: Path) -> Callable[[str], str]:
    """Return a maker of a strategy from the body of its function, by the name to use it under."""

    def write(body: str) -> str:
        path = tmp_path / "strategy.py"
        lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
        path.write_text(
            f"import torch\nfrom ticket import Ticket\n\ndef mine(ticket, given):\n{lines}"
        )
        return f"{path}:mine"

    return write
