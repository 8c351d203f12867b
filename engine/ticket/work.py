"""How much arithmetic a network does: how often each prunable weight is used for one example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ticket.masks import PRUNABLE_LAYERS, prunable
from ticket.seeds import torch_seeded

FORWARD_AND_BACKWARD = 3  # passes: the gradients of inputs and of weights cost one forward each
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def weight_uses(network: nn.Module, images: Tensor) -> dict[str, float]:
    """Return how many multiply-adds each weight of a prunable parameter takes part in, an example.

    A convolution's weight is used at every output position, a linear layer's once; a layer that runs
    twice, or a parameter of two layers, counts twice. `images` `[N, C, H, W]` are the network's input.
    """
    names = {id(weight): name for name, weight in prunable(network).items()}
    uses = dict.fromkeys(names.values(), 0.0)

    def noting(layer: nn.Module) -> Callable[..., None]:
        def note(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            positions = inputs[0] if isinstance(layer, _TRANSPOSED) else output
            channels = positions.shape[-1 if isinstance(layer, nn.Linear) else 1]
            uses[names[id(layer.weight)]] += positions.numel() / (channels * len(images))

        return note

    layers = [layer for layer in network.modules() if isinstance(layer, PRUNABLE_LAYERS)]
    hooks = [layer.register_forward_hook(noting(layer)) for layer in layers]
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad(), torch_seeded(0, "work"):
            network(images)
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return uses
