"""Networks whose stages repeat one unit: the first halves height and width, the others keep them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch.nn.functional as F  # noqa: N812 - the name every reader of torch code expects
from torch import Tensor, nn


class Staged(nn.Module):
    """Classify images by a stem, stages of units, the mean over pixels and one linear layer.

    BatchNorm and ReLU follow the stem, and with `pool` a 3x3 max-pool of stride 2. `forward` takes
    float `[N, C, H, W]` and returns logits `[N, classes]`. Parameters are named `stem.weight`,
    `norm.weight`, `stages.<stage>.<unit>.conv1.weight`, `classifier.weight`, and alike.
    """

    def __init__(
        self,
        stem: nn.Conv2d,
        stages: nn.ModuleList,
        classifier: nn.Linear,
        *,
        training: Mapping[str, object],
        pool: bool = False,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.norm = nn.BatchNorm2d(stem.out_channels)
        self.pool = pool
        self.stages = stages
        self.classifier = classifier
        self.units = stage_units(stages)
        self.paper_training = training

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits `[N, classes]` of images `[N, C, H, W]`."""
        x = self.norm(self.stem(images)).relu()
        if self.pool:
            x = F.max_pool2d(x, 3, stride=2, padding=1)
        for stage in self.stages:
            x = stage(x)
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


def build_stages(
    unit: Callable[[int, int, int], nn.Module],
    inputs: int,
    widths: Sequence[int],
    counts: Sequence[int],
) -> nn.ModuleList:
    """Build stages of `counts` units, each a `unit(channels in, channels out, stride)`.

    `inputs` channels go in, `widths` come out of the stages. The first unit of a stage has stride
    2, but not that of the first stage.
    """
    stages = nn.ModuleList()
    for number, (width, count) in enumerate(zip(widths, counts, strict=True)):
        stage = nn.Sequential()
        for place in range(count):
            stage.append(unit(inputs, width, 2 if number > 0 and place == 0 else 1))
            inputs = width
        stages.append(stage)
    return stages


def stage_units(stages: nn.ModuleList) -> dict[str, list[str]]:
    """Return the units of a module named `stages`: `stage1` has `stages.0.0`, `stages.0.1`, ..."""
    return {
        f"stage{number + 1}": [f"stages.{number}.{name}" for name, _ in stage.named_children()]
        for number, stage in enumerate(stages)
    }
