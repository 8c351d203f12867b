"""What cannot be transformed, and a strategy that gives no ticket, is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ticket.errors import TicketError, UsageError
from ticket.tickets import Ticket
from ticket.transforming.performing import Transformed

Make = Callable[..., Any]
Perform = Callable[..., Transformed]


def test_trained_weights_are_refused(ticket_for: Make, transform: Perform) -> None:
    with pytest.raises(UsageError, match=r"the file holds trained weights; .* ticket\.safetensors"):
        transform(ticket_for("resnet14", trained=True), "resnet20")


def test_a_ticket_that_does_not_say_what_it_is_for_is_refused(
    tower: Make, ticket_of: Make, transform: Perform
) -> None:
    with pytest.raises(UsageError, match="does not record its model and data set"):
        transform(ticket_of(tower()), "resnet20")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return None", "gives NoneType, not a Ticket"),
        ("return ticket.state", "gives .*dict, not a Ticket"),
        ("return ticket", "gives no ticket for resnet20: .* such as elastic, comes first"),
        (
            "return Ticket(ticket.masks, ticket.state, {**ticket.record, 'moves': {'units': {}}})",
            "a strategy records its moves as units, states, masks and new",
        ),
    ],
)
def test_a_strategy_that_gives_nonsense_is_refused(
    ticket_for: Make, transform: Perform, strategy: Make, body: str, told: str
) -> None:
    with pytest.raises(UsageError, match=told) as refused:
        transform(ticket_for("resnet14"), "resnet20", [strategy(body)])
    assert "\n" not in str(refused.value)


def test_what_only_the_run_knows_is_asked_of_the_run(
    ticket_for: Make, transform: Perform, tmp_path: Path
) -> None:
    ticket = ticket_for("resnet14")
    with pytest.raises(
        TicketError, match="'oneshot' wants the trained dense network; give the run"
    ):
        transform(ticket, None, ["oneshot"])
    with pytest.raises(TicketError, match="'dense' wants the weights that the run began with"):
        transform(ticket_for("resnet14", weights="ab" * 32), None, ["dense"])
    (tmp_path / "round-00").mkdir()
    with pytest.raises(TicketError, match="did not keep the trained dense network"):
        transform(ticket, None, ["oneshot"], folder=tmp_path)
    path = tmp_path / "round-00" / "trained-0-train.safetensors"
    ticket.save(path)  # of a first training that was sparse
    with pytest.raises(
        TicketError, match=r"trained no dense network: .* 86,552 of 173,456 weights"
    ):
        transform(ticket, None, ["oneshot"], folder=tmp_path)
    Ticket({}, ticket.state, ticket.record).save(path)
    made = transform(ticket, None, ["oneshot"], folder=tmp_path).ticket
    assert made.kept == ticket.kept


def test_a_strategy_that_trains_needs_a_place_to_train(
    ticket_for: Make, transform: Perform, strategy: Make
) -> None:
    with pytest.raises(TicketError, match="use it with: ticket transform"):
        transform(ticket_for("resnet14"), None, [strategy("return given.train(ticket, {})")])
