"""`ticket eval --exported FILE` runs the file in the ticket's place, and finds the same accuracy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ticket import kernels

Ticket = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.skipif(
    not kernels.describe().compiled, reason="exported files need the compiled operators"
)


@pytest.mark.parametrize("name", ["mlp.tkt", "mlp.pt", "mlp.pt2"])
def test_a_file_is_as_right_as_the_ticket_that_it_is_of(
    ticket: Ticket, exported: Path, found: Path, name: str
) -> None:
    code, out, err = ticket("eval", found, "--exported", exported / name, "--json")
    told, own = json.loads(out), json.loads(ticket("eval", found, "--json")[1])

    assert (code, err) == (0, "")
    assert told["exported"] == str(exported / name)
    assert told["accuracy"] == own["accuracy"]
    assert told["loss"] == pytest.approx(own["loss"], rel=1e-4)
    assert ticket("eval", found, "--exported", exported / name)[1].startswith(str(exported / name))


def test_a_file_that_takes_pixels_is_fed_pixels(
    ticket: Ticket, found: Path, tmp_path: Path
) -> None:
    path = tmp_path / "raw.tkt"
    assert ticket("export", found, "-o", path, "--normalize")[0] == 0
    told, own = (
        json.loads(ticket("eval", found, "--json", *flags)[1])
        for flags in (("--exported", path), ())
    )

    assert told["loss"] == pytest.approx(own["loss"], rel=1e-4)


def test_a_file_of_another_ticket_or_a_fixed_batch_is_refused(
    ticket: Ticket, exported: Path, found: Path, networks: Path, tmp_path: Path
) -> None:
    other = next(path for path in (networks / "runs").iterdir() if path.name.startswith("resnet"))
    fixed = tmp_path / "fixed.tkt"
    assert ticket("export", found, "-o", fixed, "--batch", "3")[0] == 0

    for run, path, said in (
        (other, exported / "mlp.tkt", "was exported from another ticket"),
        (found, fixed, "its export fixed the batch at 3"),
    ):
        code, out, err = ticket("eval", run, "--exported", path)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err
