"""Named random streams: one seed gives independent generators, each found again by its name.

A stream is not stepped through the run: the generator for `(seed, "order", round 3, epoch 7)` is made
when it is needed. A checkpoint therefore holds every stream by holding the round and the step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def number(seed: int, *name: object) -> int:
    """Return 63 bits from the seed and the stream's name."""
    text = "/".join(map(str, (seed, *name)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def stream(seed: int, *name: object) -> torch.Generator:
    """Return a fresh CPU generator for the stream of that name."""
    return torch.Generator().manual_seed(number(seed, *name))


@contextmanager
def torch_seeded(seed: int, *name: object) -> Iterator[None]:
    """Run code that draws from torch's global generators on a stream, leaving them as they were."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        # Not torch.manual_seed: where there is no accelerator it keeps a traceback for each kind that
        # there might be, milliseconds and memory every time.
        torch.default_generator.manual_seed(number(seed, *name))
        if torch.cuda.device_count():
            torch.cuda.manual_seed_all(number(seed, *name))
        yield
