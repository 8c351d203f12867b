"""The batch at a step depends on seed, label and step alone; augmentation is what a loop would do."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ticket import batches as batching
from ticket.batches import Splits, batches, per_epoch, split
from ticket.dataset import DataSet
from ticket.seeds import stream

CPU = torch.device("cpu")


def numbered(count: int, *, crop: int = 0, flip: bool = False, channels: int = 1) -> DataSet:
    """Return images whose pixels say which image they are of, float so that nothing is scaled."""
    size = channels * 5 * 4
    images = torch.arange(count * size, dtype=torch.float32).reshape(count, channels, 5, 4) + 1
    labels = torch.arange(count) % 2
    return DataSet(
        "numbered", images, labels, images[:2], labels[:2], ("0", "1"), crop=crop, flip=flip
    )


def take(
    splits: Splits, batch: int, start: int, count: int, *, augment: bool = True
) -> list[Tensor]:
    feed = batches(splits, batch, 0, "label", start, augment)
    return [next(feed)[0] for _ in range(count)]


def test_every_example_comes_once_an_epoch_in_another_order() -> None:
    splits = split(numbered(40), 0, CPU)
    each = per_epoch(splits.train, 10)
    assert (len(splits.train), len(splits.validation), each) == (36, 4, 4)
    epochs = [torch.cat(take(splits, 10, e * each, each)) for e in (0, 1)]
    for epoch in epochs:
        assert torch.equal(
            epoch[:, 0, 0, 0].sort().values, splits.train.images[:, 0, 0, 0].sort().values
        )
    assert not torch.equal(epochs[0], epochs[1])


def test_labels_stay_with_their_images() -> None:
    splits = split(numbered(40), 0, CPU)
    feed = batches(splits, 7, 0, "label", 0, False)
    for _ in range(12):
        images, labels = next(feed)
        number = (images[:, 0, 0, 0].long() - 1) // 20
        assert torch.equal(number % 2, labels)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 12), st.integers(3, 9), st.booleans())
def test_batches_from_a_step_on_are_the_tail_of_all(start: int, batch: int, augment: bool) -> None:
    splits = split(numbered(20, crop=2, flip=True), 0, CPU)
    whole = take(splits, batch, 0, 16, augment=augment)
    tail = take(splits, batch, start, 16 - start, augment=augment)
    assert all(torch.equal(a, b) for a, b in zip(whole[start:], tail, strict=True))


def test_another_label_or_seed_gives_another_order() -> None:
    splits = split(numbered(40), 0, CPU)
    first = next(batches(splits, 36, 0, "round-0", 0, False))[0]
    assert not torch.equal(first, next(batches(splits, 36, 0, "round-1", 0, False))[0])
    assert not torch.equal(first, next(batches(splits, 36, 1, "round-0", 0, False))[0])
    assert torch.equal(first, next(batches(splits, 36, 0, "round-0", 0, False))[0])


@pytest.mark.parametrize(
    ("examples", "batch", "count"), [(60, 20, 3), (61, 20, 3), (62, 20, 4), (5, 20, 1), (1, 20, 1)]
)
def test_an_epoch_drops_a_last_batch_of_one_example(examples: int, batch: int, count: int) -> None:
    """One example has no batch statistics; a set of one example is all there is."""
    train = split(numbered(4), 0, CPU).train
    rows = train.pick(torch.zeros(examples, dtype=torch.int64))
    assert per_epoch(rows, batch) == count


def test_the_split_is_by_seed_and_takes_no_example_twice() -> None:
    splits = split(replace(numbered(40), validation=12), 0, CPU)
    parts = [s.images[:, 0, 0, 0] for s in (splits.train, splits.validation)]
    assert [len(part) for part in parts] == [28, 12]
    assert torch.equal(torch.cat(parts).sort().values, numbered(40).train_images[:, 0, 0, 0])
    assert all(torch.equal(part, part.sort().values) for part in parts)
    other = split(replace(numbered(40), validation=12), 1, CPU)
    assert not torch.equal(other.validation.images, splits.validation.images)


@pytest.mark.parametrize("count", [2, 9, 10, 19])
def test_a_small_set_holds_out_one_example_at_least(count: int) -> None:
    assert len(split(numbered(count), 0, CPU).validation) == 1


def naive(image: Tensor, crop: int, down: int, right: int, mirrored: bool) -> Tensor:
    channels, height, width = image.shape
    padded = torch.zeros(channels, height + 2 * crop, width + 2 * crop, dtype=image.dtype)
    padded[:, crop : crop + height, crop : crop + width] = image
    cut = padded[:, down : down + height, right : right + width]
    return cut.flip(2) if mirrored else cut


@pytest.mark.parametrize(
    ("crop", "flip", "channels"), [(2, True, 3), (4, False, 1), (0, True, 1), (1, True, 2)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_crop_and_flip_are_those_of_a_loop_over_images(
    crop: int, flip: bool, channels: int, dtype: torch.dtype
) -> None:
    data = numbered(30, crop=crop, flip=flip, channels=channels)
    images = (data.train_images % 251).to(dtype)
    splits = split(replace(data, train_images=images, test_images=images[:2]), 0, CPU)
    train = splits.train
    order = torch.randperm(len(train), generator=stream(0, "order", "label", 0))
    moves = batching._shifts(splits, 0, "label", 0, CPU)
    assert moves is not None
    found = torch.cat(take(splits, 9, 0, 3))
    for place, (down, right, mirrored) in enumerate(moves.tolist()):
        image = naive(train.images[order[place]], crop, down, right, bool(mirrored))
        assert torch.equal(found[place], train.normalised(image[None])[0])


def test_shifts_and_mirrors_take_every_value() -> None:
    splits = split(numbered(400, crop=1, flip=True), 0, CPU)
    moves = batching._shifts(splits, 0, "label", 0, CPU)
    assert moves is not None
    assert [set(column.tolist()) for column in moves.T] == [{0, 1, 2}, {0, 1, 2}, {0, 1}]


def test_no_augmentation_is_drawn_where_none_is_declared_or_wanted() -> None:
    plain = split(numbered(20), 0, CPU)
    assert batching._shifts(plain, 0, "label", 0, CPU) is None
    declared = split(numbered(20, crop=2, flip=True), 0, CPU)
    for a, b in zip(take(plain, 6, 0, 3), take(declared, 6, 0, 3, augment=False), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_normalised_by_channel(channels: int) -> None:
    images = torch.randint(0, 256, (4, channels, 2, 2), dtype=torch.uint8)
    labels = torch.tensor([0, 1, 0, 1])
    mean, std = (0.1, 0.5, 0.4)[:channels], (0.3, 0.2, 0.5)[:channels]
    data = DataSet("d", images, labels, images, labels, ("a", "b"), mean=mean, std=std)
    test = split(data, 0, CPU).test
    found = test.normalised(test.images)
    for c in range(channels):
        assert torch.allclose(found[:, c], (images[:, c] / 255 - mean[c]) / std[c], atol=1e-6)
    assert test.images.dtype == torch.uint8


def test_without_mean_and_std_pixels_go_from_0_to_1() -> None:
    images = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1)
    labels = torch.tensor([0, 1])
    test = split(DataSet("d", images, labels, images, labels, ("a", "b")), 0, CPU).test
    assert test.normalised(test.images).flatten().tolist() == pytest.approx([0, 1])


@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("channels", [1, 3])
def test_normalising_leaves_a_set_of_floats_as_it_is(channels: int, size: int) -> None:
    images = torch.rand(6, channels, size, size)
    data = DataSet("floats", images, torch.arange(6) % 2, images[:2], torch.arange(2), ("0", "1"))
    data = replace(data, mean=(0.5,) * channels, std=(0.25,) * channels)
    test = split(data, 0, CPU).test
    before = test.images.clone()
    torch.testing.assert_close(test.normalised(test.images), (before - 0.5) / 0.25)
    assert torch.equal(test.images, before)
