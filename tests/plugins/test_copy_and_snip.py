"""`copy-and-snip` copies the masks that are there, and SNIP chooses those of the repeated units."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ticket as library
from ticket.batches import Examples
from ticket.errors import UsageError
from ticket.finding import Finding
from ticket.masks import prunable
from ticket.scoring import Scores, Survey
from ticket.seeds import stream
from ticket.tickets import Ticket, create
from ticket.transforming import Given
from ticket.transforming.surveying import surveyor
from ticket.uses import Use
from ticket_plugins.models.mlp import Mlp
from ticket_plugins.transforms.elastic import elastic
from ticket_plugins.transforms.snipped import copy_and_snip

BATCH = 20
SOURCE, TARGET = 3, 6  # hidden layers: fc1, and fc2, fc3 twice and a half
EXTRA = ["fc4.weight", "fc5.weight", "fc6.weight"]
COPIED = {"fc4.weight": "fc2.weight", "fc5.weight": "fc3.weight", "fc6.weight": "fc2.weight"}


def network(layers: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return Mlp(12, (16,) * layers, 4)


@pytest.fixture
def ticket() -> Ticket:
    model = network(SOURCE, 0)
    for name, tensor in model.state_dict().items():
        if name.endswith("bias"):
            tensor.fill_(0.5)  # few units are dead, so nearly every score is above 0
    chance = torch.Generator().manual_seed(1)
    masks = {n: torch.rand(w.shape, generator=chance) > 0.75 for n, w in prunable(model).items()}
    record = {"model": {"name": "mlp", "options": {}}, "start": 40, "rounds": []}
    return create(model, masks, record=record)


@pytest.fixture
def examples() -> Examples:
    chance = torch.Generator().manual_seed(2)
    images = torch.randn(40, 1, 3, 4, generator=chance)
    return Examples(images, torch.arange(40) % 4, torch.tensor([[[2.0]]]), torch.tensor([[[0.5]]]))


def given(examples: Examples, target: int = TARGET, seed: int = 0) -> Given:
    generator = stream(seed, "masks")
    return Given(
        origin=lambda: network(SOURCE, 0),
        own=lambda: network(SOURCE, 0),
        fresh=lambda: network(target, 7),
        dense=lambda: network(SOURCE, 0),
        generator=generator,
        name=f"mlp of {target}",
        survey=surveyor(lambda: (examples, BATCH), generator),
    )


def by_hand(ticket: Ticket, examples: Examples, seed: int) -> dict[str, Tensor]:
    """Score the extra layers by |w dL/dw|, layer after layer written out, without the engine."""
    new = network(TARGET, 7).state_dict()
    weights, biases = [], []
    for number in range(1, TARGET + 1):
        name = f"fc{number}.weight"
        source = COPIED.get(name, name)
        weight = ticket.state[source].clone()  # masked places are zero here
        if name in EXTRA:
            weight[~ticket.masks[source]] = new[name][~ticket.masks[source]]
        weights.append(weight.requires_grad_())
        biases.append(ticket.state[source.replace("weight", "bias")])
    order = torch.randperm(40, generator=stream(seed, "masks"))[:BATCH]
    x = examples.images[order].flatten(1) * 2 + 0.5
    for weight, bias in zip(weights, biases, strict=True):
        x = (x @ weight.T + bias).clamp(min=0)
    logits = x @ ticket.state["output.weight"].T + ticket.state["output.bias"]
    loss = -logits.log_softmax(1)[torch.arange(BATCH), examples.labels[order]].mean()
    slopes = torch.autograd.grad(loss, weights)
    scores = [(w * slope).detach().abs() for w, slope in zip(weights, slopes, strict=True)]
    return {name: scores[int(name[2]) - 1] for name in EXTRA}


def fill(ticket: Ticket, name: str) -> Tensor:
    """Return what starts in an extra layer where its source had no weight: new initial ones."""
    source, new = COPIED[name], network(TARGET, 7).state_dict()[name]
    return torch.where(ticket.masks[source], ticket.state[source], new)


@pytest.mark.parametrize("seed", [0, 3])
def test_extra_layers_keep_the_highest_scores_and_as_many_as_elastic_gives_them(
    ticket: Ticket, examples: Examples, seed: int
) -> None:
    made = copy_and_snip(ticket, given(examples, seed=seed))
    moved = elastic(ticket, given(examples, seed=seed))
    scores = by_hand(ticket, examples, seed)
    count = sum(int(moved.masks[name].sum()) for name in EXTRA)
    ranked = torch.cat([scores[name].flatten() for name in EXTRA]).sort(descending=True).values
    assert ranked[count - 1] > 1.001 * ranked[count]  # so that rounding cannot change places
    threshold = (ranked[count - 1] + ranked[count]) / 2
    for name in EXTRA:
        assert torch.equal(made.masks[name], scores[name] > threshold), name
        assert torch.equal(made.state[name], fill(ticket, name) * made.masks[name]), name
    assert made.kept == moved.kept
    assert any(not torch.equal(made.masks[name], moved.masks[name]) for name in EXTRA)


def test_other_examples_of_another_stream_choose_other_weights(
    ticket: Ticket, examples: Examples
) -> None:
    one, same, other = (copy_and_snip(ticket, given(examples, seed=seed)) for seed in (0, 0, 1))
    assert one.identity() == same.identity() != other.identity()


def test_all_else_is_what_elastic_makes_bit_for_bit(ticket: Ticket, examples: Examples) -> None:
    made, moved = (f(ticket, given(examples)) for f in (copy_and_snip, elastic))
    assert made.record["start"] == 40
    for name, tensor in moved.state.items():
        if name not in EXTRA:
            assert torch.equal(made.state[name], tensor), name
    for name, mask in moved.masks.items():
        if name not in EXTRA:
            assert torch.equal(made.masks[name], mask), name


def test_by_layer_every_layer_keeps_its_own_count(ticket: Ticket, examples: Examples) -> None:
    made = copy_and_snip(ticket, given(examples), scope="layer")
    moved = elastic(ticket, given(examples))
    scores = by_hand(ticket, examples, 0)
    for name in EXTRA:
        count = int(moved.masks[name].sum())
        assert int(made.masks[name].sum()) == count
        least = scores[name][made.masks[name]].min()
        assert least > scores[name][~made.masks[name]].max()


def test_after_elastic_it_changes_the_units_that_elastic_repeated(
    ticket: Ticket, examples: Examples
) -> None:
    alone = copy_and_snip(ticket, given(examples))
    moved = elastic(ticket, given(examples))
    after = copy_and_snip(moved, given(examples))
    assert all(torch.equal(after.masks[n], m) for n, m in alone.masks.items())


def test_where_no_unit_is_repeated_there_is_nothing_to_choose(
    ticket: Ticket, examples: Examples
) -> None:
    with pytest.raises(
        UsageError, match=r"^copy-and-snip gives repeated units other masks, and no"
    ):
        copy_and_snip(ticket, given(examples, target=2))


def only_the_last(survey: Survey) -> Scores:
    """Score the last layers above all others."""
    return Scores({n: w.abs() + 100 * (n == "fc6.weight") for n, w in survey.weights.items()})


def test_a_layer_that_would_keep_nothing_is_named(
    ticket: Ticket, examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    use = Use("criteria", f"{__file__}:only_the_last")
    masks = {n: torch.zeros_like(m) for n, m in ticket.masks.items()}
    for mask in masks.values():
        mask[:, :2] = (
            True  # 32 weights a layer, 96 of the extra ones together: fc6 has room for all
        )
    thin = create(network(SOURCE, 0), masks, record=ticket.record)
    with pytest.raises(
        UsageError, match=r"'fc4.weight' without a weight .*copy-and-snip.scope=layer"
    ):
        copy_and_snip(thin, given(examples), criterion=use)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Finding:
    """Find a ticket on the bundled data."""
    runs = tmp_path_factory.mktemp("runs")
    training = {"length": "60it"}
    return library.find(
        "mlp-2", "digits", "lth", rounds=1, training=training, runs_folder=str(runs)
    )


def test_from_a_ticket_to_a_training_on_the_bundled_data(found: Finding) -> None:
    runs = found.folder.parent
    done = library.transform(
        found.folder / "ticket.safetensors", "mlp-4", strategy="copy-and-snip", runs_folder=runs
    )
    moved = library.transform(
        found.folder / "ticket.safetensors", "mlp-4", runs_folder=runs, write=False
    )
    assert done.ticket.kept == moved.ticket.kept
    assert done.path is not None
    told = done.ticket.record["moves"]
    assert told["units"]["width 300"] == [0, 1, 1, 1]
    assert "fc2.weight" in told["masks"]
    assert not {"fc3.weight", "fc4.weight"} & {*told["masks"], *told["states"]}
    assert done.ticket.record["lineage"][-1]["strategies"] == ["copy-and-snip"]
    assert not [
        r for r in library.verify(done.path, runs_folder=runs).results if r.state == "failed"
    ]
    again = library.transform(
        found.folder / "ticket.safetensors", "mlp-4", strategy="copy-and-snip", runs_folder=runs
    )
    assert again.path == done.path
    trained = library.train(done.path, runs_folder=runs, training={"length": "20it"})
    assert trained.final["end"]["test_accuracy"] > 0.1


def test_snip_scores_what_the_batch_says(found: Finding) -> None:
    """More batches, other scores; the same options, the same ticket."""
    source = found.folder / "ticket.safetensors"
    several = {"name": "copy-and-snip", "criterion": {"name": "snip", "batches": 4}}
    one = library.transform(source, "mlp-4", strategy="copy-and-snip", write=False)
    four = library.transform(source, "mlp-4", strategy=several, write=False)
    assert four.ticket.kept == one.ticket.kept
    assert four.ticket.identity() != one.ticket.identity()
    twice = library.transform(source, "mlp-4", strategy=several, write=False)
    assert twice.ticket.identity() == four.ticket.identity()
