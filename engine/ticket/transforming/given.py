"""The protocol of transforms: a ticket becomes another one. Controls are transforms too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ticket.errors import TicketError
from ticket.scoring import Survey
from ticket.tickets import Ticket


def _no_training(ticket: Ticket, fields: Mapping[str, Any]) -> Ticket:
    raise TicketError("a transform that trains cannot be a control; use it with: ticket transform")


def _no_finding(ticket: Ticket, state: Mapping[str, Tensor], recipe: str) -> Ticket:
    raise TicketError("a transform that trains cannot be a control; use it with: ticket transform")


def _no_survey(network: nn.Module, masks: Mapping[str, Tensor]) -> Survey:
    raise TicketError("no training examples are at hand to score weights on")


def _no_network() -> nn.Module:
    raise TicketError("the ticket's own network is not at hand")


@dataclass(frozen=True)
class Given:
    """Give a transform what it may need beside the ticket.

    `own` builds the ticket's own network with the ticket in it, `origin` the same network at step 0 of
    its run, `dense` that of round 0 after its training (TicketError where either was not kept); `fresh`
    the network that the result is for, with new initial weights (of a control, the same network).
    `generator` is a stream of the transform's
    own. `name` is the target model's name, for messages. `new` names the tensors of the target whose
    shape its data set decides otherwise than the ticket's: they cannot come from the ticket.
    `train` trains a ticket of the target, with these fields of its training changed, and returns it
    with the trained weights and the record that it had; `find` carries out a recipe's rounds from a
    dense state toward the masks of a ticket of the target, and returns what comes out. Both are runs
    like any other, so a kill loses seconds and nothing is trained twice. `survey` shows a network of the
    target, of which masks keep a part, to a criterion, with the target's training examples.
    """

    origin: Callable[[], nn.Module]
    fresh: Callable[[], nn.Module]
    dense: Callable[[], nn.Module]
    generator: torch.Generator
    name: str = ""
    new: frozenset[str] = frozenset()
    train: Callable[[Ticket, Mapping[str, Any]], Ticket] = _no_training
    own: Callable[[], nn.Module] = _no_network
    find: Callable[[Ticket, Mapping[str, Tensor], str], Ticket] = _no_finding
    survey: Callable[[nn.Module, Mapping[str, Tensor]], Survey] = _no_survey


class Transform(Protocol):
    """Make a ticket from a ticket (group `ticket.transforms`); options are keyword-only.

    One that moves tensors between networks says so in its result's record (`ticket.transforming.moves`).
    """

    def __call__(self, ticket: Ticket, given: Given) -> Ticket: ...
