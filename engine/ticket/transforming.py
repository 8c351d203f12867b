"""Transforms: a ticket becomes another one. The controls of an experiment are transforms too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from ticket.tickets import Ticket


@dataclass(frozen=True)
class Given:
    """Give a transform what it may need beside the ticket.

    `origin` builds the network at step 0 of the run, `fresh` one with new initial weights, `dense` the
    network of round 0 after its training; `generator` is a stream of the transform's own.
    """

    origin: Callable[[], nn.Module]
    fresh: Callable[[], nn.Module]
    dense: Callable[[], nn.Module]
    generator: torch.Generator


class Transform(Protocol):
    """Make a ticket from a ticket (group `ticket.transforms`); options are keyword-only."""

    def __call__(self, ticket: Ticket, given: Given) -> Ticket: ...
