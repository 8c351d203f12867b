"""Images that are drawn, not read: a task of any size for trials and tests."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ticket.dataset import DataSet
from ticket.errors import UsageError

SIGNAL = 96  # grey levels by which a class's pattern leaves mid-grey, at most
NOISE = 48  # grey levels, standard deviation of each pixel: the pattern stays learnable


def synthetic(
    folder: Path,
    *,
    examples: int = 1000,
    classes: int = 4,
    size: int = 8,
    channels: int = 1,
    seed: int = 0,
) -> DataSet:
    """Draw one random pattern a class, and noisy copies of it; `folder` is not looked at.

    Gives `examples` training images uint8 `[examples, channels, size, size]` and a quarter as many
    test images (one a class at least), the classes in turn. The same options give the same bytes.
    Raises UsageError when a number is too small.
    """
    for name, number, least in (
        ("examples", examples, classes),
        ("classes", classes, 2),
        ("size", size, 1),
        ("channels", channels, 1),
        ("seed", seed, 0),
    ):
        if number < least:
            raise UsageError(f"synthetic: {name} is {number}; it must be {least} or more")
    stream = torch.Generator().manual_seed(seed)
    patterns = torch.rand(classes, channels, size, size, generator=stream) * 2 - 1

    def draw(count: int) -> tuple[Tensor, Tensor]:
        labels = torch.arange(count) % classes
        noise = torch.randn(count, channels, size, size, generator=stream)
        levels = 128 + SIGNAL * patterns[labels] + NOISE * noise
        return levels.round().clamp(0, 255).to(torch.uint8), labels

    train_images, train_labels = draw(examples)
    test_images, test_labels = draw(max(classes, examples // 4))
    return DataSet(
        name="synthetic",
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        classes=tuple(f"pattern {i}" for i in range(classes)),
        mean=(0.5,) * channels,  # mid-grey, and the spread of pattern and noise together
        std=(0.29,) * channels,
        source="drawn by ticket",
        licence="none needed",
        training={"length": "300it", "eval_every": "25it"},
    )
