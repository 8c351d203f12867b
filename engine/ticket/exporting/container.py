"""Where an exported file keeps its plans: it is one, or they lie in it as members of a zip.

TorchScript and PT2 files are zips whose tensors are members as they are, so that plans are found
without torch's loader, and nothing that a file holds is unpickled or run.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

from ticket.errors import TicketError
from ticket.exporting.encode import MAGIC

START = MAGIC[:-1]  # whatever the version: `decode` says which it reads
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class Held:
    """Hold a file's format (`native`, `torchscript`, `pt2`) and the bytes of its plans, one or more."""

    format: str
    plans: tuple[bytes, ...]


def is_exported(path: Path) -> bool:
    """Tell by its first bytes whether a file is a plan or a zip, as a ticket never is."""
    start = _first(path)
    return start.startswith((START, _ZIP))


def find_plans(path: Path) -> Held:
    """Return the plans that a file holds, in the order in which they lie there, not yet checked.

    Raises TicketError when the file cannot be read or holds none.
    """
    if _first(path).startswith(START):
        return Held("native", (path.read_bytes(),))
    try:
        with zipfile.ZipFile(path) as archive:
            return _members(path, archive)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
        raise _none(path, "it is no plan, and no zip that holds one") from error


def _members(path: Path, archive: zipfile.ZipFile) -> Held:
    plans: list[bytes] = []
    left = path.stat().st_size  # members that overlap could be of any size together
    for member in archive.infolist():
        # As torch stores tensors; a compressed member could be of any size.
        if member.compress_type != zipfile.ZIP_STORED or member.file_size < len(MAGIC):
            continue
        if member.file_size > left:
            raise _none(path, f"its member {member.filename} is longer than the file")
        with archive.open(member) as stream:
            if stream.read(len(START)) != START:
                continue
        plans.append(archive.read(member))
        left -= member.file_size
    if not plans:
        raise _none(path, "none of its members is a plan")
    names = archive.namelist()
    pt2 = any(name.endswith("/archive_format") or name == "archive_format" for name in names)
    return Held("pt2" if pt2 else "torchscript", tuple(plans))


def _first(path: Path) -> bytes:
    if not path.is_file():
        wrong = "it is not a regular file" if path.exists() else "no such file"
        raise TicketError(f"cannot read {path}: {wrong}")
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC))
    except OSError as error:
        raise TicketError(f"cannot read {path}: {error.strerror}") from error


def _none(path: Path, why: str) -> TicketError:
    return TicketError(f"{path} was not written by ticket export: {why}")
