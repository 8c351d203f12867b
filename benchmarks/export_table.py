"""The tables of docs/results/export.md, of what export_matrix.py wrote."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Cell = dict[str, Row]  # by format


def main() -> None:
    """Print a table of all files given: a line for each network and sparsity."""
    rows = [row for path in sys.argv[1:] for row in json.loads(Path(path).read_text())["rows"]]
    cells: dict[tuple[str, float], Cell] = {}
    for row in rows:
        cells.setdefault((row["network"], row["sparsity"]), {})[row["format"]] = row
    print(
        "| network | sparse | kept | differs | flips | plan | / bound | / with biases | biases "
        "| `.pt` | `.pt2` |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    names = list(dict.fromkeys(name for name, _ in cells))
    for name, sparsity in sorted(cells, key=lambda key: (names.index(key[0]), key[1])):
        cell = cells[name, sparsity]
        print("| " + " | ".join(line(name, sparsity, cell)) + " |")
    over = [name for name, cell in cells.items() if name[1] >= 0.9 and not small(cell)]
    print("\nabove 1.1 x (bound + biases) + 0, 2048, 7168 bytes:", over or "none")


def small(cell: Cell) -> bool:
    """Tell whether every file at a sparsity is within a tenth of its bound, and the container."""
    most = {"native": 0, "torchscript": 2048, "pt2": 7168}
    return all(
        row["bytes"] <= 1.1 * (row["bound_bytes"] + row["biases_bytes"]) + most[format]
        for format, row in cell.items()
        if "refused" not in row
    )


def line(name: str, sparsity: float, cell: Cell) -> list[str]:
    """Return the fields of one network at one sparsity, all its formats together."""
    run = [row for row in cell.values() if "refused" not in row]
    one = cell["torchscript"]
    least = one["bound_bytes"] + one["biases_bytes"]
    return [
        name,
        f"{100 * sparsity:.0f} %",
        f"{one['kept']:,}",
        f"{max(row['difference'] for row in run):.1e}",
        str(sum(row["flips_beyond_tolerance"] for row in run)),
        f"{one['plan_bytes']:,}",
        f"{one['plan_bytes'] / one['bound_bytes']:.3f}" if one["bound_bytes"] else "-",
        f"{one['plan_bytes'] / least:.3f}" if one["bound_bytes"] else "-",
        f"{one['biases_bytes']:,}",
        *(f"+ {cell[format]['bytes'] - one['plan_bytes']:,}" for format in ("torchscript", "pt2")),
    ]


if __name__ == "__main__":
    main()
