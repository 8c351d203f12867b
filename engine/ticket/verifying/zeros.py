"""Masked weights, and what an optimizer remembers of them, are +0.0 wherever they were written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor

from ticket import ticket_file
from ticket.verifying.results import Result, judged, skipped
from ticket.verifying.stored import Stored, not_zero, read_stored


def zeros(stored: Stored, subject: str) -> Result:
    """Check the masked weights in one file."""
    return judged("zeros", subject, _wrong(stored.masks, stored.state, ""))


def zeros_in(folder: Path, checkpoint: Path, tickets: tuple[Path, ...]) -> Iterator[Result]:
    """Check every ticket, trained ticket and checkpoint under a run's folder but `tickets`."""
    for path in sorted(folder.rglob("*.safetensors")):
        if path.name.startswith(("ticket", "trained")) and path not in tickets:
            yield zeros(read_stored(path), str(path.relative_to(folder)))
    if checkpoint.is_file():
        yield _in_checkpoint(checkpoint)
    else:
        yield skipped(
            "zeros",
            "moments",
            "a finished run keeps no optimizer's moments; --replay N looks at those of round N",
        )


def moments_zero(
    moments: Mapping[str, Tensor], masks: Mapping[str, Tensor], subject: str
) -> Result:
    """Check the moments `<parameter>|<moment>` of an optimizer."""
    return judged("zeros", subject, _wrong(masks, moments, "|"))


def _in_checkpoint(path: Path) -> Result:
    """Check the weights, the best weights so far, and the moments that an unfinished run goes on from.

    Moments that a rewind brought back are those of the dense network: the next training begins by
    holding them, so they are no part of this.
    """
    document, tensors = ticket_file.read(path)
    parts: dict[str, dict[str, Tensor]] = {"mask": {}, "model": {}, "best": {}, "moment": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        if part in parts:
            parts[part][rest] = tensor
    masks = {name: mask.bool() for name, mask in parts["mask"].items()}
    wrong = _wrong(masks, parts["model"], "")
    if not (document.get("point") or {}).get("updates"):  # else the best may have had other masks
        wrong += _wrong(masks, parts["best"], "")
    return judged("zeros", path.name, wrong + _wrong(masks, parts["moment"], "|"))


def _wrong(masks: Mapping[str, Tensor], tensors: Mapping[str, Tensor], mark: str) -> list[str]:
    """Say which tensors hold something where their parameter is masked; `mark` ends its name."""
    wrong = []
    for name, tensor in tensors.items():
        mask = masks.get(name.rpartition(mark)[0] if mark else name)
        if mask is None or mask.shape != tensor.shape:
            continue
        if count := not_zero(tensor, mask):
            wrong.append(f"{name!r} has {count:,} masked entries that are not +0.0")
    return wrong
