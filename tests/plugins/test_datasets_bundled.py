"""The data sets that need no download are the same everywhere, balanced, and can be learnt."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ticket.dataset import DataSet
from ticket.errors import UsageError
from ticket_plugins.datasets.digits import digits
from ticket_plugins.datasets.synthetic import synthetic

NOWHERE = Path("no-such-folder")


def nearest_centroid_accuracy(data: DataSet) -> float:
    train, test = data.train_images.flatten(1).float(), data.test_images.flatten(1).float()
    centroids = torch.stack(
        [train[data.train_labels == c].mean(0) for c in range(len(data.classes))]
    )
    guesses = torch.cdist(test, centroids).argmin(1)
    return (guesses == data.test_labels).double().mean().item()


def test_the_digits_are_the_1797_published_images() -> None:
    data = digits(NOWHERE)
    assert data.train_images.shape == (1442, 1, 8, 8)
    assert data.test_images.shape == (355, 1, 8, 8)
    assert data.train_images.dtype == torch.uint8
    counts = data.train_labels.bincount() + data.test_labels.bincount()
    # Of classes 0 to 9, as the repository that publishes them lists.
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data.test_labels.bincount().tolist() == [35, 36, 35, 36, 36, 36, 36, 35, 34, 36]


def test_the_first_digit_is_a_zero_with_pixels_scaled_to_bytes() -> None:
    data = digits(NOWHERE)
    assert data.train_labels[:3].tolist() == [0, 1, 2]
    # 0 0 5 13 9 1 0 0 of 16, each times 255 / 16, rounded.
    assert data.train_images[0, 0, 0].tolist() == [0, 0, 80, 207, 143, 16, 0, 0]
    assert set(data.train_images.flatten().tolist()) == {(p * 255 + 8) // 16 for p in range(17)}


def test_the_digits_are_normalised_by_their_own_pixels() -> None:
    data = digits(NOWHERE)
    pixels = data.train_images.double() / 255
    assert data.mean[0] == pytest.approx(pixels.mean().item(), abs=5e-5)
    assert data.std[0] == pytest.approx(pixels.std().item(), abs=5e-5)


def test_no_digit_is_in_both_parts_and_both_can_be_told_apart() -> None:
    data = digits(NOWHERE)
    train = {bytes(image.flatten().tolist()) for image in data.train_images}
    test = {bytes(image.flatten().tolist()) for image in data.test_images}
    assert not train & test
    assert 0.85 < nearest_centroid_accuracy(data) < 0.95


def test_the_same_options_draw_the_same_images_and_another_seed_others() -> None:
    first, again, other = synthetic(NOWHERE), synthetic(NOWHERE), synthetic(NOWHERE, seed=1)
    assert torch.equal(first.train_images, again.train_images)
    assert torch.equal(first.test_images, again.test_images)
    assert not torch.equal(first.train_images, other.train_images)


def test_drawing_leaves_the_global_random_stream_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    synthetic(NOWHERE)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_drawn_classes_can_be_learnt_and_are_not_trivial_copies() -> None:
    data = synthetic(NOWHERE)
    assert nearest_centroid_accuracy(data) > 0.95
    ones = data.train_images[data.train_labels == 1]
    assert not torch.equal(ones[0], ones[1])


@given(
    classes=st.integers(2, 6),
    extra=st.integers(0, 30),
    size=st.integers(1, 6),
    channels=st.integers(1, 3),
)
@settings(max_examples=40, deadline=None)
def test_a_drawn_data_set_has_the_shape_asked_for_and_every_class_in_both_parts(
    classes: int, extra: int, size: int, channels: int
) -> None:
    data = synthetic(
        NOWHERE, examples=classes + extra, classes=classes, size=size, channels=channels
    )
    assert data.train_images.shape == (classes + extra, channels, size, size)
    assert data.test_images.shape[1:] == (channels, size, size)
    for labels in (data.train_labels, data.test_labels):
        counts = labels.bincount(minlength=classes)
        assert len(counts) == classes
        assert 1 <= counts.min() <= counts.max() <= counts.min() + 1
    assert len(data.mean) == len(data.std) == channels


@pytest.mark.parametrize(
    ("option", "value"),
    [("examples", 3), ("classes", 1), ("size", 0), ("channels", 0), ("seed", -1)],
)
def test_a_number_that_cannot_be_meant_is_refused_by_name(option: str, value: int) -> None:
    with pytest.raises(UsageError, match=f"synthetic: {option} is {value}; it must be"):
        synthetic(NOWHERE, **{option: value})
