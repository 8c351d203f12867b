"""Finding a ticket by what a user types: a file, a run's folder, or a model's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ticket.config import from_yaml, short
from ticket.errors import UsageError
from ticket.folder import Folder


def locate(text: str, runs_folder: Path, trained: bool = False, found: bool = False) -> Path:
    """Return the path of the ticket that `text` means; with `trained`, of the trained one if it is there.

    A model's name means the newest ticket for it under the runs folder; with `found`, the newest that
    was found goes before any that was transformed, so that a transform between networks of one name
    starts from the same ticket when it is typed again. Raises UsageError that says how to make one.
    """
    path = Path(text)
    if path.is_file():
        return path
    if path.is_dir():
        return _of_run(path, trained)
    made = runs_folder.glob(f"{short(text)}-*/ticket.safetensors")
    newest = max(
        (p for p in made if _is_for(p.parent, text, trained)),
        key=lambda p: (found and _was_found(p.parent), p.stat().st_mtime),
        default=None,
    )
    if newest is None and ("/" in text or text.endswith(".safetensors")):
        raise UsageError(f"no file {text}; give a ticket, a run's folder or a model's name")
    if newest is None:
        raise UsageError(
            f"no ticket for '{text}' in {runs_folder}; "
            f"make one with: ticket find --method lth --model {text}"
        )
    return _of_run(newest.parent, trained)


def _of_run(path: Path, trained: bool) -> Path:
    folder = Folder(path)
    for candidate in [folder.trained] * trained + [folder.ticket]:
        if candidate.exists():
            return candidate
    raise UsageError(f"{path} holds no ticket yet; the command that began the run continues it")


def _is_for(run: Path, model: str, trained: bool) -> bool:
    """Tell a run of this model, not set aside; one that only trained a ticket has found none.

    Nor has one that led to a given mask: it is a step of a transform.
    """
    if ".old-" in run.name or not (run / "config.yaml").is_file():
        return False
    config = _config(run)
    use = config.get("model")
    name = str(use.get("name") if isinstance(use, dict) else use)
    return model in (name, short(name)) and (
        trained or (config.get("start") is None and config.get("toward") is None)
    )


def _was_found(run: Path) -> bool:
    return "transform" not in _config(run)


def _config(run: Path) -> dict[str, Any]:
    path = run / "config.yaml"
    return from_yaml(path.read_text(encoding="utf-8"), str(path))
