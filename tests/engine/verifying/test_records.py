"""Records are held against the configuration, whichever version wrote them."""

from __future__ import annotations

from typing import Any

Kept = Any  # of conftest.py


def test_a_run_from_before_a_field_was_added_still_holds(kept: Kept) -> None:
    def older(told: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in told.items() if name not in ("metrics", "first")}

    folder = kept.folder
    places = [folder.round_ticket(number) for number in range(3)]
    for path in (*places, folder.ticket, folder.trained):
        record = kept.stored(path).record
        assert "metrics" in record["training"]
        kept.rewrite(path, training=older(record["training"]), recipe=older(record["recipe"]))

    def change(figures: dict[str, Any]) -> None:
        for part in ("training", "recipe"):
            figures["config"][part] = older(figures["config"][part])

    kept.reword(folder.figures, change)
    assert "records" not in kept.failing()


def test_another_training_in_a_record_is_told(kept: Kept) -> None:
    record = kept.stored(kept.folder.ticket).record
    kept.rewrite(kept.folder.round_ticket(1), training={**record["training"], "lr": 0.3})
    assert "records" in kept.failing()
