"""What tests of plugins share: a survey of a network; a process with torch and our operators alone."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ticket import kernels
from ticket.batches import split
from ticket.dataset import DataSet
from ticket.masks import apply_, dense_masks, prunable
from ticket.scoring import Survey
from ticket.seeds import stream

# Runs a file on every batch of `images.npz`, and writes what comes out.
CLIENT = """
import sys
import numpy as np
import torch

library, file, folder = sys.argv[1:4]
torch.ops.load_library(library)
if file.endswith(".pt"):
    module = torch.jit.load(file)
    torch.jit.save(module, file + ".again")
    modules = {"": module, "again": torch.jit.load(file + ".again")}
elif file.endswith(".pt2"):
    modules = {"": torch.export.load(file).module()}
else:
    packed = torch.ops.ticket.pack_plan(torch.from_numpy(np.fromfile(file, np.uint8)))
    modules = {"": lambda images: torch.ops.ticket.infer(packed, images, [10], 1)}
found = {}
for name, images in np.load(folder + "/images.npz").items():
    images = torch.from_numpy(images)
    for which, module in modules.items():
        found[name + which] = module(images).numpy()
assert "ticket" not in sys.modules and "ticket_plugins" not in sys.modules
np.savez(folder + "/found.npz", **found)
"""
Stranger = Callable[..., tuple[dict[str, Any], str]]


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    """Return what runs a file in a new process: file, images by name, flags of Python in.

    Out come the outputs by the images' names, those of TorchScript that was saved once more under
    their names with `again`, and what was printed.
    """

    def run(file: Path, images: Mapping[str, Any], *flags: str) -> tuple[dict[str, Any], str]:
        np.savez(tmp_path / "images.npz", **images)
        library = kernels.describe().detail
        done = subprocess.run(
            [sys.executable, *flags, "-c", CLIENT, library, str(file), str(tmp_path)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return dict(np.load(tmp_path / "found.npz")), done.stdout + done.stderr

    return run


@pytest.fixture
def survey_of(points: DataSet) -> Callable[..., Survey]:
    """Return a maker of surveys: of a network on 72 images of 1 x 4 x 4, with masks and a seed."""

    def make(model: nn.Module, masks: dict[str, Tensor] | None = None, seed: int = 0) -> Survey:
        here = dense_masks(model) if masks is None else masks

        def network() -> nn.Module:
            copied = copy.deepcopy(model)
            apply_(copied, here)
            return copied

        weights = {name: weight.detach() for name, weight in prunable(model).items()}
        train = split(points, 0, torch.device("cpu")).train
        return Survey(weights, here, stream(seed, "masks"), network, train, 16)

    return make
