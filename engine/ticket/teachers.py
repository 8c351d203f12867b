"""Teachers: the trained network whose soft labels another one learns from.

It is the dense network of round 0 unless a file is given. Either way the run's folder holds its state,
so that a resumed training, a control and a later `ticket train` meet the same teacher.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from ticket import ticket_file
from ticket.config import Config
from ticket.dataset import DataSet
from ticket.errors import TicketError, UsageError
from ticket.files import write_atomically
from ticket.folder import Folder
from ticket.locate import locate
from ticket.losses import wants_teacher
from ticket.network import state_of
from ticket.phases import Phase, Train
from ticket.recipe import Recipe
from ticket.training import Training
from ticket.weights import read_weights, record_in

REMEDY = "give a trained network of the same model with --teacher"


def taught(phases: tuple[Phase, ...], training: Training) -> list[bool]:
    """Tell for each training phase, in turn, whether it learns from a teacher."""
    return [wants_teacher(p.training(training).loss) for p in phases if isinstance(p, Train)]


def check_teacher(recipe: Recipe, training: Training, given: bool, alone: bool) -> list[str]:
    """Return what is wrong with who teaches whom.

    `given`: a teacher is there from the start; `alone`: only `final` is carried out.
    """
    opening = recipe.final if alone else recipe.opening()
    phases = recipe.final if alone else recipe.all_phases()
    if given and not any(taught(phases, training)):
        return [
            f"recipe '{recipe.name}' learns from hard labels and has no use for a teacher; "
            "use --method kd, or set a loss such as training.loss=distillation"
        ]
    first = taught(opening, training)[:1] if not alone else [any(taught(phases, training))]
    if not given and first == [True]:
        return [
            f"recipe '{recipe.name}' learns from a teacher before there is one: no dense network is "
            f"trained with hard labels first; {REMEDY}"
        ]
    return []


def locate_teacher(text: str, runs_folder: Path) -> Path:
    """Return the file of the trained network that `text` (a file, a run, a model's name) means.

    Of a run that found a ticket this is its dense network after round 0, else what the run trained.
    Raises UsageError.
    """
    path = locate(text, runs_folder, trained=True)
    if Path(text).is_file():
        return path
    folder = Folder(path.parent)
    return next(iter(sorted(folder.round(0).glob("trained-*.safetensors"))), path)


def beside(ticket: Path) -> Path | None:
    """Return the teacher in the folder of the run that a ticket's file lies in, if there is one."""
    folders = (Folder(ticket.parent), Folder(ticket.parent.parent))
    return next((folder.teacher for folder in folders if folder.teacher.is_file()), None)


def read_teacher(
    path: Path, network: nn.Module, config: Config, data: DataSet
) -> dict[str, Tensor]:
    """Read a teacher for the network of this configuration and the images of a data set.

    Raises UsageError, saying what differs, for a network of other classes, images or architecture, and
    for start weights, from which nothing is to be learnt; TicketError for a damaged file.
    """
    record = record_in(path)
    fed, model = record.get("input") or {}, config.model.name
    theirs = (record.get("model") or {}).get("name", model)
    classes, shape = len(data.classes), list(data.train_images.shape[1:])
    if fed.get("classes", classes) != classes:
        raise UsageError(
            f"teacher {path} knows {fed['classes']} classes, '{data.name}' has {classes}; {REMEDY}"
        )
    if list(fed.get("shape", shape)) != shape:
        raise UsageError(
            f"teacher {path} sees images {fed['shape']}, those of '{data.name}' are {shape}; {REMEDY}"
        )
    if theirs != model:
        raise UsageError(f"teacher {path} is a {theirs}, the student a {model}; {REMEDY}")
    if "training" in record and not record.get("trained") and "trained-" not in path.name:
        raise UsageError(
            f"teacher {path} holds a ticket's start weights, which teach nothing; "
            "give the trained.safetensors beside it, or the run's folder"
        )
    try:
        return read_weights(path, network, config.recipe.basis)
    except TicketError as problem:
        raise UsageError(f"the teacher does not fit the student: {problem}; {REMEDY}") from problem


def save_teacher(path: Path, model: nn.Module | Mapping[str, Tensor]) -> None:
    """Write a teacher's state, whole or not at all."""
    state = state_of(model) if isinstance(model, nn.Module) else model
    write_atomically(path, ticket_file.encode({}, {f"state.{n}": t for n, t in state.items()}))


def load_teacher(path: Path) -> dict[str, Tensor]:
    """Read what `save_teacher` wrote. Raises TicketError when it is not there."""
    _, tensors = ticket_file.read(path)
    return {name.removeprefix("state."): tensor for name, tensor in tensors.items()}
