"""Read the Python batches of CIFAR-10 as plain data: nothing that the pickle names is ever called.

A pickle may ask for any function of any module. Here each of the few names that those files need
stands for a recorder of ours, and every other name ends the reading.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from ticket.errors import TicketError


class RecordedType:
    """Stand for `numpy.dtype`, or `numpy.ndarray` when named as a type: remember the arguments."""

    def __init__(self, *args: object) -> None:
        self.args = args

    def __setstate__(self, state: object) -> None:
        """Ignore byte order and alignment: single bytes have neither."""


class RecordedArray:
    """Stand for a numpy array: remember the state (version, shape, type, Fortran order, bytes)."""

    def __init__(self, *args: object) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


def recorded_bytes(text: str, encoding: str) -> bytes:
    """Stand for `_codecs.encode`, by which Python 3 writes bytes into pickles of protocol 2."""
    return text.encode("latin1") if encoding == "latin1" else b""


RECORDERS: Mapping[tuple[str, str], Callable[..., object]] = MappingProxyType(
    {
        ("numpy.core.multiarray", "_reconstruct"): RecordedArray,
        ("numpy._core.multiarray", "_reconstruct"): RecordedArray,
        ("numpy", "ndarray"): RecordedType,
        ("numpy", "dtype"): RecordedType,
        ("_codecs", "encode"): recorded_bytes,
    }
)


class BatchUnpickler(pickle.Unpickler):
    """Unpickle containers, numbers, strings and the recorders above; refuse the rest."""

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        """Return the recorder for a name; raises UnpicklingError for any other name."""
        if (module, name) not in RECORDERS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch needs")
        return RECORDERS[module, name]


def read_pickled_batch(path: Path) -> tuple[Tensor, Tensor]:
    """Read one pickled batch: a mapping with `data` and `labels`.

    Returns pixels uint8 `[N, 3072]` and labels int64 `[N]`, as they stand in the file. Raises
    TicketError when it is no such pickle, or asks for anything that a batch does not need.
    """
    try:
        content = path.read_bytes()
        _check_sizes(content)
        batch = BatchUnpickler(io.BytesIO(content), encoding="bytes").load()
        fields = {k.decode() if isinstance(k, bytes) else k: v for k, v in batch.items()}
        return _pixels(fields["data"]), _labels(fields["labels"])
    except OSError as error:
        raise TicketError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # a hostile pickle can raise almost anything; none of it is ours
        detail = str(error) or type(error).__name__
        raise TicketError(f"{path} is not a batch of CIFAR-10: {detail}") from error


def _check_sizes(content: bytes) -> None:
    """Refuse claims that would make the unpickler reserve more memory than a file can fill."""
    for opcode, argument, _ in pickletools.genops(content):  # checks the lengths of strings itself
        if isinstance(argument, int) and opcode.name == "LONG_BINPUT" and argument > len(content):
            raise pickle.UnpicklingError(f"it numbers {argument} objects in {len(content)} bytes")


def _pixels(array: object) -> Tensor:
    if not isinstance(array, RecordedArray) or not isinstance(array.state, tuple):
        raise ValueError("data is not an array")
    _, shape, kind, fortran, content = array.state
    if not isinstance(kind, RecordedType) or kind.args[0] not in (b"u1", "u1"):
        raise ValueError("data is not of unsigned bytes")
    rows, columns = (int(size) for size in shape)
    if min(rows, columns) < 1 or len(content) != prod((rows, columns)):
        raise ValueError(f"data of shape {[rows, columns]} comes with {len(content)} bytes")
    flat = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    return flat.reshape(columns, rows).t() if fortran else flat.reshape(rows, columns)


def _labels(labels: object) -> Tensor:
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise ValueError("labels is not a list of integers")
    return torch.tensor(labels, dtype=torch.int64)
