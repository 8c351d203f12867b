"""How far an exported network is from the one that PyTorch runs, on the same images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ticket.errors import CheckFailed
from ticket.exporting.program import Program, run_plans

TOLERANCE = 1e-4  # of an image's largest output; fp32 rounding reaches 1e-6
FLIPS = 0.01  # share of images whose class may change where the weights are rounded to 16 bits
BATCH = 64


@dataclass(frozen=True)
class Agreement:
    """Hold what a comparison showed: the largest difference of an output, as a share of the image's
    largest output in size; how many images changed class, of how many; where the images are from."""

    difference: float
    flips: int
    images: int
    source: str


@torch.no_grad()
def compare(
    network: nn.Module,
    program: Program,
    inputs: Tensor,
    prepared: Tensor,
    source: str,
    batch: int = 0,
) -> Agreement:
    """Run both on the same images: the network on `prepared`, the program on `inputs` `[N, C, H, W]`.

    (They differ where the plan normalises pixels itself.) A program for a fixed `batch` runs whole
    batches alone.
    """
    difference, flips = 0.0, 0
    size = batch or BATCH
    if batch:
        repeats = -(-batch // len(inputs))  # a batch may be larger than the set
        whole = max(len(inputs) // batch, 1) * batch
        inputs, prepared = (t.repeat(repeats, 1, 1, 1)[:whole] for t in (inputs, prepared))
    halves = torch.split(inputs, size), torch.split(prepared, size)
    for ours, theirs in zip(*halves, strict=True):
        wanted = network(theirs)
        found = run_plans(program, ours.contiguous())
        wanted, found = wanted.flatten(1), found.flatten(1)
        largest = wanted.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny)
        apart = ((found - wanted).abs().amax(1) / largest).max()
        difference = max(difference, float(apart)) if torch.isfinite(apart) else float("inf")
        flips += int((found.argmax(1) != wanted.argmax(1)).sum())
    return Agreement(difference, flips, len(inputs), source)


def check(agreement: Agreement, exact: bool) -> None:
    """Raise CheckFailed when the two differ by more than is allowed, so that nothing is written.

    `exact`: the weights are fp32; else they were rounded, and only classes are compared.
    """
    if exact and not agreement.difference <= TOLERANCE:
        raise CheckFailed(
            f"the exported network differs from PyTorch's by {agreement.difference:.1e} of an image's "
            f"largest output, more than {TOLERANCE:.0e}; nothing was written (a defect of ticket, "
            "please report it with the model)"
        )
    if agreement.flips > FLIPS * agreement.images and not exact:
        raise CheckFailed(
            f"{agreement.flips} of {agreement.images} images change class with rounded weights, more "
            f"than {FLIPS:.0%}; nothing was written; use --values fp32"
        )
