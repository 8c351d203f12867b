"""A run that is what it claims passes; each claim broken on purpose fails by its own name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ticket import ticket_file
from ticket.verifying.results import CLAIMS
from ticket.verifying.stored import Stored

Kept = Any  # of conftest.py
WEIGHT, BUFFER = "5.weight", "1.running_mean"


def at(mask: Tensor, number: int = 0) -> tuple[int, ...]:
    """Return the place of a weight that a mask has."""
    return tuple(int(i) for i in mask.nonzero()[number])


def changed(tensor: Tensor, place: tuple[int, ...], value: float) -> Tensor:
    made = tensor.clone()
    made[place] = value
    return made


def swapped(stored: Stored, out: Tensor, back: Tensor, source: Tensor) -> dict[str, Any]:
    """Return state and masks with one weight out and another in, at its value in `source`."""
    lost, found = at(out), at(back)
    mask = changed(changed(stored.masks[WEIGHT], lost, False), found, True)
    state = changed(stored.state[WEIGHT], lost, 0.0)
    return {
        "masks": {WEIGHT: mask},
        "state": {WEIGHT: changed(state, found, float(source[found]))},
    }


def rewind_state(kept: Kept) -> dict[str, Tensor]:
    _, tensors = ticket_file.read(kept.folder.rewind)
    return {n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")}


def test_a_run_that_is_what_it_claims_passes_every_check(kept: Kept) -> None:
    found = kept.verify(replay=[0, 1, 2])

    assert found.failures == []
    assert {r.check for r in found.results if r.state == "held"} == set(CLAIMS)
    assert [(r.check, r.subject) for r in found.results if r.state == "not checked"] == [
        ("zeros", "moments")
    ]


def test_nothing_is_written_into_the_run(kept: Kept) -> None:
    def content() -> dict[Path, bytes]:
        paths = sorted(p for p in kept.folder.path.rglob("*") if p.is_file())
        return {path: path.read_bytes() for path in paths}

    before = content()
    kept.verify(replay=[0, 2])

    assert content() == before


def test_a_byte_that_changed_is_a_damaged_file(kept: Kept) -> None:
    path = kept.folder.round_ticket(1)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    found = kept.verify()

    assert {r.check for r in found.failures} == {"files"}
    assert str(path) in found.failures[0].text
    assert {r.check for r in found.results if r.state == "not checked"} == set(CLAIMS) - {"files"}


def test_another_choice_of_weights_does_not_follow_from_the_scores(kept: Kept) -> None:
    one, two = (kept.stored(kept.folder.round_ticket(n)) for n in (1, 2))
    out = one.masks[WEIGHT] & ~two.masks[WEIGHT]  # round 2 stays nested in it
    parts = swapped(one, out, ~one.masks[WEIGHT], rewind_state(kept)[WEIGHT])
    kept.rewrite(kept.folder.round_ticket(1), **parts)
    path = kept.folder.round(1) / "trained-0.safetensors"
    trained = kept.stored(path)  # trained with the same masks; what came in is 0, and goes next
    kept.rewrite(path, **swapped(trained, out, ~one.masks[WEIGHT], torch.zeros(4, 16)))

    assert kept.failing() == {"masks"}


def test_a_weight_that_comes_back_is_not_nested(kept: Kept) -> None:
    one, two = (kept.stored(kept.folder.round_ticket(n)) for n in (1, 2))
    parts = swapped(one, two.masks[WEIGHT], ~one.masks[WEIGHT], rewind_state(kept)[WEIGHT])
    kept.rewrite(kept.folder.round_ticket(1), **parts)
    found = kept.verify()

    assert {r.check for r in found.failures} == {"masks", "nested"}
    wrong = {r.subject: r.text for r in found.failures if r.check == "nested"}
    assert wrong["round 2"] == f"1 weights of {WEIGHT!r} are back"


def test_a_training_that_leaves_other_masks(kept: Kept) -> None:
    trained = kept.stored(kept.folder.trained)
    parts = swapped(trained, trained.masks[WEIGHT], ~trained.masks[WEIGHT], torch.zeros(4, 16))
    kept.rewrite(kept.folder.trained, **parts)
    found = kept.verify()

    assert {r.check for r in found.failures} <= {
        "nested",
        "accuracy",
    }  # one weight: it may test alike
    assert ("nested", "trained.safetensors") in {(r.check, r.subject) for r in found.failures}


def test_a_survivor_that_is_not_as_it_was_at_the_rewind_point(kept: Kept) -> None:
    one = kept.stored(kept.folder.round_ticket(1))
    place = at(one.masks[WEIGHT])
    value = float(torch.nextafter(one.state[WEIGHT][place], torch.tensor(9.0)))
    path = kept.folder.round_ticket(1)
    kept.rewrite(path, state={WEIGHT: changed(one.state[WEIGHT], place, value)})

    assert kept.failing() == {"survivors"}


def test_a_buffer_that_is_not_as_it_was_at_the_rewind_point(kept: Kept) -> None:
    one = kept.stored(kept.folder.round_ticket(1))
    kept.rewrite(kept.folder.round_ticket(1), state={BUFFER: one.state[BUFFER] + 1})
    found = kept.verify()

    assert {r.check for r in found.failures} == {"survivors"}
    assert f"4 of 4 entries of {BUFFER!r} differ" in found.failures[0].text


def test_a_rewind_point_that_is_another_one(kept: Kept) -> None:
    document, tensors = ticket_file.read(kept.folder.rewind)
    tensors["model.5.bias"] += 1
    kept.folder.rewind.write_bytes(ticket_file.encode(document, tensors))
    found = kept.verify(replay=[0])

    assert {(r.check, r.subject) for r in found.failures} == {
        ("survivors", "round 1"),
        ("survivors", "round 2"),
        ("replay", "round 0"),
    }


def test_initial_weights_that_the_seed_does_not_give(kept: Kept) -> None:
    first = kept.stored(kept.folder.round_ticket(0))
    state = {"5.bias": first.state["5.bias"] + 1}
    kept.rewrite(kept.folder.round_ticket(0), state=state)

    assert kept.failing() == {"initial"}


@pytest.mark.parametrize("value", [1e-30, -0.0])
@pytest.mark.parametrize("file", ["trained.safetensors", "round-01/trained-0.safetensors"])
def test_a_masked_weight_that_is_not_zero(kept: Kept, file: str, value: float) -> None:
    path = kept.folder.path / file
    stored = kept.stored(path)
    place = at(~stored.masks[WEIGHT])
    kept.rewrite(path, state={WEIGHT: changed(stored.state[WEIGHT], place, value)})
    found = kept.verify()

    assert {(r.check, r.subject) for r in found.failures} == {("zeros", file)}


def test_weights_that_were_not_trained_so(kept: Kept) -> None:
    path = kept.folder.round(1) / "trained-0.safetensors"
    stored = kept.stored(path)
    kept.rewrite(path, state={"5.bias": stored.state["5.bias"] + 1})

    assert kept.failing() == set()  # biases decide no mask
    assert kept.failing(replay=[1]) == {"replay"}


def test_a_trained_ticket_that_tests_otherwise(kept: Kept) -> None:
    stored = kept.stored(kept.folder.trained)
    bias = stored.state["5.bias"] + torch.tensor([9.0, 0.0, 0.0, 0.0])
    kept.rewrite(kept.folder.trained, state={"5.bias": bias})

    assert kept.failing() == {"accuracy"}


def test_a_count_that_was_written_down_wrong(kept: Kept) -> None:
    def more(figures: Any) -> None:
        figures["rounds"][1]["layers"][WEIGHT] += 1

    kept.reword(kept.folder.figures, more)

    assert kept.failing() == {"counts", "records"}


def test_one_weight_too_few_everywhere(kept: Kept) -> None:
    """All records agree, but the recipe's count is another one."""
    last = kept.stored(kept.folder.round_ticket(2))
    place = at(last.masks[WEIGHT])
    masks = {WEIGHT: changed(last.masks[WEIGHT], place, False)}
    rounds = json.loads(json.dumps(last.record["rounds"]))
    rounds[2]["layers"][WEIGHT] -= 1
    rounds[2]["kept"] -= 1
    for path in (kept.folder.round_ticket(2), kept.folder.ticket, kept.folder.trained):
        state = {WEIGHT: changed(kept.stored(path).state[WEIGHT], place, 0.0)}
        kept.rewrite(path, masks=masks, state=state, rounds=rounds)
    kept.rewrite(kept.folder.round(2) / "trained-0.safetensors", rounds=rounds)
    for path in (kept.folder.figures, kept.folder.round(2) / "figures.json"):

        def fewer(figures: Any) -> None:
            one = figures["rounds"][2] if "rounds" in figures else figures
            one["layers"][WEIGHT] -= 1
            one["kept"] -= 1

        kept.reword(path, fewer)
    found = kept.verify()
    (wrong,) = [r for r in found.failures if r.check == "counts"]

    assert wrong.subject == "round 2"
    assert "the recipe says" in wrong.text
    assert not {r.check for r in found.failures} & {"records", "zeros", "nested", "survivors"}


def test_a_schedule_that_starts_elsewhere(kept: Kept) -> None:
    kept.rewrite(kept.folder.round_ticket(1), start=3)
    found = kept.verify()

    assert {r.check for r in found.failures} == {"schedule"}
    assert "starts at iteration 3, the recipe says 4" in found.failures[0].text


def test_a_loss_that_was_not_measured_so(kept: Kept) -> None:
    lines = kept.folder.metrics.read_text().splitlines()
    number = next(i for i, line in enumerate(lines) if json.loads(line)["round"] == 2)
    line = {**json.loads(lines[number]), "train_loss": 1.0}
    lines[number] = json.dumps(line)
    kept.folder.metrics.write_text("\n".join(lines) + "\n")

    assert kept.failing() == {"streams"}


def test_an_early_stop_that_is_not_the_lowest_loss(kept: Kept) -> None:
    def later(figures: Any) -> None:
        figures["rounds"][1]["trainings"][0]["early_stop"]["iteration"] += 5

    kept.reword(kept.folder.figures, later)

    assert kept.failing() == {"schedule", "records"}


def test_a_configuration_that_is_another_one(kept: Kept) -> None:
    text = kept.folder.config.read_text()
    kept.folder.config.write_text(text.replace("lr: 0.1", "lr: 0.2"))

    assert {"records", "streams"} <= kept.failing()


def test_a_control_made_from_another_ticket(kept: Kept) -> None:
    stored = kept.stored(kept.folder.round_ticket(2))
    for path in (kept.folder.round_ticket(2), kept.folder.ticket):
        kept.rewrite(path, note="another file of the same ticket", **{})
    assert stored.record.get("note") is None
    found = kept.verify()

    assert {(r.check, r.subject) for r in found.failures} >= {("parent", "control reinit-02")}


@pytest.mark.parametrize(
    "name", ["trained.safetensors", "ticket.safetensors", "machine.json", "round-01/figures.json"]
)
def test_a_file_that_is_missing(kept: Kept, name: str) -> None:
    (kept.folder.path / name).unlink()
    found = kept.verify()

    assert {r.check for r in found.failures} == {"files"}
    assert f"{name} is missing" in found.failures[0].text


def test_a_state_to_rewind_to_that_is_missing(kept: Kept) -> None:
    kept.folder.rewind.unlink()
    found = kept.verify()
    masks = [r.text for r in found.failures if r.check == "masks"]

    assert {r.check for r in found.failures} == {"masks", "streams"}
    assert all("rewind.safetensors" in text for text in masks)
    untold = {(r.check, r.subject) for r in found.results if r.state == "not checked"}
    assert {("survivors", "round 1"), ("survivors", "round 2")} <= untold


@pytest.mark.parametrize("field", ["layers", "kept", "trainings"])
def test_a_field_that_is_missing(kept: Kept, field: str) -> None:
    def shorter(figures: Any) -> None:
        del figures["rounds"][1][field]

    kept.reword(kept.folder.figures, shorter)
    found = kept.verify()

    assert "records" in {r.check for r in found.failures}
    assert any(repr(field) in r.text for r in found.failures)
