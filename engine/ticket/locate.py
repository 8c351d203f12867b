"""Finding a ticket by what a user types: a file, a run's folder, or a model's name."""

from __future__ import annotations

from pathlib import Path

from ticket.config import short
from ticket.errors import UsageError
from ticket.folder import Folder


def locate(text: str, runs_folder: Path, trained: bool = False) -> Path:
    """Return the path of the ticket that `text` means; with `trained`, of the trained one if it is there.

    A model's name means the newest ticket found for it under the runs folder. Raises UsageError that
    says how to make one.
    """
    path = Path(text)
    if path.is_file():
        return path
    if path.is_dir():
        return _of_run(path, trained)
    made = (p for p in runs_folder.glob(f"{short(text)}-*/ticket.safetensors") if _is_for(p, text))
    newest = max(made, key=lambda p: p.stat().st_mtime, default=None)
    if newest is None:
        looks_like_path = "/" in text or text.endswith(".safetensors")
        missing = (
            f"no file {text}" if looks_like_path else f"no ticket for '{text}' in {runs_folder}"
        )
        raise UsageError(
            f"{missing}; make one with: ticket find --method lth --model {short(text)}"
        )
    return _of_run(newest.parent, trained)


def _of_run(path: Path, trained: bool) -> Path:
    folder = Folder(path)
    for candidate in [folder.trained] * trained + [folder.ticket]:
        if candidate.exists():
            return candidate
    raise UsageError(f"{path} holds no ticket yet; the command that began the run continues it")


def _is_for(path: Path, model: str) -> bool:
    """Tell a run of `resnet20` from one of a model whose name only begins so, or that was set aside."""
    name = path.parent.name
    return ".old-" not in name and name.startswith(f"{short(model)}-")
