"""What tests of the command line share: a way to type a command, and a run of a second."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ticket_cli.main import run

# A 16-8-4 network on 80 drawn images, two cuts, 20 iterations a training.
TINY = (
    *("--model", "mlp", "--set", "model.hidden=[8]"),
    *("--dataset", "synthetic", "--set", "dataset.examples=80", "--set", "dataset.size=4"),
    *("--optimizer", "sgd", "--lr", "0.1", "--batch-size", "16"),
    *("--steps", "20", "--eval-every", "5it", "--rounds", "2"),
)


@dataclass(frozen=True)
class Typed:
    """Hold what a command left behind."""

    code: int
    out: str
    err: str


def type_ticket(*arguments: object) -> Typed:
    """Run `ticket` with these arguments in this process, as its entry point would."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return Typed(code, out.getvalue(), err.getvalue())


@pytest.fixture
def ticket() -> Callable[..., Typed]:
    """Return the command `ticket`."""
    return type_ticket


@pytest.fixture
def tiny() -> tuple[str, ...]:
    """Return the flags of a run that takes a second."""
    return TINY


@dataclass(frozen=True)
class Found:
    """Hold a finished run of `find --method unilth`, its folder of runs, and what was printed."""

    runs: Path
    folder: Path
    typed: Typed


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Return a finished tiny run with its controls; tests read it and add nothing to it."""
    runs = tmp_path_factory.mktemp("found") / "runs"
    flags = ("--method", "unilth", "--controls", "reinit,random", "--runs", runs, *TINY)
    typed = type_ticket("find", *flags)
    assert typed.code == 0, typed.err
    return Found(runs, next(runs.iterdir()), typed)
