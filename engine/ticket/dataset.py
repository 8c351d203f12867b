"""What a data set is: whole images as tensors, their labels, and how they are normalised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class DataSet:
    """Hold one classification data set in memory.

    `train_images` and `test_images` are uint8 `[N, C, H, W]` (or float32 of the same shape, then taken
    as they are apart from `mean` and `std`); labels are int64 `[N]` in `0 .. len(classes) - 1`.
    `mean` and `std` are per channel, of pixels in [0, 1]; empty means no normalisation.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: tuple[str, ...]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    validation: int = 0  # training examples held out for validation, chosen by the seed; 0: a tenth
    crop: int = 0  # augmentation: pad by so many pixels, crop back at random
    flip: bool = False  # augmentation: mirror half of the images
    source: str = ""
    licence: str = ""
    # What this data set changes in the training that a model declares (a small set trains shorter).
    training: Mapping[str, object] = field(default_factory=dict)


class DataSetPlugin(Protocol):
    """Read a data set from the data folder; options are keyword-only (group `ticket.datasets`).

    Raises TicketError when a file is missing or damaged, naming the file and what would be right.
    """

    def __call__(self, folder: Path) -> DataSet: ...
