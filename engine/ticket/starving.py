"""Layers that will keep too few weights for a signal to pass, told from the counts alone."""

from __future__ import annotations

from collections.abc import Sequence

from ticket.ladder import Layer, Rung, Scope


def starved(scope: Scope, layers: Sequence[Layer], rungs: Sequence[Rung]) -> list[str]:
    """Say of each layer from which round on it keeps nothing, or fewer weights than it has outputs.

    Known where the scope gives a layer its own count; where layers compete the scores decide it.
    """
    inside = [layer for layer in layers if not layer.excluded]
    outputs = {layer.name: layer.shape[0] for layer in inside}
    said: dict[str, dict[bool, str]] = {layer.name: {} for layer in inside}
    for number, rung in enumerate(rungs, 1):
        for group in scope(inside, rung.ideal, rung.kept):
            if len(group.names) > 1 or group.kept >= outputs[group.names[0]]:
                continue
            name, kept = group.names[0], group.kept
            few = f"{kept:,} weight{'s' * (kept != 1)} for {outputs[name]:,} outputs: "
            few += f"{outputs[name] - kept:,} or more get no input"
            told = few if kept else "no weight: nothing passes it (layer collapse)"
            said[name].setdefault(kept > 0, f"from round {number} on '{name}' keeps {told}")
    return [text for texts in said.values() for text in texts.values()]
