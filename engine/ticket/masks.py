"""Masks: which weights of a network can go, which are kept, and keeping the others at +0.0.

Masks are a plain `dict[str, Tensor]`: bool, True = kept, shaped like the parameter whose name is
the key. The name is the parameter's first one; a prunable parameter without a mask is dense.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from ticket import kernels
from ticket.errors import TicketError, UsageError

PRUNABLE_LAYERS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)


def prunable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weights of convolutional and linear layers, in module order, each one once.

    Raises UsageError when there is none, or when a layer's weight is computed or has no shape yet.
    """
    first_names = {parameter: name for name, parameter in model.named_parameters()}
    found: dict[str, nn.Parameter] = {}
    for name, layer in model.named_modules():
        if not isinstance(layer, PRUNABLE_LAYERS):
            continue
        where = f"layer {name!r} of {type(model).__name__}"
        weight = dict(layer.named_parameters(recurse=False)).get("weight")
        if weight is None:
            raise UsageError(
                f"{where} computes its weight from other tensors; "
                "remove the parametrization (weight norm, say) before pruning"
            )
        if is_lazy(weight):
            raise UsageError(f"{where} has no shape yet; run one batch through the model first")
        found[first_names[weight]] = weight
    if not found:
        raise UsageError(
            f"{type(model).__name__} has no prunable layer; Conv and Linear layers are prunable"
        )
    return found


def aliases(model: nn.Module) -> dict[str, list[str]]:
    """Return, for each parameter or buffer that has several names, first name -> other names."""
    first_names: dict[Tensor, str] = {}
    found: dict[str, list[str]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if not isinstance(tensor, Tensor):  # a module's extra state
            continue
        first = first_names.setdefault(tensor, name)
        if first != name:
            found.setdefault(first, []).append(name)
    return found


def dense_masks(model: nn.Module) -> dict[str, Tensor]:
    """Return masks that keep every prunable weight."""
    return {name: torch.ones_like(w, dtype=torch.bool) for name, w in prunable(model).items()}


def kept(masks: Mapping[str, Tensor]) -> int:
    """Count the weights that the masks keep."""
    return sum(int(mask.count_nonzero()) for mask in masks.values())


def counts(
    weights: nn.Module | Mapping[str, Tensor], masks: Mapping[str, Tensor]
) -> tuple[int, int]:
    """Return (kept, prunable) over a model or its prunable weights; no mask counts as dense.

    Raises TicketError when a mask fits no weight.
    """
    by_name = prunable(weights) if isinstance(weights, nn.Module) else weights
    check(by_name, masks)
    total = sum(weight.numel() for weight in by_name.values())
    masked = sum(mask.numel() for mask in masks.values())
    return kept(masks) + total - masked, total


def check(weights: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
    """Raise TicketError unless every mask is bool, names a weight and has its shape."""
    for name, mask in masks.items():
        if name not in weights:
            raise TicketError(f"there is a mask for {name!r}, but no prunable weight of that name")
        shape, right = tuple(mask.shape), tuple(weights[name].shape)
        if shape != right:
            raise TicketError(f"the mask of {name!r} has shape {shape}; the weight has {right}")
        if mask.dtype != torch.bool:
            raise TicketError(f"the mask of {name!r} is {mask.dtype}; masks are torch.bool")


def apply_(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set the model's masked weights to +0.0. Raises TicketError when a mask fits no weight."""
    weights = prunable(model)
    check(weights, masks)
    kernels.hold_(
        [weights[name] for name in masks],
        [mask.to(weights[name].device) for name, mask in masks.items()],
    )


# Their update of a zero weight with zero moments and a zero gradient is zero, weight decay included.
_KEEP_ZERO = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)


class Held:
    """Hold masked weights, and all that an optimizer remembers of them, at +0.0.

    A class because it works at every step: the parameters are looked up once, here.
    Raises TicketError when a mask fits no weight, UsageError when the optimizer trains none.
    """

    def __init__(self, model: nn.Module, masks: Mapping[str, Tensor], optimizer: Optimizer) -> None:
        weights = prunable(model)
        check(weights, masks)
        trained = {parameter for group in optimizer.param_groups for parameter in group["params"]}
        if masks and trained.isdisjoint(weights[name] for name in masks):
            raise UsageError(
                f"the optimizer trains no masked weight of {type(model).__name__}; "
                "give the optimizer that was made from this model's parameters"
            )
        self._optimizer = optimizer
        self._gradients_suffice = type(optimizer) in _KEEP_ZERO
        self._masked = [
            (weights[name], mask.to(weights[name].device).contiguous())
            for name, mask in masks.items()
        ]

    def step(self) -> None:
        """Let the optimizer step, so that what was +0.0 stays +0.0.

        Where zero gradients are enough for that, holding them costs a third of holding weights and
        moments.
        """
        if not self._gradients_suffice:
            self._optimizer.step()
            self.after_step()
            return
        with_gradients = [(w.grad, mask) for w, mask in self._masked if w.grad is not None]
        kernels.hold_([g for g, _ in with_gradients], [m for _, m in with_gradients])
        self._optimizer.step()

    def after_step(self) -> None:
        """Set masked weights and their moments (any state of the weight's shape) to +0.0.

        Zeroed moments matter: momentum would move a masked weight even under a zero gradient.
        """
        tensors: list[Tensor] = []
        masks: list[Tensor] = []
        for weight, mask in self._masked:
            tensors.append(weight)
            masks.append(mask)
            for value in self._optimizer.state.get(weight, {}).values():
                if _is_moment(value, weight):
                    tensors.append(value)
                    masks.append(mask)
        kernels.hold_(tensors, masks)


@contextmanager
def held(model: nn.Module, masks: Mapping[str, Tensor], optimizer: Optimizer) -> Iterator[None]:
    """Apply the masks, and hold them after every `optimizer.step()` inside the `with` block."""
    state = Held(model, masks, optimizer)
    state.after_step()
    hook = optimizer.register_step_post_hook(lambda _optimizer, _args, _options: state.after_step())
    try:
        yield
    finally:
        hook.remove()


def _is_moment(value: object, weight: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == weight.shape and value.is_floating_point()
