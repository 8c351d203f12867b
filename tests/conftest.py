"""What tests share: one thread, a small network, a few points to train on, a run of a second."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings
from torch import Tensor, nn

from ticket.dataset import DataSet
from ticket.request import Request

# A busy machine is no fault of an example.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


def pytest_collection_finish() -> None:
    """Leave what was imported out of every later search for garbage: torch is 165 000 objects."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Train on one thread: the machine is shared, and the bits depend on the number of threads."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def no_wait_for_the_disk() -> Iterator[None]:
    """Leave out fsync: it guards against a loss of power, which no test can cause, and costs a third."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture
def mlp() -> nn.Module:
    """Return a network of 16-8-4: 128 + 32 prunable weights."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))


@pytest.fixture
def points() -> DataSet:
    """Return 80 training and 20 test images of 1 x 4 x 4 in 4 classes, learnable but not trivial."""
    generator = torch.Generator().manual_seed(0)
    patterns = torch.rand(4, 1, 4, 4, generator=generator)

    def draw(count: int) -> tuple[Tensor, Tensor]:
        labels = torch.arange(count) % 4
        noise = 0.3 * torch.randn(count, 1, 4, 4, generator=generator)
        levels = (255 * (patterns[labels] + noise)).round().clamp(0, 255)
        return levels.to(torch.uint8), labels

    train, test = draw(80), draw(20)
    return DataSet("points", *train, *test, classes=("a", "b", "c", "d"), mean=(0.5,), std=(0.3,))


@pytest.fixture(scope="session")
def request_in() -> Callable[..., Request]:
    """Return a maker of small requests: a 16-8-4 network, synthetic images, 20 iterations a training.

    Takes the folder of the runs and fields of Request; `training` and `recipe` are merged with what
    stands here.
    """

    def make(
        runs_folder: Path,
        *,
        training: dict[str, Any] | None = None,
        recipe: dict[str, Any] | None = None,
        **fields: Any,
    ) -> Request:
        sets: tuple[tuple[str, Any], ...] = (
            ("model", {"name": "mlp", "hidden": [8]}),
            ("dataset", {"name": "synthetic", "examples": 80, "size": 4}),
            *fields.pop("sets", ()),
        )
        small = {
            "optimizer": "sgd", "lr": 0.1, "batch_size": 16, "length": "20it", "eval_every": "5it"
        }  # fmt: skip
        pruned = {} if fields.get("method") == "dense" else {"rounds": 2, "sparsity": None}
        return Request(
            sets=sets,
            training=small | (training or {}),
            recipe=pruned | (recipe or {}),
            runs_folder=runs_folder,
            **fields,
        )

    return make


@pytest.fixture
def request_for(request_in: Callable[..., Request], tmp_path: Path) -> Callable[..., Request]:
    """Return the same maker, with a runs folder of the test's own unless one is given."""

    def make(*, runs_folder: Path | None = None, **fields: Any) -> Request:
        return request_in(runs_folder or tmp_path / "runs", **fields)

    return make
