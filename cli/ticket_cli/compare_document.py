"""A comparison as one JSON document."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ticket.comparing.comparison import Comparison
    from ticket.comparing.rows import Row
    from ticket.comparing.savings import Saving


def document(comparison: Comparison) -> dict[str, Any]:
    """Return everything that a comparison holds in terms of JSON."""
    number = {id(row): n for n, row in enumerate(comparison.rows)}
    return {
        "rows": [_row(row) for row in comparison.rows],
        "savings": [
            {
                "model": saving.model,
                "dataset": saving.dataset,
                "transformed": _cost(saving, 0, saving.transformed),
                "found": _cost(saving, 1, saving.found),
                "source_iterations": saving.source_iterations,
            }
            for saving in comparison.savings
        ],
        "differences": [
            {
                "rows": [number[id(d.one)], number[id(d.other)]],
                "test_at_end": d.gap,
                "noise": d.noise,
                "exceeds_noise": d.decided,
            }
            for d in comparison.differences
        ],
        "untrained": [str(path) for path in comparison.untrained],
        "unfinished": [str(path) for path in comparison.unfinished],
        "repeats": [[str(path) for path in pair] for pair in comparison.repeats],
    }


def _cost(saving: Saving, which: int, what: str) -> dict[str, Any]:
    return {
        "ticket": what,
        "density": saving.densities[which],
        "iterations": saving.iterations[which],
        "seconds": saving.seconds[which],
    }


def _row(row: Row) -> dict[str, Any]:
    subject = row.subject
    return {
        "kind": subject.kind,
        "ticket": subject.what,
        "control": subject.control,
        "model": subject.model,
        "dataset": subject.dataset,
        "density": row.density,
        "test_at_early_stop": _spread(row.measured("early_stop", "test_accuracy")),
        "test_at_end": _spread(row.measured("end", "test_accuracy")),
        "early_stop": _spread(row.measured("early_stop", "iteration")),
        "iterations": row.mean("iterations"),
        "seconds": row.mean("seconds"),
        "cost": {
            "iterations": row.cost("iterations"),
            "epochs": row.cost("epochs"),
            "multiply_adds": row.cost("multiply_adds"),
            "seconds": row.cost("seconds"),
        },
        "verdict": row.verdict and {"word": row.verdict.word, "reason": row.verdict.reason},
        "settings": dict(subject.settings),
        "differs": dict(row.differs),
        "seeds": [
            {
                "seed": value.seed,
                "path": str(value.path),
                "sha256": value.ticket,
                "kept": value.kept,
                "prunable": value.prunable,
                "iterations": value.iterations,
                "seconds": value.seconds,
                "lineage": list(value.lineage),
                "training": value.training,
            }
            for value in row.values
        ],
    }


def _spread(values: Sequence[float]) -> dict[str, Any]:
    """Return mean and standard deviation, None where there are too few values."""
    return {
        "mean": statistics.fmean(values) if values else None,
        "stdev": statistics.stdev(values) if len(values) > 1 else None,
    }
