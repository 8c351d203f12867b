"""BatchNorm statistics estimated anew: weights that were averaged have none of their own."""

from __future__ import annotations

import torch
from torch import nn

from ticket.batches import Examples

BATCH = 500  # examples; statistics of one batch are averaged over all of them
ENOUGH = 10_000  # examples; more change no digit that is printed


def reestimate(model: nn.Module, train: Examples) -> bool:
    """Set every BatchNorm's running statistics to those of training examples; tell whether there are any.

    The mean over batches, as they are, without augmentation; everything else stays in evaluation mode.
    """
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    norms = [m for m in norms if m.track_running_stats]
    if not norms:
        return False
    was_training, momenta = model.training, [m.momentum for m in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative mean
        norm.train()
    with torch.no_grad():
        for start in range(0, min(len(train), ENOUGH), BATCH):
            images = train.images[start : start + BATCH]
            if len(images) > 1:  # a single example has no batch statistics
                model(train.normalised(images))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(was_training)
    return True
