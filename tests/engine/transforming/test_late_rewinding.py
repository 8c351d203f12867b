"""A ticket rewound to a later step moves with its weights, statistics and place in the schedule."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ticket import api, ticket_file
from ticket.batches import Splits, batches, split
from ticket.finding import find_one
from ticket.folder import Folder
from ticket.request import Request
from ticket.seeds import torch_seeded
from ticket.task import builder
from ticket.tickets import Ticket, load
from ticket.transforming.lineage import same_bits
from ticket.uses import read_use
from ticket_plugins.datasets.synthetic import synthetic

LENGTH, REWIND = 12, 4
# What the schedule below gives at each of the 12 iterations.
RATES = [0.1] * 6 + [0.1 * 0.1] * 3 + [0.1 * 0.1**2] * 3


@pytest.fixture(scope="module")
def found(request_in: Callable[..., Request], tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Return the run that found a ticket of resnet14 and rewound it to iteration 4 of 12."""
    training = {
        "optimizer": {"name": "sgd", "momentum": 0.9},
        "weight_decay": 1e-4,
        "length": f"{LENGTH}it",
        "eval_every": "2it",
        "schedule": {"name": "multistep", "milestones": ["6it", "9it"]},
    }
    request = request_in(
        tmp_path_factory.mktemp("found") / "runs",
        method="lth",
        training=training,
        rewind=f"{REWIND}it",
        sets=(("model", "resnet14"), ("dataset", {"name": "synthetic", "examples": 80})),
    )
    return Folder(find_one(request).folder)


@pytest.fixture(scope="module")
def made(found: Folder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of the ticket of resnet20 that is made of it."""
    path = tmp_path_factory.mktemp("made") / "made.safetensors"
    api.transform(found.ticket, "resnet20", output=path)
    return path


def splits() -> Splits:
    return split(synthetic(Path(), examples=80), 0, torch.device("cpu"))


def reference(ticket: Ticket, first: int) -> dict[str, Tensor]:
    """Train resnet20 as anybody would write it, its schedule and batches begun at step `first`."""
    with torch_seeded(0):
        network = builder(read_use("models", "resnet20"), (1, 8, 8), 4)()
    ticket.apply(network)
    weights = dict(network.named_parameters())
    optimizer = torch.optim.SGD(
        network.parameters(), 0.1, momentum=0.9, weight_decay=1e-4, fused=True
    )
    feed: Iterator[Any] = batches(splits(), 16, 0, "round-0/0-train", 0, True)
    steps = islice(zip(feed, RATES, strict=False), first, first + LENGTH - REWIND)
    for (inputs, labels), rate in steps:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        functional.cross_entropy(network(inputs), labels).backward()  # type: ignore[no-untyped-call]
        for name, mask in ticket.masks.items():
            gradient = weights[name].grad
            assert gradient is not None
            gradient.masked_fill_(~mask, 0.0)
        optimizer.step()
    return dict(network.state_dict())


def test_weights_and_statistics_are_those_of_the_step_rewound_to(found: Folder, made: Path) -> None:
    document, tensors = ticket_file.read(found.rewind)
    assert document["step"] == REWIND
    ticket = load(made)
    sources = ticket.record["moves"]["states"]
    assert sources.keys() == ticket.state.keys()
    changed = 0
    for name, tensor in ticket.state.items():
        state = tensors[f"model.{sources[name]}"].clone()
        if name in ticket.masks:
            state[~ticket.masks[name]] = 0.0
        assert same_bits(tensor, state), name
        if re.fullmatch(r"stages\.\d\.2\.norm\d\.running_(mean|var)", name):
            changed += not torch.equal(tensor, tensor.round())  # neither 0 nor 1, as at step 0
        if name.endswith("num_batches_tracked"):
            assert int(tensor) == REWIND
    assert changed == 12
    assert ticket.record["start"] == REWIND
    assert 0 < ticket.density < 1


def test_training_goes_on_at_the_schedules_position_bit_for_bit(made: Path, tmp_path: Path) -> None:
    ticket = load(made)
    run = Folder(api.train(made, runs_folder=tmp_path).folder)
    trained = load(run.trained)

    by_hand = reference(ticket, REWIND)
    assert all(same_bits(tensor, by_hand[name]) for name, tensor in trained.state.items())
    assert int(trained.state["norm.num_batches_tracked"]) == LENGTH
    from_the_first = reference(ticket, 0)  # other batches, a higher rate for longer
    assert not torch.equal(trained.state["stem.weight"], from_the_first["stem.weight"])

    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [6, 8, 10, 12]
    (training,) = json.loads(run.figures.read_text())["rounds"][-1]["trainings"]
    assert (training["iterations"], training["end"]["iteration"]) == (LENGTH - REWIND, LENGTH)


def test_what_was_trained_tells_its_parent_and_ancestors(
    found: Folder, made: Path, tmp_path: Path
) -> None:
    run = Folder(api.train(made, runs_folder=tmp_path).folder)
    for path in (run.trained, run.ticket):
        record = load(path).record
        assert record["parent"] == load(made).identity()
        assert record["lineage"] == load(made).record["lineage"]
        assert record["lineage"][0]["ticket"] == load(found.ticket).identity()
        # Round 0 from the first step, round 1 from the one rewound to; the ticket's own is not counted.
        assert record["lineage"][0]["iterations"] == LENGTH + LENGTH - REWIND


def test_new_weights_begin_at_the_schedules_beginning(found: Folder) -> None:
    for strategy in ("reinit", "random", {"name": "elastic", "weights": "reinit"}):
        record = api.transform(
            found.ticket, "resnet20", strategy=strategy, write=False
        ).ticket.record
        assert record["start"] == 0, strategy


def test_the_run_gives_what_controls_want_of_it(found: Folder) -> None:
    dense = api.transform(found.path / "ticket.safetensors", strategy="dense", write=False).ticket
    first = load(found.round_ticket(0))
    assert all(same_bits(dense.state[name], tensor) for name, tensor in first.state.items())
    assert (dense.masks, dense.record["start"]) == ({}, 0)
    oneshot = api.transform(found.ticket, strategy="oneshot", write=False).ticket
    assert oneshot.kept == load(found.ticket).kept
