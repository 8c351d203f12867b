"""What a user asks for, as plain data, and how it becomes a configuration and a task.

Training fields come from, the later the stronger: the defaults, what the model declares (its paper's
training), what the data set changes, what the recipe changes, flags.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ticket.bases import basis_of, coefficients
from ticket.config import Config, read_config, refuse, set_field
from ticket.dataset import DataSet
from ticket.errors import UsageError
from ticket.ladder import check_groups, ladder
from ticket.network import state_of
from ticket.penalties import check_penalties
from ticket.recipe import recipe_document
from ticket.rewinds import check_rewinds
from ticket.task import (
    Task,
    builder,
    check_network,
    declared_training,
    given_data,
    layers,
    open_data,
)
from ticket.teachers import read_teacher
from ticket.training import Training
from ticket.uses import Use, bind, read_use
from ticket.weights import content_hash, read_weights


@dataclass(frozen=True)
class Request:
    """Hold what was asked for; names, numbers and paths only, so that it can go to another process.

    `recipe` and `training` change single fields; `sets` are (path, value) pairs over everything.
    """

    method: str = "lth"
    document: Mapping[str, Any] | None = None  # a whole resolved run instead of a method
    start: str | None = None  # SHA-256 of the ticket to train
    model: str | None = None
    dataset: str | None = None
    data_folder: Path = Path("data")
    runs_folder: Path = Path("runs")
    recipe: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    rewind: str | None = None
    sets: tuple[tuple[str, Any], ...] = ()
    seed: int = 0
    weights: Path | None = None
    teacher: Path | None = None
    device: str = "auto"
    threads: int = 1
    controls: tuple[str, ...] = ()
    control_rounds: tuple[int, ...] | None = None  # None: the last
    keep: str = "tickets"


@dataclass(frozen=True)
class Objects:
    """Hold what a Python caller gives instead of names."""

    model: Callable[..., nn.Module] | nn.Module | None = None
    data: DataSet | None = None


@dataclass(frozen=True)
class Prepared:
    """Pair the configuration with the task it describes and the weights it starts from."""

    config: Config
    task: Task
    weights: dict[str, Tensor] | None
    teacher: dict[str, Tensor] | None = None


DEFAULT_MODEL = "lenet-300-100"
DEFAULT_DATASET = "digits"


def prepare(request: Request, objects: Objects | None = None) -> Prepared:
    """Resolve and check everything, before anything trains.

    Raises UsageError with every mistake at once, TicketError for data or a model that does not work.
    """
    given = objects or Objects()
    document = _document(request)
    declared = dict(document.get("training") or {})
    _check_names(document, given)
    data = given.data or open_data(read_use("datasets", document["dataset"]), request.data_folder)
    if given.data is not None:
        document["dataset"] = given_data(given.data)
    build, name = _builder(document, given, data)
    device = pick_device(request.device)
    task = Task(data, build, device)
    network = Task(data, build, torch.device("cpu")).network(int(_seed(document)), "init")
    if request.document is None:
        document["training"] = {
            **Training().plain(),
            **declared_training(network),
            **data.training,
            **dict((document.get("recipe") or {}).get("training") or {}),
            **declared,
        }
    for path, value in request.sets:
        set_field(document, path, value)
    document["sources"] = _sources(document)
    if given.model is not None and not isinstance(given.model, nn.Module):
        # Two functions may have one name (two lambdas do): what they build tells them apart.
        document["sources"]["model"] = content_hash(state_of(network))
    config = read_config(document)
    refuse(check_penalties(config.recipe, config.training, request.start is not None))
    check_network(network, data, name)
    if request.start is None:
        found, recipe = layers(network, config.recipe), config.recipe
        rungs = ladder(recipe, found)  # a target that cannot be reached raises
        check_groups(bind(recipe.scope), found, rungs, empty=recipe.allow_empty_layers)
        check_rewinds(config, data)
    weights = None
    if request.weights is not None:
        weights = read_weights(request.weights, network, config.recipe.basis)
    elif isinstance(given.model, nn.Module) and request.start is None:
        weights = coefficients(network, state_of(given.model))
    if weights is not None:
        config = replace(config, weights=content_hash(weights))
    if request.start is not None:
        config = replace(config, start=request.start)
    teacher = None
    if request.teacher is not None:
        teacher = read_teacher(request.teacher, network, config, data)
        config = replace(config, teacher=content_hash(teacher))
    return Prepared(config, task, weights, teacher)


def _document(request: Request) -> dict[str, Any]:
    """Return the run as a document, before the model's and the data set's own words on training."""
    if request.document is not None:
        document = dict(request.document)
        document["seed"] = request.seed or document.get("seed", 0)
    else:
        document = {
            "model": request.model or DEFAULT_MODEL,
            "dataset": request.dataset or DEFAULT_DATASET,
            "training": {},
            "recipe": recipe_document(request.method),
            "seed": request.seed,
        }
    document["training"] = {**(document.get("training") or {}), **request.training}
    document["recipe"] = _merged(document.get("recipe") or {}, request.recipe)
    if request.rewind is not None:
        _set_rewind(document["recipe"], request.rewind)
    document = copy.deepcopy(document)  # `sets` reach deep into what is the caller's
    early = ("model", "dataset", "seed", "recipe")  # what the rest is resolved from
    for path, value in request.sets:
        if path.split(".")[0] in early:
            set_field(document, path, value)
    return document


def _merged(recipe: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Change fields of a recipe; with a rate, rounds or a sparsity asked for replace the other one."""
    merged = {**recipe, **asked}
    if merged.get("rate", 0.2) is not None:  # else rounds and sparsity together make the rate
        for given, other in (("rounds", "sparsity"), ("sparsity", "rounds")):
            if given in asked and other not in asked:
                merged[other] = None
    return merged


def _set_rewind(recipe: dict[str, Any], to: str) -> None:
    """Let every rewind of the recipe go to `to`; `none` takes the rewinds out."""
    found = False
    for part in ("first", "round"):
        phases = []
        for phase in recipe.get(part) or []:
            word = phase if isinstance(phase, str) else next(iter(phase), "")
            if word != "rewind":
                phases.append(phase)
                continue
            found = True
            if to != "none":
                options = {} if isinstance(phase, str) else dict(phase["rewind"] or {})
                phases.append({"rewind": {**options, "to": to}})
        if phases:
            recipe[part] = phases
    if not found:
        raise UsageError(f"--rewind: recipe '{recipe.get('name')}' rewinds nothing")


def _check_names(document: Mapping[str, Any], given: Objects) -> None:
    """Refuse unknown names before data is read, all at once."""
    mistakes = []
    for kind, name, known in (
        ("datasets", "dataset", given.data),
        ("models", "model", given.model),
    ):
        if known is None:
            try:
                read_use(kind, document.get(name))
            except ValueError as problem:
                mistakes.append(str(problem))
    refuse(mistakes)


def _seed(document: Mapping[str, Any]) -> int:
    seed = document.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise UsageError(f"seed wants a whole number of 0 or more, got {seed!r}")
    return seed


def _builder(
    document: dict[str, Any], given: Objects, data: DataSet
) -> tuple[Callable[[], nn.Module], str]:
    basis = basis_of(document)
    fed = tuple(data.train_images.shape[1:]), len(data.classes), basis
    if given.model is None:
        use = read_use("models", document["model"])
        return builder(use, *fed), use.name
    kind = type(given.model) if isinstance(given.model, nn.Module) else given.model
    name = f"{kind.__module__}:{getattr(kind, '__qualname__', type(kind).__name__)}"
    document["model"] = Use("models", name)
    make = _copier(given.model) if isinstance(given.model, nn.Module) else given.model
    return builder(make, *fed), name


def _copier(module: nn.Module) -> Callable[[], nn.Module]:
    """Return a function that gives a copy of a network with weights drawn anew."""

    def fresh() -> nn.Module:
        network = copy.deepcopy(module)
        for name, part in network.named_modules():
            reset = getattr(part, "reset_parameters", None)
            if callable(reset):
                reset()
            elif any(True for _ in part.parameters(recurse=False)):
                raise UsageError(
                    f"layer '{name}' ({type(part).__name__}) has no reset_parameters, so no new initial "
                    "weights can be drawn; give a function that builds the network instead"
                )
        return network

    return fresh


def pick_device(name: str) -> torch.device:
    """Return the device of that name; `auto` takes CUDA where there is one.

    Raises UsageError for a device that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as problem:
        reason = str(problem).partition("\n")[0]
        raise UsageError(f"device '{name}' cannot be used: {reason}; try --device cpu") from problem
    return device


def _sources(part: object) -> dict[str, str]:
    """Return the SHA-256 of each file that a user's own plugin comes from, by the file's path."""
    if isinstance(part, Use):
        return _sources(part.name)
    if isinstance(part, Mapping):
        return {k: v for value in part.values() for k, v in _sources(value).items()}
    if isinstance(part, list | tuple):
        return {k: v for value in part for k, v in _sources(value).items()}
    place = Path(part.rpartition(":")[0]) if isinstance(part, str) else Path()
    if place.suffix == ".py" and place.is_file():
        return {str(place): hashlib.sha256(place.read_bytes()).hexdigest()}
    return {}
