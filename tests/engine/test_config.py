"""A configuration is read whole, names its run by what is not default, and changes by paths."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ticket.config import (
    Config,
    from_yaml,
    parse_set,
    read_config,
    set_field,
    short,
    to_yaml,
)
from ticket.errors import TicketError, UsageError

# Written out, so that nobody's tuning of a built-in recipe changes what is pinned.
LTH: dict[str, Any] = {
    "name": "lth",
    "rate": 0.2,
    "rates": "model",
    "sparsity": 0.9,
    "scope": "layer",
    "round": ["train", {"mark": {"criterion": "magnitude"}}, "cut", {"rewind": {"to": "0it"}}],
    "final": ["train"],
}
UNILTH: dict[str, Any] = {
    "name": "unilth",
    "rounds": 5,
    "exclude": ["stem.*"],
    "round": [
        {"train": {"patience": 10, "restore_best": True}},
        {"mark": {"criterion": "random"}},
        {"train": {"length": "20%", "regularizers": [{"name": "growing_l2", "ceiling": 10.0}]}},
        {"cut": {"criterion": "magnitude"}},
        {"rewind": {"to": "500it", "optimizer": "rewound"}},
    ],
    "final": ["train"],
}
DENSE: dict[str, Any] = {"name": "dense", "final": ["train"]}


def document(**fields: Any) -> dict[str, Any]:
    return {
        "model": "lenet-300-100",
        "dataset": "mnist",
        "training": {"optimizer": "adam", "lr": "1.2e-3", "length": "50000it"},
        "recipe": copy.deepcopy(LTH),
        **fields,
    }


PINNED = {
    "lenet-300-100-mnist-lth-5fd2acff4f": document(),
    "lenet-300-100-mnist-lth-a1d8550dae": document(seed=3),
    "resnet20-cifar10-unilth-fa51ae7b25": document(
        model={"name": "resnet20", "shortcut": "A"},
        dataset="cifar10",
        recipe=UNILTH,
        training={"schedule": {"name": "multistep", "milestones": ["80ep", "120ep"]}},
    ),
    "mlp-synthetic-dense-32c3835184": document(
        model={"name": "mlp", "hidden": [8]}, dataset="synthetic", recipe=DENSE
    ),
}


@pytest.mark.parametrize("name", PINNED)
def test_the_names_of_runs_do_not_change(name: str) -> None:
    """A run is found again by this name: if it changes, nobody's finished run is continued or shown.

    A new field at its default must not change it. If this fails, the new field is in the hash where
    it should not be; do not put the new hash here.
    """
    assert read_config(PINNED[name]).run_name() == name


def test_fields_at_their_defaults_do_not_name_the_run() -> None:
    plain = read_config(document())
    spelt = document(seed=0, weights=None, start=None, sources={})
    spelt["training"] |= {"batch_size": 128, "patience": None, "regularizers": [], "augment": True}
    spelt["recipe"] |= {"title": "Another title", "exclude": [], "allow_empty_layers": False}
    assert read_config(spelt).digest() == plain.digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"model": {"name": "mlp", "hidden": [8]}},
        {"dataset": "fashion-mnist"},
        {"training": {"lr": 0.5}},
        {"weights": "ab"},
        {"start": "ab"},
        {"sources": {"model": "ab"}},
        {"recipe": UNILTH},
    ],
)
def test_what_changes_the_ticket_changes_the_name(changes: dict[str, Any]) -> None:
    assert read_config(document(**changes)).digest() != read_config(document()).digest()


def test_numbers_name_the_run_by_value_not_by_spelling() -> None:
    other = document(training={"optimizer": {"name": "adam"}, "lr": 0.0012, "length": "50000 it"})
    assert read_config(other).digest() == read_config(document()).digest()


@pytest.mark.parametrize("name", PINNED)
def test_a_configuration_survives_its_file(name: str) -> None:
    config = read_config(PINNED[name])
    again = read_config(from_yaml(to_yaml(config), "config.yaml"))
    assert (again, again.digest()) == (config, config.digest())
    assert isinstance(again, Config)


def test_all_mistakes_are_told_at_once() -> None:
    wrong = document(
        model="lenet-300-10",
        dataset="mnits",
        seed=-1,
        modle="x",
        training={"lr": 0, "batchsize": 3},
    )
    wrong["recipe"] |= {"sparsity": 2}
    with pytest.raises(UsageError) as caught:
        read_config(wrong)
    lines = str(caught.value).splitlines()
    assert lines[0] == "8 mistakes:"
    assert len(lines) == 9
    for said in (
        "'modle'",
        "sparsity wants",
        "'lenet-300-10'",
        "'mnits'",
        "lr wants",
        "'batchsize'",
        "seed",
        "stop",
    ):
        assert sum(said in line for line in lines) == 1, said


def test_a_single_mistake_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"^seed wants a whole number of 0 or more, got 1\.5$"):
        read_config(document(seed=1.5))


@pytest.mark.parametrize("field", ["training", "recipe", "sources"])
def test_a_part_that_is_no_mapping_is_a_mistake(field: str) -> None:
    with pytest.raises(UsageError, match=field):
        read_config(document(**{field: "text"}))


@pytest.mark.parametrize(
    ("path", "value", "read"),
    [
        ("seed", 4, lambda d: d["seed"]),
        ("training.lr", 0.5, lambda d: d["training"]["lr"]),
        ("model.hidden", [8], lambda d: d["model"]["hidden"]),
        ("recipe.round.0.train.patience", 5, lambda d: d["recipe"]["round"][0]["train"]["patience"]),
        ("recipe.round.1.mark.criterion", "random", lambda d: d["recipe"]["round"][1]["mark"]["criterion"]),
        ("training.optimizer.beta1", 0.5, lambda d: d["training"]["optimizer"]["beta1"]),
    ],
)  # fmt: skip
def test_a_path_sets_one_field(path: str, value: object, read: Any) -> None:
    changed = document()
    set_field(changed, path, value)
    assert read(changed) == value
    assert changed["model"] in ("lenet-300-100", {"name": "lenet-300-100", "hidden": [8]})
    if path == "training.optimizer.beta1":
        assert changed["training"]["optimizer"]["name"] == "adam"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "a path starts with model, dataset, training, recipe, seed"),
        ("lr", "a path starts with"),
        ("training..lr", "a path starts with"),
        ("recipe.round.9.train.lr", "'9' is not a place in a list of 4"),
        ("recipe.round.first.train", "'first' is not a place in a list of 4"),
        ("recipe.rate.high", "'rate' is a plain value"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(path: str, said: str) -> None:
    changed = document()
    with pytest.raises(UsageError, match=said):
        set_field(changed, path, 1)
    assert changed == document()


def test_a_path_changes_a_copy_as_it_changes_the_original() -> None:
    one, other = document(), copy.deepcopy(document())
    for target in (one, other):
        set_field(target, "recipe.round.0.train.patience", 5)
    assert one == other
    assert read_config(one).recipe.round[0] != read_config(document()).recipe.round[0]


def test_a_flags_value_is_yaml() -> None:
    assert parse_set("a.b=[1, x]") == ("a.b", [1, "x"])
    assert parse_set("a=") == ("a", None)
    assert parse_set("a=b=c") == ("a", "b=c")
    with pytest.raises(UsageError, match="wants FIELD=VALUE, got 'a'"):
        parse_set("a")
    with pytest.raises(UsageError, match=r"--set a: '\[' is not YAML"):
        parse_set("a=[")


def test_a_file_that_is_no_configuration_is_named() -> None:
    with pytest.raises(TicketError, match=r"^here is not YAML"):
        from_yaml("a: [", "here")
    with pytest.raises(TicketError, match=r"^here wants the fields model, dataset"):
        from_yaml("text", "here")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet20", "resnet20"),
        ("own/net.py:make", "make"),
        ("__main__:f.<locals>.<lambda>", "f._locals_._lambda_"),
    ],
)
def test_a_name_is_made_fit_for_a_folder(name: str, expected: str) -> None:
    assert short(name) == expected
