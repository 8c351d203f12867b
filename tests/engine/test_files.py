"""A file of ours is whole or untouched, and a folder belongs to one process at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ticket.errors import TicketError
from ticket.files import (
    append_lines,
    digest,
    lock,
    remove_leftovers,
    truncate,
    write_atomically,
    write_text_atomically,
)

ENGINE = str(Path(__file__).parents[2] / "engine")


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": ENGINE},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# A file size limit fails the write as a full disk does: partway, with an OSError.
LIMITED = """
import resource, sys
from pathlib import Path
from ticket.errors import TicketError
from ticket.files import append_lines, write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
path = Path(sys.argv[1])
try:
    {call}
except TicketError as error:
    print(error)
"""


def test_a_written_file_holds_the_bytes_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_atomically(path, b"old")
    write_atomically(path, b"\x00new\xff")
    assert path.read_bytes() == b"\x00new\xff"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_text_is_written_as_utf8(tmp_path: Path) -> None:
    write_text_atomically(tmp_path / "a", "ü\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xbc\n"


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "ours", b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_full_disk_keeps_the_old_file_and_removes_the_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    process = python(LIMITED.format(call="write_atomically(path, b'x' * 5000)"), str(path))
    out, err = process.communicate(timeout=60)
    assert (out, err) == (f"cannot write {path}: file too large\n", "")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_lines_that_do_not_fit_are_taken_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"first\n" * 150)
    process = python(LIMITED.format(call="append_lines(path, ['short', 'x' * 500])"), str(path))
    out, err = process.communicate(timeout=60)
    assert (out, err) == (f"cannot append to {path}: file too large\n", "")
    assert path.read_bytes() == b"first\n" * 150


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_whatever_stops_a_write_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(os, "fsync", fail)
    expected = TicketError if isinstance(fault, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a"
    with pytest.raises(TicketError, match=f"^cannot write {path}: no such file or directory$"):
        write_atomically(path, b"")


def test_a_folder_or_a_device_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "folder", tmp_path / "pipe"):
        with pytest.raises(TicketError, match="not a regular file"):
            write_atomically(path, b"")
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]


def test_appended_lines_follow_each_other_and_tell_the_size(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert append_lines(path, ["one"]) == 4
    assert append_lines(path, []) == 4
    assert append_lines(path, ["two", "three"]) == 14
    assert path.read_text() == "one\ntwo\nthree\n"


def test_a_line_with_a_line_break_in_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line break"):
        append_lines(tmp_path / "a", ["one\ntwo"])
    assert not (tmp_path / "a").exists()


def test_a_file_is_cut_back_to_what_a_checkpoint_knew(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    size = append_lines(path, ["known"])
    append_lines(path, ["after the checkpoint"])
    truncate(path, size)
    assert path.read_text() == "known\n"


def test_a_file_shorter_than_known_is_refused_rather_than_filled(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("a\n")
    with pytest.raises(TicketError, match="holds 2 bytes, but 9 were written"):
        truncate(path, 9)
    assert path.read_text() == "a\n"
    truncate(tmp_path / "missing", 0)
    assert not (tmp_path / "missing").exists()


def test_a_digest_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert digest(tmp_path / "a").startswith("ba7816bf8f01cfea")
    with pytest.raises(TicketError, match=r"cannot read .*: no such file"):
        digest(tmp_path / "b")


def test_leftovers_of_killed_writers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".a.bin.0123abcd.tmp", ".hidden", "a.tmp", ".a.bin.zzzzzzzz.tmp"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".a.bin.zzzzzzzz.tmp", ".hidden", "a.tmp"]


HOLD = """
import sys, time
from pathlib import Path
from ticket.files import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_and_a_killed_one_frees_the_folder(tmp_path: Path) -> None:
    holder = python(HOLD, str(tmp_path))
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        refusal = rf"^{tmp_path} is in use by another process \(pid {holder.pid}\)"
        with pytest.raises(TicketError, match=refusal), lock(tmp_path):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with lock(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_lock_is_free_again_after_the_block_even_when_it_raises(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock(tmp_path):
        _ = 1 // 0
    with lock(tmp_path), pytest.raises(TicketError, match="in use"), lock(tmp_path):
        pass


FORKED = """
import os, sys, time
from pathlib import Path
from ticket.files import lock
with lock(Path(sys.argv[1])):
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
try:
    with lock(Path(sys.argv[1])):
        print("locked again")
finally:
    os.kill(child, 9)
"""


def test_a_lock_is_free_after_the_block_even_while_a_forked_worker_lives(tmp_path: Path) -> None:
    assert python(FORKED, str(tmp_path)).communicate(timeout=60) == ("locked again\n", "")


def test_a_folder_that_cannot_be_locked_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(TicketError, match=r"cannot lock .*none: no such file"),
        lock(tmp_path / "none"),
    ):
        pass
