"""What torch says about itself while it captures or writes a network, kept from the user."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

# torch's own deprecations, which neither we nor the user can act on; each by its message.
_MESSAGES = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"`torch\.jit\.\w+` is deprecated",
)
# These tell of an exception, beside it, what says less than the exception.
_LOGS = ("torch.fx.experimental.symbolic_shapes", "torch._subclasses.fake_tensor")


@contextmanager
def without_noise() -> Iterator[None]:
    """Silence torch's warnings about its own insides; all others are shown as ever."""
    with warnings.catch_warnings():
        for message in _MESSAGES:
            warnings.filterwarnings("ignore", message)
        yield


@contextmanager
def one_error() -> Iterator[None]:
    """Let an exception alone say what failed: torch prints the graph so far beside it.

    What is written to stderr appears when the work is done, and not at all if it fails.
    """
    logs = [logging.getLogger(name) for name in _LOGS]
    levels, written = [log.level for log in logs], io.StringIO()
    for log in logs:
        log.setLevel(logging.CRITICAL)
    try:
        with redirect_stderr(written):
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
    sys.stderr.write(written.getvalue())
