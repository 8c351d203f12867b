"""`ticket show` of an exported file: its plan as a table, operation by operation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ticket_cli.console import print_table

if TYPE_CHECKING:
    from ticket.exporting.decode import Plan
    from ticket.exporting.ir import Op
    from ticket.exporting.opening import Opened
    from ticket.exporting.read_op import Stored

HEADINGS = ("op", "reads", "makes", "shape", "weights", "kept", "density", "runs", "k", "bytes")


def show_exported(path: Path, as_json: bool) -> None:
    """Print what an exported file holds. Raises TicketError when it holds no whole plan."""
    from ticket.exporting.entropy import measure, total
    from ticket.exporting.opening import opened

    held = opened(path)
    rows, size = operations(held), total(map(measure, held.data))
    if as_json:
        document = {
            "path": str(path),
            "format": held.format,
            "bytes": path.stat().st_size,
            "plan_bytes": size.plan,
            "bound_bytes": size.bound,
            "metadata": dict(held.metadata),
            "operations": rows,
        }
        click.echo(json.dumps(document, indent=1))
        return
    _say("file", f"{path}, {path.stat().st_size:,} bytes, {held.format}")
    _say(
        "plan" if len(held.plans) == 1 else f"{len(held.plans)} plans",
        f"{size.plan:,} bytes: weights {size.weights:,}, biases {size.biases:,}, "
        f"the rest {size.container:,}; entropy bound of the weights {size.bound:,.0f}",
    )
    for name, value in held.metadata.items():
        _say(name, _told(value))
    click.echo()
    print_table(HEADINGS, [_cells(row) for row in rows], left=HEADINGS[1:4])
    if len(held.steps) > 1:
        click.echo(
            "plan N: one call of the executor, its operations below; the others: torch's own"
        )


def is_weights_alone(path: Path) -> bool:
    """Tell whether a file is what `ticket export --format safetensors` writes: dense weights."""
    return str(weights_metadata(path).get("producer", "")).startswith("ticket")


def weights_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file; nothing for any other file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError):
        return {}


def show_weights(path: Path, as_json: bool) -> None:
    """Print what a file of dense weights says of itself; it has no plan."""
    told = weights_metadata(path)
    if as_json:
        document = {"path": str(path), "format": "safetensors", "bytes": path.stat().st_size}
        click.echo(json.dumps(document | {"metadata": told}, indent=1))
        return
    _say("file", f"{path}, {path.stat().st_size:,} bytes, safetensors")
    for name, value in told.items():
        _say(name, value)
    click.echo("dense weights under their state_dict names, zeros included; no plan, no ticket")


def operations(held: Opened) -> list[dict[str, Any]]:
    """Return what there is to tell of every operation, in the order in which they run.

    Where torch's operators stand between plans, each step has a row, and its plan's follow it.
    """
    rows: list[dict[str, Any]] = []
    for step in held.steps:
        if len(held.steps) > 1:
            name = step.operator if step.plan is None else f"plan {step.plan}"
            rows.append({"op": name, "reads": list(step.reads), "makes": step.makes, "shape": []})
        if step.plan is not None:
            inside = _operations(held.plans[step.plan])
            rows += (
                [{**row, "plan": step.plan} for row in inside] if len(held.steps) > 1 else inside
            )
    return rows


def _operations(plan: Plan) -> list[dict[str, Any]]:
    from ticket.exporting.wiring import reads

    return [
        {
            "op": _named(op, place),
            "reads": list(reads(op)),
            "makes": op.output,
            "shape": list(plan.graph.values[op.output] or ()),
            **_act(op),
            **_weights(op, stored),
        }
        for place, (op, stored) in enumerate(zip(plan.graph.ops, plan.stored, strict=True))
    ]


def _say(name: str, text: str) -> None:
    """Print a line of what a file says; a stranger's file must not steer the terminal."""
    click.echo(_printable(f"{name:<15}{text}"))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def _named(op: Op, place: int) -> str:
    from ticket.exporting.shapes import kind

    return f"{kind(op)}{place}"


def _act(op: Op) -> dict[str, Any]:
    from ticket.exporting.ir import Activate, Add, Affine, Conv, Linear, Mul

    if not isinstance(op, Activate | Add | Affine | Conv | Linear | Mul):
        return {}
    return {"act": op.act.name.lower()} if op.act else {}


def _weights(op: Op, stored: Stored | None) -> dict[str, Any]:
    from ticket.exporting.ir import Conv, Linear

    if stored is None or not isinstance(op, Conv | Linear):
        return {}
    return {
        "weights": list(op.weight.shape),
        "kept": stored.nonzeros,
        "dense": op.dense,
        "values": stored.values.word,
        "k": stored.k,
        "bytes": stored.size,
        **({"residual": op.residual} if op.residual is not None else {}),
    }


def _cells(row: dict[str, Any]) -> list[str]:
    act = f" + {row['act']}" if "act" in row and not row["op"].startswith("activate") else ""
    head = [
        ("  " if "plan" in row else "") + _printable(row["op"] + act),
        ", ".join(map(str, row["reads"])),
        str(row["makes"]),
        _times(row["shape"]),
    ]
    if "weights" not in row:
        return head + [""] * (len(HEADINGS) - len(head))
    return [
        *head,
        _times(row["weights"]),
        f"{row['kept']:,}",
        f"{100 * row['kept'] / prod(row['weights']):.2f} %",
        "dense" if row["dense"] else "sparse",
        str(row["k"]),
        f"{row['bytes']:,}",
    ]


def _times(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def _told(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_told(part)}" for key, part in value.items())
    if isinstance(value, list):
        return " ".join(map(_told, value)) or "none"
    return "none" if value is None else str(value)
