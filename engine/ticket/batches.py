"""Batches: whole sets live as uint8 tensors on the device; a batch is cut, augmented, normalised there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ticket.dataset import DataSet
from ticket.seeds import stream

BLOCK = 16  # batches that are cut and normalised in one go: fewer calls, still in cache


@dataclass(frozen=True)
class Examples:
    """Hold images `[N, C, H, W]` (uint8 or float32), labels `[N]`, and the affine map to the input.

    The network's input is pixels * `scale` + `shift`, per channel `[C, 1, 1]`.
    """

    images: Tensor
    labels: Tensor
    scale: Tensor
    shift: Tensor

    def __len__(self) -> int:
        return self.labels.shape[0]

    def pick(self, index: Tensor) -> Examples:
        """Return the examples at `index`, in that order."""
        # Rows of one piece: index_select copies them whole, indexing gathers byte by byte.
        rows = self.images.flatten(1).index_select(0, index)
        return replace(
            self,
            images=rows.view(-1, *self.images.shape[1:]),
            labels=self.labels.index_select(0, index),
        )

    def normalised(self, images: Tensor) -> Tensor:
        """Return the network's input for some images; those of several channels lie channels last.

        Convolutions take the format of their input and hand it on; on a CPU they are up to 1.5 times
        as fast that way.
        """
        if self.scale.numel() == 1:  # one channel: scalars save two kernels' worth of broadcasting
            pixels = images.to(torch.float32, copy=True)  # floats too: the set itself must stay
            return pixels.mul_(float(self.scale)).add_(float(self.shift))
        pixels = images.to(torch.float32, copy=True, memory_format=torch.channels_last)
        return pixels.mul_(self.scale).add_(self.shift)


@dataclass(frozen=True)
class Splits:
    """Hold the three parts; `validation` is cut out of the official training set."""

    train: Examples
    validation: Examples
    test: Examples
    crop: int
    flip: bool


def split(data: DataSet, seed: int, device: torch.device) -> Splits:
    """Split off the validation examples by the seed and move everything to the device."""
    count, held_out = len(data.train_labels), validation_size(data)
    order = torch.randperm(count, generator=stream(seed, "split"))
    train = examples(data, data.train_images, data.train_labels, device)
    test = examples(data, data.test_images, data.test_labels, device)
    # Sorted: the split says which examples, the order stream says in which order.
    parts = [part.sort().values.to(device) for part in (order[held_out:], order[:held_out])]
    return Splits(train.pick(parts[0]), train.pick(parts[1]), test, data.crop, data.flip)


def validation_size(data: DataSet) -> int:
    """Count the examples that are cut out of the official training set for validation."""
    return data.validation or max(1, len(data.train_labels) // 10)


def pixel_scale(data: DataSet) -> float:
    """Return what turns a stored pixel into one from 0 to 1; numbers that are floats stay."""
    return 1 / 255 if data.test_images.dtype == torch.uint8 else 1.0


def examples(data: DataSet, images: Tensor, labels: Tensor, device: torch.device) -> Examples:
    """Return some of a data set's examples with the normalisation that it asks for."""
    channels = images.shape[1]
    std = torch.tensor(data.std or (1.0,) * channels)
    mean = torch.tensor(data.mean or (0.0,) * channels)
    return Examples(
        images.to(device),
        labels.to(device),
        (pixel_scale(data) / std).reshape(-1, 1, 1).to(device),
        (-mean / std).reshape(-1, 1, 1).to(device),
    )


def per_epoch(examples: Examples | range, batch_size: int) -> int:
    """Count the batches of an epoch: the last may be short, but one of a single example is left out.

    A single example has no batch statistics.
    """
    full, rest = divmod(len(examples), batch_size)
    return full + (1 if rest > 1 or full == 0 else 0)


def batches(
    splits: Splits, batch_size: int, seed: int, label: str, start: int, augment: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (input, labels) from step `start` on, without end; each epoch has an order of its own.

    `label` names the training, so that every round sees its own order. The batch at a step depends on
    seed, label and step alone, which is what makes a resumed training exact.
    """
    train, each = splits.train, per_epoch(splits.train, batch_size)
    device = train.labels.device
    epoch, first = divmod(start, each)
    while True:
        order = torch.randperm(len(train), generator=stream(seed, "order", label, epoch)).to(device)
        shifts = _shifts(splits, seed, label, epoch, device) if augment else None
        # Blocks lie at fixed steps: a resumed training sees tensors at the same places in memory.
        for block in range(first // BLOCK, -(-each // BLOCK)):
            steps = range(max(first, block * BLOCK), min(each, (block + 1) * BLOCK))
            part = slice(block * BLOCK * batch_size, (block + 1) * BLOCK * batch_size)
            chosen = train.pick(order[part])
            images = chosen.images
            if shifts is not None:
                images = _augmented(images, shifts[part], splits.crop)
            inputs = train.normalised(images)
            for step in steps:
                here = (step - block * BLOCK) * batch_size
                yield inputs[here : here + batch_size], chosen.labels[here : here + batch_size]
        epoch, first = epoch + 1, 0


def _shifts(
    splits: Splits, seed: int, label: str, epoch: int, device: torch.device
) -> Tensor | None:
    """Draw for each example of an epoch: row shift, column shift, mirrored or not `[N, 3]`."""
    if not splits.crop and not splits.flip:
        return None
    generator = stream(seed, "augmentation", label, epoch)
    count = len(splits.train)
    moves = torch.randint(0, 2 * splits.crop + 1, (count, 2), generator=generator)
    mirrored = torch.randint(0, 1 + int(splits.flip), (count, 1), generator=generator)
    return torch.cat([moves, mirrored], dim=1).to(device)


def _augmented(images: Tensor, shifts: Tensor, crop: int) -> Tensor:
    """Pad by `crop` zeros, cut each image out at its shift, mirror where asked: one gather."""
    count, channels, height, width = images.shape
    padded = torch.nn.functional.pad(images, (crop, crop, crop, crop))
    rows = torch.arange(height, device=images.device) + shifts[:, :1]
    columns = torch.arange(width, device=images.device).expand(count, width)
    columns = torch.where(shifts[:, 2:] == 1, width - 1 - columns, columns) + shifts[:, 1:2]
    index = rows[:, :, None] * padded.shape[3] + columns[:, None, :]
    flat = padded.flatten(2)
    picked = flat.gather(2, index.reshape(count, 1, -1).expand(count, channels, -1))
    return picked.reshape(count, channels, height, width)
