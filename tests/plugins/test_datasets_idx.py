"""A data set in IDX files is read whole and exactly, or refused in one line that names the file."""

import gzip
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ticket.errors import TicketError
from ticket_plugins.datasets.idx import read_idx
from ticket_plugins.datasets.mnist import (
    fashion_mnist,
    fashion_mnist_download,
    mnist,
    mnist_download,
)


def idx(shape: tuple[int, ...], data: bytes, *, kind: int = 8) -> bytes:
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + data


def write_mnist(folder: Path, *, packed: bool = True) -> None:
    folder.mkdir(parents=True)
    files = {
        "train-images-idx3-ubyte": idx((3, 2, 2), bytes(range(12))),
        "train-labels-idx1-ubyte": idx((3,), bytes([7, 0, 9])),
        "t10k-images-idx3-ubyte": idx((1, 2, 2), bytes([255, 0, 1, 2])),
        "t10k-labels-idx1-ubyte": idx((1,), bytes([5])),
    }
    for name, content in files.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)


@pytest.mark.parametrize("packed", [True, False])
def test_mnist_is_read_from_its_four_files(tmp_path: Path, packed: bool) -> None:
    write_mnist(tmp_path / "mnist", packed=packed)
    data = mnist(tmp_path)
    assert data.train_images.tolist() == [
        [[[0, 1], [2, 3]]],
        [[[4, 5], [6, 7]]],
        [[[8, 9], [10, 11]]],
    ]
    assert data.train_images.dtype == torch.uint8
    assert data.train_labels.tolist() == [7, 0, 9]
    assert data.train_labels.dtype == torch.int64
    assert data.test_images.tolist() == [[[[255, 0], [1, 2]]]]
    assert data.test_labels.tolist() == [5]
    assert data.classes[7] == "7"


def test_fashion_mnist_has_its_own_folder_and_names(tmp_path: Path) -> None:
    write_mnist(tmp_path / "fashion-mnist")
    data = fashion_mnist(tmp_path)
    assert (data.name, data.classes[9], len(data.classes)) == ("fashion-mnist", "Ankle boot", 10)


def test_a_missing_file_is_named_with_the_folder_and_the_remedy(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist")
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(TicketError) as caught:
        mnist(tmp_path)
    message = str(caught.value)
    assert "t10k-labels-idx1-ubyte.gz" in message
    assert str(tmp_path / "mnist") in message
    assert "`ticket data fetch mnist`" in message
    assert "\n" not in message


def test_a_missing_folder_is_met_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(TicketError, match="`ticket data fetch fashion-mnist`"):
        fashion_mnist(tmp_path / "nowhere")


def test_images_and_labels_of_different_counts_are_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist")
    labels = tmp_path / "mnist" / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(gzip.compress(idx((2,), bytes([1, 2]))))
    with pytest.raises(TicketError, match=r"3 images but train-labels-idx1-ubyte\.gz 2 labels"):
        mnist(tmp_path)


def test_a_label_that_is_no_class_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist")
    labels = tmp_path / "mnist" / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(gzip.compress(idx((3,), bytes([1, 10, 2]))))
    with pytest.raises(TicketError, match="the label 10, but mnist has labels 0 to 9"):
        mnist(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with ''"),
        (b"\0\0", "starts with '0000'"),
        (idx((1, 1, 1), b"x"), "starts with '00000803'"),
        (idx((1,), b"x", kind=13), "starts with '00000d01'"),
        (b"\0\0\x08\x01\0\0", "ends after 6 bytes, inside its header"),
        (idx((0,), b""), r"holds no data: its header gives the shape \[0\]"),
        (idx((3,), b"xy"), r"should hold 3 bytes .* but holds 2"),
        (idx((3,), b"wxyz"), r"should hold 3 bytes .* but holds more"),
        (idx((2**32 - 1,), b"xy"), "should hold 4294967295 bytes .* but holds 2"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_a_damaged_file_is_refused_by_name(
    tmp_path: Path, content: bytes, message: str, packed: bool
) -> None:
    path = tmp_path / ("labels.gz" if packed else "labels")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(TicketError, match=message) as caught:
        read_idx(path, dimensions=1)
    assert str(path) in str(caught.value)


def test_a_header_that_claims_an_exabyte_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(idx((2**20, 2**20, 2**20), b"x"))
    with pytest.raises(TicketError, match=f"should hold {2**60} bytes"):
        read_idx(path, dimensions=3)


def test_a_gzip_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.gz"
    path.write_bytes(b"<html>not here</html>")
    with pytest.raises(TicketError, match=r"labels\.gz is not a whole gzip file"):
        read_idx(path, dimensions=1)


@given(cut=st.integers(0, 200), flip=st.integers(0, 200))
@settings(max_examples=100, deadline=None)
def test_a_gzip_file_cut_or_altered_anywhere_never_gives_other_data(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int
) -> None:
    content = bytes((7 * i * i) % 256 for i in range(100))
    whole = gzip.compress(idx((100,), content), mtime=0)
    altered = bytearray(whole)
    altered[flip % len(whole)] ^= 0x55
    path = tmp_path_factory.mktemp("idx") / "labels.gz"
    for damaged in (whole[: cut % len(whole)], bytes(altered)):
        path.write_bytes(damaged)
        try:
            read = read_idx(path, dimensions=1)
        except TicketError as error:
            assert str(path) in str(error)  # noqa: PT017 - either outcome is right
        else:
            assert bytes(read.tolist()) == content


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TicketError, match="cannot be read"):
        read_idx(tmp_path, dimensions=1)


def test_the_downloads_name_the_four_files_with_whole_checksums() -> None:
    for download in (mnist_download(), fashion_mnist_download()):
        names = {file.name for file in download.files}
        assert names == {
            f"{part}-{what}-ubyte.gz"
            for part in ("train", "t10k")
            for what in ("images-idx3", "labels-idx1")
        }
        for file in download.files:
            assert len(bytes.fromhex(file.sha256)) == 32
            assert len(file.urls) == 2
            assert all(url.endswith(f"/{file.name}") for url in file.urls)
    assert mnist_download().folder == "mnist"
    assert fashion_mnist_download().folder == "fashion-mnist"
