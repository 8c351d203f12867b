"""The training examples of the network that a transform is for."""

from __future__ import annotations

from ticket.batches import Examples
from ticket.request import Objects, Request, prepare
from ticket.ticket_training import Where, document_of
from ticket.tickets import Ticket


def training_examples(
    ticket: Ticket, where: Where, objects: Objects | None = None
) -> tuple[Examples, int]:
    """Return the examples that a training of the ticket sees, on the CPU, and its batch size.

    Its validation examples are not among them. Raises TicketError when the data cannot be read.
    """
    request = Request(
        document=document_of(ticket),
        data_folder=where.data_folder,
        seed=ticket.seed,
        device="cpu",
        start=ticket.identity(),
    )
    prepared = prepare(request, objects)
    return prepared.task.splits(ticket.seed).train, prepared.config.training.batch_size
