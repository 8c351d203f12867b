"""The networks that are raced: random ERK masks, or a ticket's own, as every engine wants them.

Of each network two files: `dense.pt2`, the network with its zeros for one batch, which every other engine
is made from, and `sparse.pt`, what `ticket export` writes. Times of a network do not depend on what it has
learned, so its weights are random; its BatchNorm statistics are those of its own activations.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor, nn

import ticket
from ticket.end import End, end_of
from ticket.ladder import Layer
from ticket.masks import prunable
from ticket.registry import load
from ticket.tickets import Ticket, create
from ticket.uses import Use

# The others are CIFAR networks.
SHAPES = {"lenet-300-100": ((1, 28, 28), "mnist"), "mlp-4": ((1, 28, 28), "mnist")}
USUAL = ((3, 32, 32), "cifar10")
CLASSES = 10
BATCHES = (1, 64)


@dataclass(frozen=True)
class Network:
    """Name a network, how sparse it is, and where its files are."""

    name: str
    sparsity: int  # %
    folder: Path
    shape: tuple[int, int, int]
    kept_macs: int  # multiply-adds of one image, padding included
    dense_macs: int

    @property
    def sparse(self) -> Path:
        return self.folder / "sparse.pt"

    def dense(self, batch: int) -> Path:
        return self.folder / f"dense-{batch}.pt2"


def random_network(name: str, sparsity: int, folder: Path) -> Network:
    """Make a network with random masks, ERK over its layers."""
    shape, dataset = SHAPES.get(name, USUAL)
    end = End(Use("models", name), dataset, shape, CLASSES)
    model = end.build(0, "init")
    masks = erk_masks(model, 1 - sparsity / 100)
    with torch.no_grad():
        for parameter, mask in masks.items():
            weight = model.get_parameter(parameter)
            density = max(float(mask.float().mean()), 1e-3)
            weight.mul_(mask).div_(density**0.5)  # as large outputs as the dense network's
    settle(model, shape)
    record = {**end.record(), "trained": True, "seeds": {"seed": 0}}
    return exported(name, sparsity, folder, create(model, masks, record=record), end)


def ticket_network(path: Path, folder: Path, data: Path) -> Network:
    """Take the network of a trained ticket."""
    found = ticket.load(path)
    end = end_of(found, None, data)
    return exported(end.model.name, round(100 * (1 - found.density)), folder, found, end)


def erk_masks(model: nn.Module, density: float) -> dict[str, Tensor]:
    """Draw masks of the ERK densities, of exactly this density in all."""
    weights = prunable(model)
    layers = [Layer(n, tuple(w.shape), w.numel(), Fraction(0)) for n, w in weights.items()]
    kept = round(density * sum(w.numel() for w in weights.values()))
    generator = torch.Generator().manual_seed(1)
    masks = {}
    for group in load("scopes", "erk").function(layers, {}, kept):
        (name,) = group.names
        mask = torch.zeros(weights[name].numel(), dtype=torch.bool)
        mask[torch.randperm(len(mask), generator=generator)[: group.kept]] = True
        masks[name] = mask.reshape(weights[name].shape)
    return masks


def settle(model: nn.Module, shape: tuple[int, int, int]) -> None:
    """Give BatchNorm the statistics of its own activations."""
    model.train()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for _ in range(8):
            model(torch.randn(32, *shape, generator=generator))
    model.eval()


def exported(name: str, sparsity: int, folder: Path, found: Ticket, end: End) -> Network:
    """Write the network for ours (any batch) and for the others (one batch a file)."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.onnx"):  # of another version of the network
        old.unlink()
    model = end.build().eval()
    found.apply(model)
    network = Network(name, sparsity, folder, end.shape, *macs(model, end.shape))
    ticket.export(found, network.sparse, "torchscript", force=True)
    for batch in BATCHES:
        program = torch.export.export(model, (torch.zeros(batch, *network.shape),))
        torch.export.save(program, network.dense(batch))
    return network


def macs(model: nn.Module, shape: tuple[int, int, int]) -> tuple[int, int]:
    """Count one image's multiply-adds: of the weights that are not zero, and of all."""
    kept = dense = 0

    def count(module: nn.Module, _: object, output: Tensor) -> None:
        nonlocal kept, dense
        weight = module.get_parameter("weight")
        places = output[0, 0].numel() if output.dim() == 4 else 1
        kept += int(weight.count_nonzero()) * places
        dense += weight.numel() * places

    hooks = [
        m.register_forward_hook(count)
        for m in model.modules()
        if isinstance(m, nn.Conv2d | nn.Linear)
    ]
    with torch.no_grad():
        model(torch.zeros(1, *shape))
    for hook in hooks:
        hook.remove()
    return kept, dense
