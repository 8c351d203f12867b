"""The binary files of CIFAR-10 and CIFAR-100: records of label bytes and 3,072 pixel bytes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ticket.errors import TicketError

PIXELS = 3 * 32 * 32  # bytes of an image: a red, a green and a blue plane


def read_records(path: Path, *, label_bytes: int, remedy: str) -> tuple[Tensor, Tensor]:
    """Read the images of a file and the labels before them.

    Returns pixels uint8 `[N, 3072]` and labels int64 `[N, label_bytes]`. Raises TicketError, with
    `remedy`, when the file cannot be read or its length is not that of one or more whole records.
    """
    length = label_bytes + PIXELS
    try:
        data = bytearray(path.read_bytes())
    except OSError as error:
        raise TicketError(f"{path} cannot be read: {error.strerror}") from error
    if not data or len(data) % length:
        raise TicketError(
            f"{path} holds {len(data)} bytes, which is no whole number of records of {length};"
            f" delete it and {remedy}"
        )
    records = torch.frombuffer(data, dtype=torch.uint8).reshape(-1, length)
    return records[:, label_bytes:], records[:, :label_bytes].long()


def check_labels(path: Path, labels: Tensor, classes: int, dataset: str) -> None:
    """Raise TicketError when a label of `path` is not in `0 .. classes - 1`."""
    for label in (int(labels.min()), int(labels.max())):
        if not 0 <= label < classes:
            raise TicketError(
                f"{path} holds the label {label}, but {dataset} has labels 0 to {classes - 1}"
            )
