"""The container of a ticket: one safetensors file whose every byte is covered by a checksum.

The header's metadata has one key, `ticket`: a JSON document in one canonical spelling. It lists
each tensor with its SHA-256 and holds the SHA-256 of itself, so that the header can be trusted
without reading the tensors. Nothing is ever unpickled; no size is believed before it is checked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ticket.errors import TicketError

FORMAT = 1
OWN_FIELDS = frozenset({"format", "sha256", "tensors"})  # of the document, set by `encode`
_LARGEST = 1 << 40  # of one dimension: beside a zero it costs the file nothing, but overflows torch
DTYPES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float64: "F64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def canonical(document: object) -> str:
    """Spell a JSON document in the one way that ticket files use: sorted, ASCII, no spaces.

    Raises TicketError when it holds what JSON cannot (a tensor, NaN, a path).
    """
    try:
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TicketError(
            f"the ticket's record is not JSON: {error}; use numbers, text, lists, null"
        ) from error


def encode(document: Mapping[str, object], tensors: Mapping[str, Tensor]) -> bytes:
    """Return the bytes of a ticket file; equal content gives equal bytes.

    Raises TicketError that names a tensor whose dtype a ticket cannot hold.
    """
    table = []
    for name, tensor in tensors.items():
        if tensor.dtype not in DTYPES:
            allowed = ", ".join(DTYPES.values())
            raise TicketError(f"{name!r} is {tensor.dtype}; a ticket holds {allowed}")
        dtype, shape = DTYPES[tensor.dtype], list(tensor.shape)
        table.append({"name": name, "dtype": dtype, "shape": shape, "sha256": _sha256(tensor)})
    full = {k: v for k, v in document.items() if k not in OWN_FIELDS}
    full |= {"format": FORMAT, "tensors": table}
    full["sha256"] = _checksum(full)
    return save(dict(tensors), {"ticket": canonical(full)})


def read_record(path: Path) -> dict[str, Any]:
    """Return the JSON document of the ticket at `path`, its header checked, no tensor loaded.

    `tensors` lists name, dtype and shape in the order of the network. Raises TicketError.
    """
    with _opened(path) as file:
        return _document(path, file)


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the JSON document and the tensors of the ticket at `path`, every byte checked.

    The tensors are ordinary writable ones. Raises TicketError with one line for any other file.
    """
    with _opened(path) as file:
        document = _document(path, file)
        tensors = {}
        for entry in document["tensors"]:
            # A copy: the file is mapped, and would be read-only and change under our feet.
            tensor = file.get_tensor(entry["name"]).clone()
            if _sha256(tensor) != entry["sha256"]:
                raise _damaged(path, f"{entry['name']!r} does not match its checksum")
            tensors[entry["name"]] = tensor
        return document, tensors


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        wrong = "it is not a regular file" if path.exists() else "no such file"
        raise TicketError(f"cannot read {path}: {wrong}")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except OSError as error:
        raise TicketError(f"cannot read {path}: {error}") from error
    except SafetensorError as error:
        reason = " ".join(str(error).split())
        raise TicketError(
            f"{path} is not a ticket, or is cut or damaged: {reason}; restore it or make it again"
        ) from error


def _document(path: Path, file: Any) -> dict[str, Any]:
    text = (file.metadata() or {}).get("ticket")
    if text is None:
        raise TicketError(
            f"{path} is a safetensors file, but no ticket: its metadata has no 'ticket'"
        )
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its record is not JSON") from error
    if not isinstance(document, dict):
        raise _damaged(path, "its record is not a JSON object")
    version = document.get("format")
    if type(version) is not int or version < 1:
        raise _damaged(path, "its record has no format version")
    if version != FORMAT:
        raise TicketError(
            f"{path} has format version {version}; this release reads version {FORMAT}; "
            "upgrade ticket to read it"
        )
    document.pop("sha256", None)
    try:
        whole = canonical({**document, "sha256": _checksum(document)}) == text
    except TicketError as error:
        raise _damaged(path, "its record is not JSON") from error
    if not whole:
        raise _damaged(path, "its record does not match its checksum")
    _check_table(path, document.get("tensors"), file)
    return document


def _check_table(path: Path, table: object, file: Any) -> None:
    if not isinstance(table, list) or not all(_is_entry(entry) for entry in table):
        raise _damaged(path, "its record does not list the tensors")
    listed = {entry["name"]: (entry["dtype"], entry["shape"]) for entry in table}
    present = set(file.keys())
    for name in sorted(listed.keys() ^ present):
        wrong = "is missing" if name in listed else "is not in its record"
        raise _damaged(path, f"the tensor {name!r} {wrong}")
    if len(listed) != len(table):
        raise _damaged(path, "its record lists a tensor twice")
    for name, (dtype, shape) in listed.items():
        view = file.get_slice(name)
        found = view.get_dtype(), view.get_shape()
        if found != (dtype, shape) or dtype not in DTYPES.values():
            raise _damaged(
                path, f"{name!r} is {found[0]} {found[1]}, the record says {dtype} {shape}"
            )


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and entry.keys() == {"name", "dtype", "shape", "sha256"}
        and all(isinstance(entry[key], str) for key in ("name", "dtype", "sha256"))
        and isinstance(entry["shape"], list)
        and all(type(size) is int and 0 <= size < _LARGEST for size in entry["shape"])
    )


def _checksum(document: Mapping[str, object]) -> str:
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def _sha256(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.reshape(-1).view(torch.uint8).numpy().data).hexdigest()


def _damaged(path: Path, wrong: str) -> TicketError:
    return TicketError(f"{path} is damaged: {wrong}; restore it or make it again")
