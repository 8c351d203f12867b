"""Read IDX files, the format of MNIST and its relatives, plain or gzipped.

A file is a 4-byte magic (0, 0, 8 for uint8, the number of dimensions), one big-endian uint32 a
dimension, then the bytes in row-major order.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from ticket.errors import TicketError

CHUNK = 1 << 20  # bytes a read: memory follows what a file holds, never what its header claims


def read_examples(folder: Path, part: str, *, name: str, classes: int) -> tuple[Tensor, Tensor]:
    """Read `<part>-images-idx3-ubyte` and `<part>-labels-idx1-ubyte`, with or without `.gz`.

    Returns images uint8 `[N, 1, H, W]` and labels int64 `[N]` of the data set `name`. Raises
    TicketError when a file is missing or damaged, when the two hold different counts, or when a
    label is not below `classes`.
    """
    image_file = _find(folder, f"{part}-images-idx3-ubyte", name)
    label_file = _find(folder, f"{part}-labels-idx1-ubyte", name)
    images = read_idx(image_file, dimensions=3)
    labels = read_idx(label_file, dimensions=1)
    if len(images) != len(labels):
        raise TicketError(
            f"{image_file} holds {len(images)} images but {label_file.name} {len(labels)} labels;"
            " take both from one download"
        )
    highest = int(labels.max())
    if highest >= classes:
        raise TicketError(
            f"{label_file} holds the label {highest}, but {name} has labels 0 to {classes - 1}"
        )
    return images.unsqueeze(1), labels.long()


def read_idx(path: Path, *, dimensions: int) -> Tensor:
    """Read one IDX file of unsigned bytes with so many dimensions; gzipped if it ends in `.gz`.

    Raises TicketError, naming the file, when it cannot be read, is no such IDX file, is empty, or
    is shorter or longer than its header says.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _parse(file, path, dimensions)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise TicketError(f"{path} is not a whole gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise TicketError(f"{path} cannot be read: {error.strerror or error}") from error


def _parse(file: BinaryIO | gzip.GzipFile, path: Path, dimensions: int) -> Tensor:
    magic = bytes([0, 0, 8, dimensions])
    header = file.read(len(magic) + 4 * dimensions)
    if header[:4] != magic:
        raise TicketError(
            f"{path} starts with '{header[:4].hex()}', but an IDX file of bytes in {dimensions}"
            f" dimension(s) starts with '{magic.hex()}'"
        )
    if len(header) < len(magic) + 4 * dimensions:
        raise TicketError(f"{path} ends after {len(header)} bytes, inside its header")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    size = prod(shape)
    if size == 0:
        raise TicketError(f"{path} holds no data: its header gives the shape {list(shape)}")
    data = bytearray()
    while len(data) <= size and (chunk := file.read(CHUNK)):
        data += chunk
    if len(data) != size:
        held = len(data) if len(data) < size else "more"
        raise TicketError(
            f"{path} should hold {size} bytes after its header, for the shape {list(shape)},"
            f" but holds {held}; fetch it again"
        )
    return torch.frombuffer(data, dtype=torch.uint8).reshape(shape)


def _find(folder: Path, name: str, dataset: str) -> Path:
    # The gzipped file first: it is what a download replaces, and it carries a checksum.
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise TicketError(
        f"{dataset}: no {name}.gz (nor {name}) in {folder}; run `ticket data fetch {dataset}`"
    )
