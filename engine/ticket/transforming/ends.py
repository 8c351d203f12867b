"""The two ends of a transform: the target beside the source, and which tensors its data shapes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ticket.dataset import DataSet
from ticket.end import End, Function
from ticket.network import shapes_of
from ticket.registry import load
from ticket.task import given_data, open_data
from ticket.uses import Use


def target_end(
    source: End, model: Use | Function | None, dataset: Use | DataSet | None, folder: Path
) -> End:
    """Return the end that is asked for; what is not asked for stays as it is."""
    shape, classes, named = source.shape, source.classes, source.dataset
    if dataset is not None:
        use = dataset if isinstance(dataset, Use) else given_data(dataset)
        data = open_data(dataset, folder) if isinstance(dataset, Use) else dataset
        channels, height, width = data.train_images.shape[1:]
        shape, classes = (int(channels), int(height), int(width)), len(data.classes)
        named = use.plain()
    if model is None:
        return End(source.model, named, shape, classes, source.function, source.basis)
    if isinstance(model, Use):
        load("models", model.name)
        return End(model, named, shape, classes, None, source.basis)
    name = f"{model.__module__}:{getattr(model, '__qualname__', type(model).__name__)}"
    return End(Use("models", name), named, shape, classes, model, source.basis)


def shaped_by_data(source: End, target: End) -> frozenset[str]:
    """Name the tensors of the target that its data set gives another shape than the source's would."""
    if target.fed_like(source):
        return frozenset()
    there = replace(target, shape=source.shape, classes=source.classes)
    shapes = shapes_of(there.build())
    return frozenset(n for n, size in shapes_of(target.build()).items() if shapes.get(n) != size)
