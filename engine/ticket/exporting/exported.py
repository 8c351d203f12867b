"""What an exporter plugin gets: the lowered network, its plan, the network itself, what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from ticket.exporting.lower import Lowered


@dataclass(frozen=True, eq=False)
class Exported:
    """Hold a trained network on its way into a file.

    `network` is in evaluation mode; `plan` are the bytes that the executor runs; `metadata` what the
    file says of itself; `shape` that of an image and `outputs` that of a result, per image; `batch` a
    fixed number of images, or 0; `example` some images `[N, *shape]` as the file will take them.
    """

    network: nn.Module
    lowered: Lowered
    plan: bytes
    metadata: Mapping[str, Any]
    shape: tuple[int, ...]
    outputs: tuple[int, ...]
    batch: int
    example: Tensor


class Exporter(Protocol):
    """Write a file (group `ticket.exporters`); options are keyword-only.

    The file appears whole or not at all. Returns all files that were written, the main one first.
    """

    def __call__(self, exported: Exported, path: Path) -> list[Path]: ...
