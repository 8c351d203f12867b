"""CIFAR-10 reads the same from both official formats, and a pickle is read as data, never run."""

import os
import pickle
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ticket.errors import TicketError
from ticket_plugins.datasets.cifar10 import cifar10, cifar10_download, read_binary_batch
from ticket_plugins.datasets.cifar_pickle import read_pickled_batch

BATCHES = (
    "data_batch_1",
    "data_batch_2",
    "data_batch_3",
    "data_batch_4",
    "data_batch_5",
    "test_batch",
)


def pixels_of(batch: int, count: int = 2) -> bytes:
    return bytes((batch + 3 * i) % 256 for i in range(count * 3072))


def labels_of(batch: int, count: int = 2) -> list[int]:
    return [(batch + 4 * i) % 10 for i in range(count)]


def record_bytes(labels: list[int], pixels: bytes) -> bytes:
    return b"".join(bytes([y]) + pixels[i * 3072 :][:3072] for i, y in enumerate(labels))


def old_pickle(labels: list[int], pixels: bytes, *, kind: bytes = b"u1", order: str = "C") -> bytes:
    """Write a batch opcode by opcode as Python 2 and its numpy did: the official files' form."""
    state = b"(K\x01(K" + bytes([len(labels)]) + b"M\x00\x0ct"  # version 1, shape (n, 3072)
    state += b"cnumpy\ndtype\nU" + bytes([len(kind)]) + kind + b"K\x00K\x01\x87R"
    state += b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    state += (
        (b"\x88" if order == "F" else b"\x89")
        + b"T"
        + struct.pack("<i", len(pixels))
        + pixels
        + b"tb"
    )
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R" + state
    listed = b"](" + b"".join(b"K" + bytes([y]) for y in labels) + b"e"
    return b"\x80\x02}(U\x0bbatch_labelU\x04testU\x06labels" + listed + b"U\x04data" + array + b"u."


def write_binary(folder: Path) -> None:
    place = folder / "cifar-10-batches-bin"
    place.mkdir()
    for i, name in enumerate(BATCHES):
        (place / f"{name}.bin").write_bytes(record_bytes(labels_of(i), pixels_of(i)))


def write_pickled(folder: Path) -> None:
    place = folder / "cifar-10-batches-py"
    place.mkdir()
    for i, name in enumerate(BATCHES):
        (place / name).write_bytes(old_pickle(labels_of(i), pixels_of(i)))


def test_the_binary_format_gives_planes_of_rows_in_file_order(tmp_path: Path) -> None:
    write_binary(tmp_path)
    data = cifar10(tmp_path)
    assert data.train_images.shape == (10, 3, 32, 32)
    assert data.test_images.shape == (2, 3, 32, 32)
    assert data.train_labels.tolist() == [0, 4, 1, 5, 2, 6, 3, 7, 4, 8]
    assert data.test_labels.tolist() == [5, 9]
    # Batch 2, image 1, green, row 5, column 7.
    assert data.train_images[3, 1, 5, 7].item() == pixels_of(1)[3072 + 1024 + 5 * 32 + 7]
    assert data.test_images.is_contiguous()
    assert (data.crop, data.flip) == (4, True)


def test_both_formats_give_the_same_data(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write_binary(tmp_path / "a")
    write_pickled(tmp_path / "b")
    binary, pickled = cifar10(tmp_path / "a"), cifar10(tmp_path / "b")
    assert torch.equal(binary.train_images, pickled.train_images)
    assert torch.equal(binary.train_labels, pickled.train_labels)
    assert torch.equal(binary.test_images, pickled.test_images)
    assert torch.equal(binary.test_labels, pickled.test_labels)


def test_a_pickled_array_in_column_order_is_put_into_rows(tmp_path: Path) -> None:
    pixels = pixels_of(0)
    columns = bytes(pixels[row * 3072 + column] for column in range(3072) for row in range(2))
    path = tmp_path / "data_batch_1"
    path.write_bytes(old_pickle([1, 2], columns, order="F"))
    read, _ = read_pickled_batch(path)
    assert bytes(read.flatten().tolist()) == pixels


def test_no_files_at_all_are_met_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(TicketError, match="`ticket data fetch cifar10`"):
        cifar10(tmp_path)


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    write_binary(tmp_path)
    (tmp_path / "cifar-10-batches-bin" / "data_batch_4.bin").unlink()
    with pytest.raises(TicketError, match=r"no data_batch_4\.bin in "):
        cifar10(tmp_path)


def test_a_training_batch_shorter_than_the_others_is_refused(tmp_path: Path) -> None:
    write_binary(tmp_path)
    short = tmp_path / "cifar-10-batches-bin" / "data_batch_2.bin"
    short.write_bytes(short.read_bytes()[:3073])
    with pytest.raises(TicketError, match=r"hold \[2, 1, 2, 2, 2\] images"):
        cifar10(tmp_path)


@pytest.mark.parametrize("length", [0, 1, 3072, 3074, 6145])
def test_a_binary_batch_of_partial_records_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(bytes(length))
    with pytest.raises(TicketError, match=f"holds {length} bytes, which is no whole number"):
        read_binary_batch(path)


@pytest.mark.parametrize("form", ["binary", "pickled"])
def test_a_label_above_nine_is_refused(tmp_path: Path, form: str) -> None:
    if form == "binary":
        write_binary(tmp_path)
        bad = tmp_path / "cifar-10-batches-bin" / "test_batch.bin"
        bad.write_bytes(record_bytes([1, 10], pixels_of(0)))
    else:
        write_pickled(tmp_path)
        bad = tmp_path / "cifar-10-batches-py" / "test_batch"
        bad.write_bytes(old_pickle([1, 10], pixels_of(0)))
    with pytest.raises(TicketError, match="holds the label 10") as caught:
        cifar10(tmp_path)
    assert str(bad) in str(caught.value)


def test_more_labels_than_images_are_refused(tmp_path: Path) -> None:
    write_pickled(tmp_path)
    content = old_pickle([1, 2], pixels_of(0)).replace(b"](K\x01K\x02e", b"](K\x01K\x02K\x03e")
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(content)
    with pytest.raises(TicketError, match=r"shape \[2, 3072\] for 3 labels"):
        cifar10(tmp_path)


class Shell:
    """Pickle as a call of os.mkdir, as an attacker would write it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.path,)


def test_a_pickle_that_calls_a_function_is_refused_and_the_function_not_run(tmp_path: Path) -> None:
    path = tmp_path / "data_batch_1"
    trap = tmp_path / "made-by-the-pickle"
    path.write_bytes(pickle.dumps({"data": Shell(str(trap)), "labels": [1]}, protocol=2))
    with pytest.raises(TicketError, match=r"asks for posix\.mkdir|asks for nt\.mkdir") as caught:
        read_pickled_batch(path)
    assert not trap.exists()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "name", ["builtins\neval", "numpy\nload", "numpy.core.multiarray\nfrombuffer"]
)
def test_every_other_name_is_refused_even_of_numpy(tmp_path: Path, name: str) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(b"\x80\x02c" + name.encode() + b"\n.")
    with pytest.raises(TicketError, match="asks for " + name.replace("\n", ".")):
        read_pickled_batch(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a batch"),
        (b"plain text", "not a batch"),
        (pickle.dumps([1, 2], protocol=2), "not a batch"),
        (pickle.dumps({"labels": [1]}, protocol=2), "'data'"),
        (pickle.dumps({"data": 1, "labels": [1]}, protocol=2), "data is not an array"),
        (old_pickle([1], pixels_of(0, 1), kind=b"f4"), "not of unsigned bytes"),
        (old_pickle([1, 2], pixels_of(0, 1)), r"shape \[2, 3072\] comes with 3072 bytes"),
        (old_pickle([1], pixels_of(0, 1)).replace(b"](K\x01e", b"](Ne"), "list of integers"),
        (b"\x80\x02Nr\xff\xff\xff\x7f.", "numbers 2147483647 objects in 9 bytes"),
    ],
)
def test_a_pickle_that_is_no_batch_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(content)
    with pytest.raises(TicketError, match=message):
        read_pickled_batch(path)


@given(position=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.integers(0, 10_000))
@settings(max_examples=200, deadline=None)
def test_a_damaged_pickle_gives_a_batch_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int, cut: int
) -> None:
    whole = bytearray(old_pickle([3], pixels_of(0, 1)))
    # The pixels are most of the file; what matters is around them.
    frame = [i for i in range(len(whole)) if i < 200 or i > len(whole) - 10]
    whole[frame[position % len(frame)]] = value
    path = tmp_path_factory.mktemp("batch") / "data_batch_1"
    path.write_bytes(whole[: frame[cut % len(frame)]] if cut % 2 else whole)
    try:
        pixels, labels = read_pickled_batch(path)
    except TicketError as error:
        assert str(path) in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert (pixels.dtype, labels.dtype) == (torch.uint8, torch.int64)


def test_the_download_takes_the_six_batches_out_of_the_archive() -> None:
    download = cifar10_download()
    (archive,) = download.files
    assert archive.name == "cifar-10-binary.tar.gz"
    assert len(bytes.fromhex(archive.sha256)) == 32
    assert download.unpack == tuple(f"cifar-10-batches-bin/{name}.bin" for name in BATCHES)
