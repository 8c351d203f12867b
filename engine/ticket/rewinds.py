"""Rewind points: checked before anything trains, and the state at one kept in a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ticket import ticket_file
from ticket.batches import per_epoch, validation_size
from ticket.config import Config
from ticket.dataset import DataSet
from ticket.errors import TicketError, UsageError
from ticket.files import write_atomically
from ticket.phases import Train


def check_rewinds(config: Config, data: DataSet) -> None:
    """Raise UsageError when a rewind goes to the end of the training or past it.

    Where patience ends the first training sooner than its length says, the training itself tells.
    """
    examples = range(len(data.train_labels) - validation_size(data))
    each = per_epoch(examples, config.training.batch_size)
    whole = config.training.length.iterations(each)
    opening = next((p for p in config.recipe.opening() if isinstance(p, Train)), Train())
    training = opening.training(config.training)
    first = training.length.iterations(per_epoch(examples, training.batch_size), whole)
    for rewind in config.recipe.rewinds():
        step = rewind.to.iterations(each, whole)
        # The state at a step must be passed; a schedule only has to have something left.
        if step >= whole or (rewind.restore == "weights" and step > first):
            end = whole if step >= whole else first
            raise UsageError(
                f"a rewind to {rewind.to} (iteration {step}) is past the end: the training has "
                f"{end} iterations; rewind to an earlier one or train longer (--steps, --epochs)"
            )


def save_rewind(
    path: Path, step: int, state: Mapping[str, Tensor], moments: Mapping[str, Tensor]
) -> None:
    """Write the network's state and the optimizer's moments at a step, whole or not at all."""
    tensors = {f"model.{name}": tensor for name, tensor in state.items()}
    tensors |= {f"moment.{name}": tensor for name, tensor in moments.items()}
    write_atomically(path, ticket_file.encode({"step": step}, tensors))


def read_rewind(path: Path, step: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return state and moments at a step. Raises TicketError when the file holds another one."""
    document, tensors = ticket_file.read(path)
    if document.get("step") != step:
        raise TicketError(f"{path} holds step {document.get('step')}, not {step}")
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "moment": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = tensor
    return parts["model"], parts["moment"]
