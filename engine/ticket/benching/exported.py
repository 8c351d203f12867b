"""Exported files as they are run: by the operators, by `torch.jit`, by `torch.export`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ticket.benching.race import Call
from ticket.errors import TicketError, UsageError
from ticket.exporting.ir import Shape
from ticket.exporting.noise import without_noise
from ticket.exporting.opening import Opened, opened
from ticket.exporting.operators import operators

Run = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Subject:
    """Hold a file to be timed, and what it says of itself."""

    path: Path
    opened: Opened

    @property
    def format(self) -> str:
        """Return `native`, `torchscript` or `pt2`."""
        return self.opened.format

    @property
    def shape(self) -> Shape:
        """Return the shape of an image."""
        return self.opened.shape

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Return what the exporter wrote about the network."""
        return self.opened.metadata

    @property
    def batch(self) -> int:
        """Return the batch that the export fixed, or 0."""
        return int(self.metadata.get("batch") or 0)

    def call(self, images: Tensor, threads: int) -> Call:
        """Load the file and return a call that runs these images, as the network would take them.

        Raises TicketError when torch cannot load it.
        """
        run, fed = self._run(threads), self._pixels(images)
        return lambda: run(fed)

    def network(self, threads: int) -> nn.Module:
        """Load the file as a network that takes what the ticket's own takes.

        Raises TicketError when torch cannot load it, or when it takes one number of images alone.
        """
        if self.batch:
            raise UsageError(
                f"{self.path}: its export fixed the batch at {self.batch}; "
                "export it without --batch to run any images"
            )
        return _Loaded(self._run(threads), self._pixels)

    def _run(self, threads: int) -> Run:
        try:
            return _OPENERS[self.format](self, threads)
        except TicketError:
            raise
        except Exception as problem:  # torch's loaders raise what they meet in a damaged file
            said = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
            raise TicketError(f"{self.path} does not load: {said}; export it again") from problem

    def _pixels(self, images: Tensor) -> Tensor:
        """Undo the normalisation where the file does it itself."""
        told = self.metadata.get("normalisation") or {}
        if not told.get("in_plan"):
            return images
        mean, std = (
            torch.tensor(told[name] or [absent] * self.shape[0]).reshape(-1, 1, 1)
            for name, absent in (("mean", 0.0), ("std", 1.0))
        )
        scale = float(told["scale"])
        return ((images * std + mean) / scale).contiguous()


class _Loaded(nn.Module):
    """A loaded file where a network is wanted."""

    def __init__(self, run: Run, pixels: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.run = run
        self.pixels = pixels

    def forward(self, images: Tensor) -> Tensor:
        """Return the outputs for images as the ticket's own network takes them."""
        return self.run(self.pixels(images))


def subject(path: Path) -> Subject:
    """Read what is to be known of an exported file. Raises TicketError."""
    return Subject(path, opened(path))


def exported_from(path: Path, sha256: str, threads: int) -> nn.Module:
    """Load a file as a network; raises UsageError unless it is of the ticket with this SHA-256."""
    found = subject(path)
    if found.metadata.get("ticket") != sha256:
        raise UsageError(
            f"{path} was exported from another ticket, {str(found.metadata.get('ticket'))[:12]}; "
            f"this one is {sha256[:12]}"
        )
    return found.network(threads)


def _native(subject: Subject, threads: int) -> Run:
    plan = torch.frombuffer(bytearray(subject.opened.data[0]), dtype=torch.uint8)
    shape = list(subject.opened.outputs)
    packed, run = operators().pack_plan(plan), operators().infer
    return lambda images: run(packed, images, shape, threads)


def _torchscript(subject: Subject, threads: int) -> Run:
    operators()
    with without_noise():
        module: Any = torch.jit.load(str(subject.path))  # type: ignore[no-untyped-call]
    module.threads = threads
    return lambda images: module(images)


def _pt2(subject: Subject, threads: int) -> Run:
    target = operators().infer_plan.default
    with without_noise():
        program = torch.export.load(subject.path)
        for node in program.graph.nodes:  # the file says how many threads; here they are compared
            if node.target is target:
                node.args = (*node.args[:3], threads)
        module = program.module()
    return lambda images: module(images)


_OPENERS: Mapping[str, Callable[[Subject, int], Run]] = {
    "native": _native,
    "torchscript": _torchscript,
    "pt2": _pt2,
}
