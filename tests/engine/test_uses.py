"""A use of a plugin is read whole, keeps what differs from the defaults, and comes back as written."""

from __future__ import annotations

import pytest

from ticket.steps import Steps
from ticket.uses import PluginOf, Use, bind, plain, read_use
from ticket.values import read


def test_a_name_alone_is_a_use() -> None:
    assert read_use("criteria", "magnitude") == Use("criteria", "magnitude")
    assert read_use("criteria", "magnitude").plain() == "magnitude"


def test_options_are_read_by_the_plugins_signature() -> None:
    use = read_use("regularizers", {"name": "growing_l2", "shape": "linear", "ceiling": "1e2"})
    assert use.options == {"shape": "linear", "ceiling": 100.0}
    assert use.plain() == {"name": "growing_l2", "shape": "linear", "ceiling": 100.0}


def test_options_at_their_defaults_are_left_out() -> None:
    use = read_use("optimizers", {"name": "adam", "beta1": 0.9, "beta2": 0.99})
    assert use.options == {"beta2": 0.99}


def test_an_option_in_the_name_stays_in_the_name() -> None:
    use = read_use("models", {"name": "resnet20", "shortcut": "A"})
    assert use.plain() == {"name": "resnet20", "shortcut": "A"}
    assert bind(use).keywords == {"depth": 20, "shortcut": "A"}  # type: ignore[attr-defined]


def test_a_use_reads_itself_back() -> None:
    use = read_use("schedules", {"name": "multistep", "milestones": ["8ep", "120it"]})
    assert use.plain() == {"name": "multistep", "milestones": ["8ep", "120it"]}
    assert read_use("schedules", use.plain()) == use
    assert read_use("schedules", use) is use


def test_a_bound_plugin_gets_its_options() -> None:
    bound = bind(Use("optimizers", "sgd", {"momentum": 0.9}))
    assert bound.keywords == {"momentum": 0.9}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("criteria", "magnitud", "did you mean 'magnitude'"),
        ("criteria", 3, "wants a criterion: a name, or name and options, got 3"),
        ("criteria", {"criterion": "magnitude"}, "wants a criterion"),
        ("criteria", {"name": "magnitude", "power": 2}, "has no option 'power'; it takes none"),
        ("optimizers", {"name": "sgd", "momentun": 0.9}, "did you mean 'momentum'"),
        ("optimizers", {"name": "sgd", "momentum": 1}, r"momentum wants a number in \[0, 1\)"),
        ("models", {"name": "resnet20", "depth": 32}, "says depth 20 by its name, and depth 32"),
        ("models", {"name": "resnet{depth}"}, "needs the option 'depth'|resnet"),
    ],
)
def test_a_use_that_is_wrong_says_how(kind: str, given: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_use(kind, given)


def test_every_mistake_in_a_use_is_told() -> None:
    with pytest.raises(ValueError, match=r"shap.*; .*ceiling wants a number"):
        read_use("regularizers", {"name": "growing_l2", "shap": "cubic", "ceiling": 0})


def test_a_field_may_be_a_list_of_uses() -> None:
    from typing import Annotated

    found = read(
        ["l2", {"name": "l2", "strength": 1}], tuple[Annotated[Use, PluginOf("regularizers")], ...]
    )
    assert found == (Use("regularizers", "l2"), Use("regularizers", "l2", {"strength": 1.0}))


def test_plain_knows_only_what_yaml_knows() -> None:
    value = {"a": (Steps(5, "ep"), Use("criteria", "random")), "b": None, "c": True}
    assert plain(value) == {"a": ["5ep", "random"], "b": None, "c": True}
