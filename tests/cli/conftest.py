"""What tests of the command line share: a way to type a command, and a run of a second."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
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


def _typed(*arguments: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def ticket() -> Callable[..., tuple[int, str, str]]:
    """Return the command: arguments in; exit code, stdout and stderr out."""
    return _typed


@pytest.fixture
def tiny() -> tuple[str, ...]:
    """Return the flags of a run that takes a second."""
    return TINY


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished UniLTH run with controls; tests change nothing in it."""
    runs = tmp_path_factory.mktemp("found") / "runs"
    flags = ("--method", "unilth", "--controls", "reinit,random", "--runs", runs, *TINY)
    code, _, err = _typed("find", *flags)
    assert code == 0, err
    return next(runs.iterdir())
