"""CIFAR-10, in the two formats that its authors publish."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ticket.dataset import DataSet
from ticket.errors import TicketError
from ticket.fetching import Download, RemoteFile
from ticket_plugins.datasets.cifar_pickle import read_pickled_batch
from ticket_plugins.datasets.cifar_records import PIXELS, check_labels, read_records

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
BINARY = "cifar-10-batches-bin"
PICKLED = "cifar-10-batches-py"
REMEDY = "run `ticket data fetch cifar10`"


def cifar10(folder: Path) -> DataSet:
    """Read CIFAR-10 from `folder`: 50,000 + 10,000 images of 3 x 32 x 32.

    Takes `cifar-10-batches-bin` (binary) if it is there, else `cifar-10-batches-py` (Python's,
    read without executing it). Raises TicketError when neither is, or a file is missing or damaged.
    """
    if (folder / BINARY).is_dir():
        place, ending, read = folder / BINARY, ".bin", read_binary_batch
    elif (folder / PICKLED).is_dir():
        place, ending, read = folder / PICKLED, "", read_pickled_batch
    else:
        raise TicketError(f"cifar10: neither {BINARY} nor {PICKLED} in {folder}; {REMEDY}")
    files = [place / f"data_batch_{i}{ending}" for i in range(1, 6)] + [
        place / f"test_batch{ending}"
    ]
    for file in files:
        if not file.is_file():
            raise TicketError(f"cifar10: no {file.name} in {place}; {REMEDY}")
    *train, test = [_checked(file, *read(file)) for file in files]
    counts = [len(labels) for _, labels in train]
    if len(set(counts)) > 1:
        raise TicketError(
            f"{place}: the training batches hold {counts} images, but all five are of one size;"
            f" delete the short ones and {REMEDY}"
        )
    return DataSet(
        name="cifar10",
        train_images=torch.cat([images for images, _ in train]),
        train_labels=torch.cat([labels for _, labels in train]),
        test_images=test[0].contiguous(),
        test_labels=test[1],
        classes=CLASSES,
        mean=(0.4914, 0.4822, 0.4465),  # of all training pixels, a channel
        std=(0.2470, 0.2435, 0.2616),
        validation=5000,
        crop=4,
        flip=True,
        source="A. Krizhevsky: Learning multiple layers of features from tiny images, 2009",
        licence="none stated; cite the source",
    )


def read_binary_batch(path: Path) -> tuple[Tensor, Tensor]:
    """Read one binary batch: pixels uint8 `[N, 3072]`, labels int64 `[N]`; raises TicketError."""
    pixels, labels = read_records(path, label_bytes=1, remedy=REMEDY)
    return pixels, labels[:, 0]


def cifar10_download() -> Download:
    """List the published archive of CIFAR-10, and the binary batches to take out of it."""
    batches = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    archive = RemoteFile(
        name="cifar-10-binary.tar.gz",
        urls=("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
        sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        bytes=170_052_171,
    )
    return Download("", (archive,), unpack=tuple(f"{BINARY}/{batch}" for batch in batches))


def _checked(path: Path, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    if pixels.shape != (len(labels), PIXELS):
        raise TicketError(
            f"{path} holds pixels of shape {list(pixels.shape)} for {len(labels)} labels;"
            f" it should be [{len(labels)}, {PIXELS}]"
        )
    if len(labels) == 0:
        raise TicketError(f"{path} holds no images")
    check_labels(path, labels, len(CLASSES), "CIFAR-10")
    return pixels.reshape(-1, 3, 32, 32), labels
