"""A fetched file has the published bytes, however the transfer went, or it is not there at all."""

import hashlib
import io
import socket
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticket.errors import TicketError
from ticket.fetching import Download, RemoteFile, fetch, fetch_data

CONTENT = bytes((i * i) % 251 for i in range(5000))


class Handler(BaseHTTPRequestHandler):
    """Serve CONTENT in the manner that the path names, and write down what was asked."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        manner = self.path.split("/")[1]
        wanted = self.headers.get("Range")
        self.asked.append((manner, wanted))
        if manner == "gone":
            self.send_error(404)
            return
        content = {"other": CONTENT[::-1], "longer": CONTENT + b"tail"}.get(manner, CONTENT)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if wanted and manner == "short-range":
            self.send_error(416)
            return
        if wanted and manner != "plain":
            self.send_response(206)
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
            content = content[start:]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:1234] if manner == "breaks" and not wanted else content)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


class Server:
    """Hold the address of a running server and the requests that it met."""

    def __init__(self, address: str, asked: list[tuple[str, str | None]]) -> None:
        self.address = address
        self.asked = asked

    def file(self, *manners: str, name: str = "f.bin", content: bytes = CONTENT) -> RemoteFile:
        urls = tuple(f"{self.address}/{manner}/{name}" for manner in manners)
        return RemoteFile(name, urls, hashlib.sha256(content).hexdigest(), len(content))


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    asked: list[tuple[str, str | None]] = []
    handler = type("Recording", (Handler,), {"asked": asked})
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        pytest.MonkeyPatch.context() as env,
    ):
        env.setenv("no_proxy", "127.0.0.1")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Server(f"http://127.0.0.1:{server.server_address[1]}", asked)
        server.shutdown()
        thread.join()


@pytest.fixture
def server(running: Server) -> Server:
    running.asked.clear()
    return running


def test_a_file_arrives_whole_below_a_folder_that_is_made(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    folder = tmp_path / "data" / "set"
    fetch([server.file("good")], folder, lambda *state: seen.append(state))
    assert [path.name for path in folder.iterdir()] == ["f.bin"]
    assert (folder / "f.bin").read_bytes() == CONTENT
    assert seen[0] == ("f.bin", 0, 5000)
    assert seen[-1] == ("f.bin", 5000, 5000)
    assert sorted(seen) == seen


def test_a_file_that_is_there_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "f.bin").write_bytes(CONTENT)
    seen: list[tuple[str, int, int]] = []
    fetch([server.file("good")], tmp_path, lambda *state: seen.append(state))
    assert server.asked == []
    assert seen == [("f.bin", 5000, 5000)]


def test_a_part_that_is_there_is_continued(server: Server, tmp_path: Path) -> None:
    (tmp_path / "f.bin.partial").write_bytes(CONTENT[:2000])
    fetch([server.file("good")], tmp_path)
    assert server.asked == [("good", "bytes=2000-")]
    assert (tmp_path / "f.bin").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_the_whole_file_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "f.bin.partial").write_bytes(CONTENT[:2000])
    fetch([server.file("plain")], tmp_path)
    assert server.asked == [("plain", "bytes=2000-")]
    assert (tmp_path / "f.bin").read_bytes() == CONTENT


def test_a_transfer_that_breaks_is_kept_and_continued(server: Server, tmp_path: Path) -> None:
    file = server.file("breaks")
    with pytest.raises(TicketError, match="stopped after 1234 of 5000 bytes"):
        fetch([file], tmp_path)
    assert (tmp_path / "f.bin.partial").read_bytes() == CONTENT[:1234]
    assert not (tmp_path / "f.bin").exists()
    fetch([file], tmp_path)
    assert server.asked[-1] == ("breaks", "bytes=1234-")
    assert (tmp_path / "f.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("manner", ["other", "longer"])
def test_wrong_bytes_are_deleted_and_what_was_there_stays(
    server: Server, tmp_path: Path, manner: str
) -> None:
    (tmp_path / "f.bin").write_bytes(b"made by hand")
    with pytest.raises(TicketError) as caught:
        fetch([server.file(manner)], tmp_path)
    assert hashlib.sha256(CONTENT).hexdigest() in str(caught.value)
    assert f"{server.address}/{manner}/f.bin" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["f.bin"]
    assert (tmp_path / "f.bin").read_bytes() == b"made by hand"


def test_a_file_of_other_bytes_is_replaced_by_the_right_one(server: Server, tmp_path: Path) -> None:
    (tmp_path / "f.bin").write_bytes(b"damaged")
    fetch([server.file("good")], tmp_path)
    assert (tmp_path / "f.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("first", ["gone", "other", "breaks", "longer"])
def test_the_next_mirror_is_tried(server: Server, tmp_path: Path, first: str) -> None:
    fetch([server.file(first, "good")], tmp_path)
    assert [manner for manner, _ in server.asked] == [first, "good"]
    assert (tmp_path / "f.bin").read_bytes() == CONTENT


def test_a_part_that_no_server_can_continue_is_given_up(server: Server, tmp_path: Path) -> None:
    (tmp_path / "f.bin.partial").write_bytes(b"x" * 100)
    with pytest.raises(TicketError, match="HTTP status 416"):
        fetch([server.file("short-range")], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_network_is_told_with_the_address_and_the_folder(server: Server, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/f.bin"
    with pytest.raises(TicketError) as caught:
        fetch([RemoteFile("f.bin", (url,), "0" * 64, 10)], tmp_path)
    message = str(caught.value)
    assert url in message
    assert f"put the file into {tmp_path} by hand" in message
    assert "\n" not in message


def test_a_missing_page_is_told_by_its_status(server: Server, tmp_path: Path) -> None:
    with pytest.raises(TicketError, match=r"gone/f\.bin: HTTP status 404"):
        fetch([server.file("gone")], tmp_path)


def test_a_folder_that_cannot_be_made_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TicketError, match="file/set cannot be made"):
        fetch([server.file("good")], tmp_path / "file" / "set")


@given(part=st.binary(max_size=6000) | st.integers(0, 5000).map(lambda n: CONTENT[:n]))
@settings(max_examples=40, deadline=None)
def test_whatever_part_is_there_the_result_is_right_or_nothing(
    running: Server, part: bytes
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "f.bin.partial").write_bytes(part)
        # The second mirror starts anew when the first one continued a part that was never right.
        fetch([running.file("good", "good")], folder)
        assert [path.name for path in folder.iterdir()] == ["f.bin"]
        assert (folder / "f.bin").read_bytes() == CONTENT


def archive(entries: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, entry in entries.items():
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(entry)
                tar.addfile(info, io.BytesIO(entry))
    return packed.getvalue()


def put(folder: Path, content: bytes, *members: str) -> Download:
    """Lay an archive down as if it had just been fetched, so that no server is needed."""
    folder.mkdir()
    (folder / "set.tar.gz").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return Download("data", (RemoteFile("set.tar.gz", (), digest, len(content)),), members)


def test_the_listed_members_are_unpacked_and_nothing_else(tmp_path: Path) -> None:
    content = archive({"in/a.bin": b"A", "in/b.bin": b"B", "../evil": b"E", "in/c.bin": b"C"})
    download = put(tmp_path / "data", content, "in/a.bin", "in/c.bin")
    assert fetch_data(download, tmp_path) == tmp_path / "data"
    files = {
        str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()
    }
    assert files == {"data/in/a.bin": b"A", "data/in/c.bin": b"C"}


def test_what_is_unpacked_is_not_fetched_again(tmp_path: Path) -> None:
    download = put(tmp_path / "data", archive({"a.bin": b"A"}), "a.bin")
    fetch_data(download, tmp_path)
    fetch_data(download, tmp_path)  # the archive is gone and has no address: asking would fail
    assert (tmp_path / "data" / "a.bin").read_bytes() == b"A"


def test_a_member_that_is_missing_or_a_link_is_refused(tmp_path: Path) -> None:
    link = tarfile.TarInfo("a.bin")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    for i, entries in enumerate([{"b.bin": b"B"}, {"a.bin": link}]):
        place = tmp_path / str(i)
        place.mkdir()
        download = put(place / "data", archive(entries), "a.bin")  # type: ignore[arg-type]
        with pytest.raises(TicketError, match=r"set\.tar\.gz holds no regular file a\.bin"):
            fetch_data(download, place)
        assert not (place / "data" / "a.bin").exists()


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    download = put(tmp_path / "data", b"not a tar", "a.bin")
    with pytest.raises(TicketError, match=r"set\.tar\.gz cannot be unpacked"):
        fetch_data(download, tmp_path)
