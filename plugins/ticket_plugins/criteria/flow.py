"""SynFlow: a criterion that needs no data."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ticket.bases import in_basis
from ticket.errors import TicketError, UsageError
from ticket.masks import prunable
from ticket.probing import BatchNormMode, gradients, set_mode
from ticket.scoring import Scores, Survey


def synflow(
    survey: Survey,
    *,
    batch_norm: BatchNormMode = "eval",
    precision: Literal["float64", "float32"] = "float64",
) -> Scores:
    """Score by the synaptic flow w dR/dw, R the sum of the outputs for an image of ones through |w|.

    Tanaka et al. 2020 (arXiv 2006.05467), equation 2: all of the network's tensors are replaced by
    their absolute values, BatchNorm's too. In float64, for flows grow with every layer. Raises
    UsageError when `batch_norm: train` has a single value to take statistics of, and for coefficients in
    a basis, TicketError when the flow overflows.
    """
    network = survey.network()
    if in_basis(network):
        raise UsageError(
            "synflow follows absolute weights from input to output, and a coefficient in a basis is no "
            "connection; use the canonical basis, or a criterion such as magnitude, snip or grasp"
        )
    kind = torch.float64 if precision == "float64" else torch.float32
    network.to(kind)
    set_mode(network, batch_norm)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.abs_()
    images = survey.train.images
    ones = torch.ones((1, *images.shape[1:]), dtype=kind, device=images.device)
    try:
        flow: Tensor = network(ones).sum()
    except ValueError as problem:
        raise UsageError(
            f"synflow with batch_norm: {batch_norm} fails on one image ({problem}); use batch_norm: eval"
        ) from problem
    if not bool(flow.isfinite()):
        raise TicketError(
            f"synflow: the flow through the network is {float(flow.detach())} in {precision}; "
            "use float64, or a network with normalisation layers"
        )
    weights = prunable(network)
    slopes = gradients(flow, weights)
    return Scores({name: (weights[name] * slopes[name]).detach() for name in weights})
