"""CIFAR-100 is read from the official binary format, by its classes or by their superclasses."""

import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from ticket.errors import TicketError
from ticket.fetching import fetch_data
from ticket_plugins.datasets.cifar100 import CLASSES, cifar100, cifar100_download

RECORD = 2 + 3 * 1024  # a coarse label, a fine label, three planes

# Superclass and class of five images, as the authors' table pairs them.
PAIRS = {
    "train.bin": [(0, 4), (19, 41), (7, 99)],  # a beaver, a lawn mower, and no such pair
    "test.bin": [(4, 0), (17, 52)],  # an apple, an oak
}


def record(coarse: int, fine: int, image: int) -> bytes:
    return bytes([coarse, fine]) + bytes((image * 7 + i) % 251 for i in range(3072))


def contents() -> dict[str, bytes]:
    return {
        name: b"".join(record(coarse, fine, i) for i, (coarse, fine) in enumerate(pairs))
        for name, pairs in PAIRS.items()
    }


def write(folder: Path) -> Path:
    place = folder / "cifar-100-binary"
    place.mkdir()
    for name, content in contents().items():
        (place / name).write_bytes(content)
    return place


def test_records_give_planes_of_rows_and_the_fine_labels(tmp_path: Path) -> None:
    write(tmp_path)
    data = cifar100(tmp_path)
    assert data.train_images.shape == (3, 3, 32, 32)
    assert data.test_images.shape == (2, 3, 32, 32)
    assert data.train_labels.tolist() == [4, 41, 99]
    assert data.test_labels.tolist() == [0, 52]
    # Image 1, blue, row 5, column 7.
    assert data.train_images[1, 2, 5, 7].item() == (7 + 2 * 1024 + 5 * 32 + 7) % 251
    assert data.train_images.is_contiguous()
    assert (data.name, data.crop, data.flip, data.validation) == ("cifar100", 4, True, 5000)


def test_superclasses_are_an_option(tmp_path: Path) -> None:
    write(tmp_path)
    data = cifar100(tmp_path, labels="coarse")
    assert data.train_labels.tolist() == [0, 19, 7]
    assert data.test_labels.tolist() == [4, 17]
    assert [data.classes[i] for i in data.test_labels.tolist()] == [
        "fruit_and_vegetables",
        "trees",
    ]
    assert data.test_images.equal(cifar100(tmp_path).test_images)


def test_there_are_a_hundred_classes_in_alphabetical_order_and_twenty_superclasses() -> None:
    fine, coarse = CLASSES["fine"], CLASSES["coarse"]
    assert (len(set(fine)), len(set(coarse))) == (100, 20)
    assert (list(fine), list(coarse)) == (sorted(fine), sorted(coarse))
    assert {i: fine[i] for i in (0, 23, 52, 58, 80, 99)} == {
        0: "apple",
        23: "cloud",
        52: "oak_tree",
        58: "pickup_truck",
        80: "squirrel",
        99: "worm",
    }


@pytest.mark.parametrize("name", ["train.bin", "test.bin"])
def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path, name: str) -> None:
    (write(tmp_path) / name).unlink()
    with pytest.raises(TicketError, match=rf"no {name} in .*; run `ticket data fetch cifar100`$"):
        cifar100(tmp_path)


@pytest.mark.parametrize("length", [0, 1, RECORD - 1, RECORD + 1, 2 * 3073])
def test_a_file_of_partial_records_is_refused(tmp_path: Path, length: int) -> None:
    (write(tmp_path) / "train.bin").write_bytes(bytes(length))
    with pytest.raises(
        TicketError, match=f"holds {length} bytes, which is no whole number of records of {RECORD}"
    ):
        cifar100(tmp_path)


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ((0, 100), "holds the label 100, but CIFAR-100, fine, has labels 0 to 99"),
        ((20, 0), "holds the label 20, but CIFAR-100, coarse, has labels 0 to 19"),
    ],
)
@pytest.mark.parametrize("labels", ["fine", "coarse"])
def test_a_label_that_is_too_high_is_refused_whichever_labels_are_read(
    tmp_path: Path, pair: tuple[int, int], message: str, labels: str
) -> None:
    path = write(tmp_path) / "test.bin"
    path.write_bytes(record(1, 2, 0) + record(*pair, 1))
    with pytest.raises(TicketError, match=message) as caught:
        cifar100(tmp_path, labels=labels)  # type: ignore[arg-type]
    assert str(path) in str(caught.value)


def test_the_download_takes_two_files_out_of_the_archive(tmp_path: Path) -> None:
    download = cifar100_download()
    (archive,) = download.files
    assert archive.name == "cifar-100-binary.tar.gz"
    assert len(bytes.fromhex(archive.sha256)) == 32
    assert download.unpack == ("cifar-100-binary/train.bin", "cifar-100-binary/test.bin")


def test_an_archive_of_the_official_form_is_unpacked_and_read(tmp_path: Path) -> None:
    """The form of the published archive: a folder with the records and the names of the classes."""
    source = tmp_path / "served.tar.gz"
    names = {f"{kind}_label_names.txt": "\n".join(CLASSES[kind]).encode() for kind in CLASSES}
    with tarfile.open(source, "w:gz") as tar:
        for name, content in (contents() | names).items():
            entry = tarfile.TarInfo(f"cifar-100-binary/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    served = source.read_bytes()
    download = cifar100_download()
    file = replace(
        download.files[0],
        urls=(source.as_uri(),),
        sha256=hashlib.sha256(served).hexdigest(),
        bytes=len(served),
    )
    data = tmp_path / "data"
    fetch_data(replace(download, files=(file,)), data)
    assert cifar100(data).test_labels.tolist() == [0, 52]
    assert sorted(p.name for p in data.iterdir()) == ["cifar-100-binary"]
