"""A trained ticket becomes a file to ship: captured, lowered, checked against PyTorch, written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ticket.bases import settle
from ticket.batches import examples, pixel_scale
from ticket.dataset import DataSet
from ticket.end import End, end_of
from ticket.errors import TicketError, UsageError
from ticket.exporting import agreement as comparing
from ticket.exporting.agreement import Agreement
from ticket.exporting.entropy import Size, measure, total
from ticket.exporting.exported import Exported
from ticket.exporting.lower import Lowered, lower
from ticket.exporting.passes.normalise import Normalisation
from ticket.exporting.program import assemble
from ticket.exporting.value_type import ValueType, value_type
from ticket.task import open_data
from ticket.tickets import Ticket
from ticket.uses import Use, bind, read_use

CHECKED = 256  # images that both networks are compared on


@dataclass(frozen=True)
class Asked:
    """Hold what is asked for: the exporter, the file, and what goes into it.

    `normalise` lets the file take raw pixels; `batch` fixes the number of images (0: any number).
    `function` builds the ticket's network where a Python caller gives it, `data` its data set.
    """

    exporter: Use
    path: Path
    values: str = "fp32"
    normalise: bool = False
    batch: int = 0
    force: bool = False
    data_folder: Path = Path("data")
    function: Callable[..., nn.Module] | None = None
    data: DataSet | None = None


@dataclass(frozen=True, eq=False)
class Written:
    """Hold the files, and what is to be known of them.

    `bytes` is the size of the first file, `size` what its plans are made of, `dense_bytes` what the dense
    weights take.
    """

    paths: tuple[Path, ...]
    lowered: Lowered
    agreement: Agreement
    bytes: int
    size: Size
    dense_bytes: int


def export(ticket: Ticket, sha256: str, asked: Asked) -> Written:
    """Write the trained ticket whose file has this SHA-256 in the format that is asked for.

    Raises UsageError for a request that makes no sense, TicketError for a network that cannot be
    captured, CheckFailed when what would be written differs from PyTorch; then nothing is written.
    """
    kind = value_type(asked.values)
    _check_request(ticket, asked)
    end = end_of(ticket, asked.function, asked.data_folder)
    network = end.build().eval()
    ticket.apply(network)
    settle(network)
    data, missing = _data(end, asked)
    pixels = _normalisation(data, missing) if asked.normalise else None
    lowered = lower(network, end.shape, normalise=pixels, values=asked.values)
    inputs, prepared, source = _images(end, data, missing, pixels)
    metadata = _metadata(end, data, pixels, sha256, asked)
    program = assemble(lowered.graph, metadata, kind)
    agreement = comparing.compare(network, program, inputs, prepared, source, asked.batch)
    comparing.check(agreement, kind is ValueType.FP32)
    with torch.no_grad():
        outputs = tuple(network(prepared[:1]).shape[1:])
    exported = Exported(
        network, lowered, program, metadata, end.shape, outputs, asked.batch, inputs[:2]
    )
    asked.path.parent.mkdir(parents=True, exist_ok=True)
    paths = tuple(bind(asked.exporter)(exported, asked.path))
    return Written(
        paths,
        lowered,
        agreement,
        paths[0].stat().st_size,
        total(map(measure, program.plans)),
        sum(t.numel() * t.element_size() for t in network.state_dict().values()),
    )


def _check_request(ticket: Ticket, asked: Asked) -> None:
    if not ticket.record.get("trained"):
        raise UsageError(
            "the ticket is not trained yet, and its start weights recognise nothing; "
            "first: ticket train, then export its run or its trained.safetensors"
        )
    if asked.path.exists() and not asked.force:
        raise UsageError(f"{asked.path} is there already; --force replaces it")
    if asked.path.is_dir():
        raise UsageError(f"{asked.path} is a folder; give the file's name")
    if asked.batch < 0:
        raise UsageError(f"a batch of {asked.batch} images; give 1 or more, or 0 for any number")


def _data(end: End, asked: Asked) -> tuple[DataSet | None, str]:
    """Return the data set, or None and why it cannot be read."""
    if asked.data is not None:
        return asked.data, ""
    try:
        return open_data(read_use("datasets", end.dataset), asked.data_folder), ""
    except (TicketError, ValueError) as problem:
        return None, str(problem)


def _normalisation(data: DataSet | None, missing: str) -> Normalisation:
    if data is None:
        raise TicketError(f"the normalisation is the data set's, and it cannot be read: {missing}")
    return Normalisation(data.mean or (), data.std or (), pixel_scale(data))


def _images(
    end: End, data: DataSet | None, missing: str, pixels: Normalisation | None
) -> tuple[Tensor, Tensor, str]:
    """Return images as the file takes them, as the network takes them, and where they are from."""
    if data is None:
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(CHECKED, *end.shape, generator=generator)
        return images, images, f"random images ({missing})"
    images, labels = data.test_images[:CHECKED], data.test_labels[:CHECKED]
    prepared = examples(data, images, labels, torch.device("cpu")).normalised(images)
    return (images.float() if pixels else prepared), prepared, f"test images of {data.name}"


def _metadata(
    end: End, data: DataSet | None, pixels: Normalisation | None, sha256: str, asked: Asked
) -> dict[str, Any]:
    normalisation = None
    if data is not None:
        normalisation = {
            "mean": list(data.mean or ()),
            "std": list(data.std or ()),
            "scale": pixel_scale(data),
            "in_plan": pixels is not None,
        }
    return {
        "model": end.model.name,
        "classes": list(data.classes) if data is not None else [],
        "ticket": sha256,
        "batch": asked.batch,
        "normalisation": normalisation,
        "producer": f"ticket, torch {torch.__version__}",
    }
