"""Files that appear whole or not at all, and the lock that gives a folder to one process.

A temporary file is named `.<name>.<8 hex digits>.tmp` and lies beside its target, so that the last
step is a rename inside one file system. Only a killed process leaves one: `remove_leftovers`.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ticket.errors import TicketError


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the file at `path` by `data`, or leave it as it was.

    Raises TicketError that names the path and the reason (disk full, read-only, no such folder).
    """
    if path.exists() and not path.is_file():
        raise TicketError(f"cannot write {path}: it is not a regular file; give another path")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        _write_new(temporary, data)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _failed("write", path, error) from error
    finally:  # an interrupt must not leave it either; after the rename there is nothing to remove
        with suppress(OSError):
            temporary.unlink()


def write_text_atomically(path: Path, text: str) -> None:
    """Replace the file at `path` by `text` in UTF-8; see `write_atomically`."""
    write_atomically(path, text.encode())


def append_lines(path: Path, lines: Sequence[str]) -> int:
    """Add lines to the file at `path`, on disk before this returns; return its size in bytes.

    Lines that do not fit are taken back whole. Raises TicketError that names path and reason.
    """
    if any("\n" in line for line in lines):
        raise ValueError("a line holds a line break")
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            before = os.fstat(handle).st_size
            try:
                _write_all(handle, "".join(f"{line}\n" for line in lines).encode())
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, before)
                raise
            return os.fstat(handle).st_size
        finally:
            os.close(handle)
    except OSError as error:
        raise _failed("append to", path, error) from error


def truncate(path: Path, size: int) -> None:
    """Cut the file at `path` back to its first `size` bytes; a missing file has 0 bytes.

    Raises TicketError when the file is shorter: zeros would stand in for what was lost.
    """
    try:
        present = path.stat().st_size if path.exists() else 0
        if present < size:
            raise TicketError(
                f"{path} holds {present} bytes, but {size} were written: it was cut or replaced; "
                "restore it or start again in an empty folder"
            )
        if present > size:
            os.truncate(path, size)
    except OSError as error:
        raise _failed("truncate", path, error) from error


def digest(path: Path) -> str:
    """Return the SHA-256 of the file at `path` as 64 hex digits. Raises TicketError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _failed("read", path, error) from error


def remove_leftovers(folder: Path) -> None:
    """Delete what killed writers left in `folder`; call it with the folder's lock held."""
    for path in folder.glob(f".*.{'[0-9a-f]' * 8}.tmp"):
        try:
            path.unlink()
        except OSError as error:
            raise _failed("remove", path, error) from error


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process; whoever comes second is refused, not kept waiting.

    The kernel frees the lock when the process dies, however it dies; processes forked inside share
    it, so their orphans keep the folder. Raises TicketError that names the folder and the holder.
    """
    path = folder / "lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _failed("lock", folder, error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(handle, 20, 0).decode(errors="replace").strip() or "unknown"
            raise TicketError(
                f"{folder} is in use by another process (pid {holder}); wait until it is done"
            ) from error
        except OSError as error:
            raise _failed("lock", folder, error) from error
        # The pid only serves the message above: a disk too full for it must not stop a run.
        with suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        try:
            yield
        finally:  # the file stays: removing it would let two processes lock two different files
            fcntl.flock(handle, fcntl.LOCK_UN)
    finally:
        os.close(handle)


def _write_new(path: Path, data: bytes) -> None:
    # 0o666 less the umask, as for any new file; O_EXCL so that no link is ever followed.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        _write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:  # a write may be partial: at 2 GiB, or just before the disk is full
        rest = rest[os.write(handle, rest) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(handle)


def _failed(verb: str, path: Path, error: OSError) -> TicketError:
    reason = error.strerror or str(error)
    return TicketError(f"cannot {verb} {path}: {reason[:1].lower()}{reason[1:]}")
