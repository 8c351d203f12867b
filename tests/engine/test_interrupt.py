"""Ctrl-C on the command line: one line that says how to go on, and exit code 130."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.slow
def test_ctrl_c_on_the_command_line_exits_130_and_says_how_to_go_on(tmp_path: Path) -> None:
    command = ["find", "--method", "unilth", "--runs", str(tmp_path), "--steps", "20000", "--quiet"]
    program = f"from ticket_cli.main import run; raise SystemExit(run({command}))"
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("*/round-00/ticket.safetensors")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert process.stderr is not None
    told = process.stderr.readline()
    assert time.monotonic() - began < 2
    told += process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 130
    assert "the same command continues" in told
    assert "Traceback" not in told
