"""Download the files of a data set: resumed, checked against their SHA-256, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Protocol

from ticket.errors import TicketError

TIMEOUT = 30  # seconds without a byte before a mirror is given up
CHUNK = 1 << 18  # bytes a read

Report = Callable[[str, int, int], None]  # file name, bytes so far, bytes in all


@dataclass(frozen=True)
class RemoteFile:
    """Name one published file: its mirrors in the order to try, its SHA-256 and its bytes."""

    name: str
    urls: tuple[str, ...]
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Download:
    """List what a data set needs from the network.

    `files` go to `folder`, a path below the data folder. `unpack` names the members of a tar
    archive, the one file, that are taken out of it into `folder`; the archive is then removed.
    """

    folder: str
    files: tuple[RemoteFile, ...]
    unpack: tuple[str, ...] = ()


class DownloadPlugin(Protocol):
    """Say what to download for the data set of the same name (group `ticket.downloads`)."""

    def __call__(self) -> Download: ...


def fetch_data(download: Download, data: Path, report: Report | None = None) -> Path:
    """Bring everything that `download` lists below the folder `data`; return where it lies.

    What is there already is left alone. Raises TicketError as `fetch` does, and when the archive
    does not hold what it should.
    """
    folder = data / download.folder
    if download.unpack and all((folder / member).is_file() for member in download.unpack):
        return folder
    fetch(download.files, folder, report)
    if download.unpack:
        for file in download.files:
            _unpack(folder / file.name, download.unpack, folder)
            (folder / file.name).unlink()
    return folder


def fetch(files: Sequence[RemoteFile], folder: Path, report: Report | None = None) -> None:
    """Download `files` into `folder`, in turn, continuing what an earlier call left unfinished.

    A file appears under its name once its SHA-256 is right; until then it is `<name>.partial`.
    Raises TicketError when no mirror gives the right bytes: what came of an unfinished file stays
    for the next call, a wrong one is deleted, and no finished file is touched.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TicketError(f"{folder} cannot be made: {error.strerror}; name another") from error
    for file in files:
        target = folder / file.name
        if not (target.is_file() and _sha256(target) == file.sha256):
            _fetch_one(file, target, report or _silent)
        elif report:
            report(file.name, file.bytes, file.bytes)


def _fetch_one(file: RemoteFile, target: Path, report: Report) -> None:
    partial = target.with_name(file.name + ".partial")
    problems = []
    for url in file.urls:
        try:
            _receive(url, partial, file, report)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:  # no such range: what is held cannot be a part of this file
                partial.unlink(missing_ok=True)
            problems.append(f"{url}: HTTP status {error.code}, {error.reason}")
            continue
        except (OSError, HTTPException) as error:
            problems.append(f"{url}: {_reason(error)}")
            continue
        found = _sha256(partial)
        if found == file.sha256:
            os.replace(partial, target)
            return
        partial.unlink()
        problems.append(f"{url}: SHA-256 is {found}, not {file.sha256}")
    raise TicketError(
        f"{file.name} could not be fetched ({'; '.join(problems)});"
        f" try again, or put the file into {target.parent} by hand"
    )


def _receive(url: str, partial: Path, file: RemoteFile, report: Report) -> None:
    """Bring `partial` to its full length; raises OSError when the server ends before that."""
    held = partial.stat().st_size if partial.exists() else 0
    if held > file.bytes:
        partial.unlink()
        held = 0
    report(file.name, held, file.bytes)
    if held == file.bytes:
        return
    headers = {"User-Agent": "ticket"} | ({"Range": f"bytes={held}-"} if held else {})
    request = urllib.request.Request(url, headers=headers)
    response: HTTPResponse
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        # A server that knows no ranges sends the whole file with status 200.
        resumed = response.status == 206 and _starts_at(response, held)
        held = held if resumed else 0
        with partial.open("ab" if resumed else "wb") as out:
            # One byte more than there should be is enough to see that the file is another one.
            while held <= file.bytes and (chunk := response.read(CHUNK)):
                out.write(chunk)
                held += len(chunk)
                report(file.name, min(held, file.bytes), file.bytes)
            out.flush()
            os.fsync(out.fileno())
    if held < file.bytes:
        raise OSError(f"the server stopped after {held} of {file.bytes} bytes")


def _starts_at(response: HTTPResponse, offset: int) -> bool:
    return response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")


def _reason(error: OSError | HTTPException) -> object:
    return error.reason if isinstance(error, urllib.error.URLError) else error


def _unpack(archive: Path, members: tuple[str, ...], folder: Path) -> None:
    """Take regular files out of a tar archive; no other path below or above `folder` is written."""
    try:
        with tarfile.open(archive) as tar:
            regular = {entry.name: entry for entry in tar if entry.isreg()}
            for name in members:
                member = tar.extractfile(regular[name]) if name in regular else None
                if member is None:
                    raise TicketError(
                        f"{archive} holds no regular file {name}; delete it and fetch it again"
                    )
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = target.with_name(target.name + ".partial")
                with member, partial.open("wb") as out:
                    shutil.copyfileobj(member, out)
                os.replace(partial, target)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise TicketError(f"{archive} cannot be unpacked: {error}") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _silent(name: str, received: int, total: int) -> None:
    """Report to nobody."""
