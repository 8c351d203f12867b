"""What an exporter plugin gets: the lowered network, its plan, the network itself, what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn

from ticket.errors import TicketError, UsageError
from ticket.exporting.lower import Lowered
from ticket.exporting.program import Program
from ticket.registry import load
from ticket.uses import Use

Function = TypeVar("Function", bound=Callable[..., Any])
_REASON = "ticket_refused_when"


@dataclass(frozen=True, eq=False)
class Exported:
    """Hold a trained network on its way into a file.

    `network` is in evaluation mode; `program` is what the file runs: plans, and torch's operators
    where a network has others; `metadata` what the file says of itself; `shape` that of an image and
    `outputs` that of a result, per image; `batch` a fixed number of images, or 0; `example` some images
    `[N, *shape]` as the file will take them.
    """

    network: nn.Module
    lowered: Lowered
    program: Program
    metadata: Mapping[str, Any]
    shape: tuple[int, ...]
    outputs: tuple[int, ...]
    batch: int
    example: Tensor

    @property
    def plan(self) -> bytes:
        """Return the bytes that the executor runs, for a format that has no torch around them.

        Raises TicketError that names the operators which the executor does not know.
        """
        unknown = ", ".join(dict.fromkeys(self.lowered.report.unknown))
        if unknown:
            raise TicketError(
                f"model '{self.metadata.get('model')}' uses {unknown}, which the executor does not "
                "know; with --format torchscript or pt2 it stays torch's, or build the network from "
                "the operations of docs/export.md"
            )
        return self.program.plans[0]


def refused_when(reason: Callable[[], str]) -> Callable[[Function], Function]:
    """Let an exporter refuse before any work: `reason()` says why it cannot write here, or nothing."""

    def marked(exporter: Function) -> Function:
        exporter.__dict__[_REASON] = reason
        return exporter

    return marked


def check_exporter(use: Use) -> None:
    """Raise UsageError where the exporter says that it cannot write in this process."""
    reason = load(use.kind, use.name).function.__dict__.get(_REASON)
    if reason is not None and (why := reason()):
        raise UsageError(why)


class Exporter(Protocol):
    """Write a file (group `ticket.exporters`); options are keyword-only.

    What it can tell beforehand that it cannot do, it says by `refused_when`.

    The file appears whole or not at all. Returns all files that were written, the main one first.
    """

    def __call__(self, exported: Exported, path: Path) -> list[Path]: ...
