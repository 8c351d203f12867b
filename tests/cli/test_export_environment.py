"""What the environment forbids an export or its file is told in one line, by a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ticket import kernels

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not kernels.describe().compiled, reason="exported files need the compiled operators"
    ),
]


def test_without_the_compiled_library_the_remedy_is_named(found: Path, tmp_path: Path) -> None:
    code = (
        f"from ticket_cli.main import main; import sys; sys.argv[1:] = ['export', {str(found)!r}]; "
    )
    done = subprocess.run(
        [sys.executable, "-c", code + "main()"],
        cwd=tmp_path,
        env={**os.environ, "TICKET_KERNELS": "torch"},
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "unset it" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_instruction_set_that_is_not_there_is_one_line(exported: Path) -> None:
    flags = ["bench", str(exported / "mlp.pt")]
    code = f"from ticket_cli.main import main; import sys; sys.argv[1:] = {flags}; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TICKET_ISA": "sse9"},
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert "TICKET_ISA='sse9' is unknown or not supported by this CPU" in done.stderr
