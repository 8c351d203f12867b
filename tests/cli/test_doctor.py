"""`ticket doctor` and `ticket data` say what is there, what is missing, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ticket.errors import TicketError

Ticket = Callable[..., tuple[int, str, str]]


def test_doctor_tells_versions_kernels_data_and_disk(ticket: Ticket, tmp_path: Path) -> None:
    code, out, _ = ticket("doctor", "--data", tmp_path, "--runs", tmp_path / "runs", "--json")
    found = {one["name"]: one["value"] for one in json.loads(out)}

    assert code == 0
    assert found["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert found["data sets"] == "digits, synthetic"
    assert "kernels" in found
    assert not (tmp_path / "runs").exists()


def test_doctor_exits_with_1_when_the_kernels_do_not_load(
    ticket: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise TicketError("the compiled kernels do not load")

    monkeypatch.setattr("ticket.kernels.describe", fail)
    code, out, _ = ticket("doctor")

    assert code == 1
    assert "BROKEN kernels       the compiled kernels do not load" in out


def test_doctor_exits_with_1_when_the_runs_folder_is_a_file(ticket: Ticket, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, out, _ = ticket("doctor", "--runs", tmp_path / "file" / "runs")

    assert code == 1
    assert "name another with --runs" in out


def test_data_list_tells_ready_from_missing(ticket: Ticket, tmp_path: Path) -> None:
    _, out, _ = ticket("data", "list", "--data", tmp_path, "--json")
    ready = {one["name"]: one["ready"] for one in json.loads(out)}

    assert ready["digits"]
    assert ready["synthetic"]
    assert not ready["mnist"]
    assert not ready["cifar10"]


def test_data_where_names_folder_files_and_checksums(ticket: Ticket, tmp_path: Path) -> None:
    code, out, _ = ticket("data", "where", "mnist", "--data", tmp_path)

    assert code == 0
    assert str(tmp_path / "mnist") in out
    assert "train-images-idx3-ubyte.gz" in out
    assert "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609" in out


def test_data_fetch_of_a_bundled_set_needs_no_network(ticket: Ticket, tmp_path: Path) -> None:
    assert ticket("data", "fetch", "digits", "--data", tmp_path)[:2] == (
        0,
        "digits needs no download\n",
    )


def test_data_fetch_without_a_network_is_one_line_that_says_what_to_do(
    ticket: Ticket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    code, _, err = ticket("data", "fetch", "mnist", "--data", tmp_path)

    assert (code, err.count("\n")) == (1, 1)
    assert "by hand" in err


@pytest.mark.parametrize("verb", ["fetch", "where"])
def test_an_unknown_data_set_is_answered_with_the_closest(ticket: Ticket, verb: str) -> None:
    code, _, err = ticket("data", verb, "mnst")

    assert (code, "did you mean 'mnist'?" in err) == (2, True)
