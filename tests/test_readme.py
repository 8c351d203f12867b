"""The README keeps its word: its Python page runs as printed, its commands and folders exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_page_runs_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every block, in order, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}

    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(compile(block, "README.md", "exec"), names)

    printed = capsys.readouterr().out.splitlines()
    assert printed[1] == "9920 of 49600 weights"
    assert float(printed[0].split()[-1]) > 0.9  # chance is 0.25
    assert float(printed[-1]) > 0.9


def test_the_page_is_at_most_two_screens() -> None:
    """A newcomer reads it whole."""
    assert len(README.splitlines()) <= 130


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#]+)\)", README))
def test_a_link_leads_somewhere(path: str) -> None:
    """Links are relative to the README."""
    assert (ROOT / path).exists()


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_in_the_makefile(target: str) -> None:
    """`make demo` and `make test` are all that a new machine needs."""
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
