"""Exported files as they are run: by the operators, by `torch.jit`, by `torch.export`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ticket.benching.race import Call
from ticket.errors import TicketError
from ticket.exporting.ir import Shape
from ticket.exporting.noise import without_noise
from ticket.exporting.opening import Opened, opened
from ticket.exporting.operators import operators


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
        fed = self._pixels(images)
        try:
            return _OPENERS[self.format](self, fed, threads)
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


def subject(path: Path) -> Subject:
    """Read what is to be known of an exported file. Raises TicketError."""
    return Subject(path, opened(path))


def _native(subject: Subject, images: Tensor, threads: int) -> Call:
    plan = torch.frombuffer(bytearray(subject.opened.data[0]), dtype=torch.uint8)
    shape = list(subject.opened.outputs)
    packed, run = operators().pack_plan(plan), operators().infer
    return lambda: run(packed, images, shape, threads)


def _torchscript(subject: Subject, images: Tensor, threads: int) -> Call:
    operators()
    with without_noise():
        module: Any = torch.jit.load(str(subject.path))  # type: ignore[no-untyped-call]
    module.threads = threads
    return lambda: module(images)


def _pt2(subject: Subject, images: Tensor, threads: int) -> Call:
    target = operators().infer_plan.default
    with without_noise():
        program = torch.export.load(subject.path)
        for node in program.graph.nodes:  # the file says how many threads; here they are compared
            if node.target is target:
                node.args = (*node.args[:3], threads)
        module = program.module()
    return lambda: module(images)


_OPENERS: Mapping[str, Callable[[Subject, Tensor, int], Call]] = {
    "native": _native,
    "torchscript": _torchscript,
    "pt2": _pt2,
}
