"""The folder of a run: where each file lies, and the measurements that are appended to it.

config.yaml            the resolved configuration
machine.json           CPU type, torch version, threads: what the bits depend on
metrics.jsonl          one line a measurement, append-only
round-00/ ...          ticket.safetensors (masks, start weights) and figures.json of each round
ticket.safetensors     the ticket
trained.safetensors    the ticket, trained
figures.json           all that was measured; with it, the run is finished
teacher.safetensors    the network that others learn from, where there is one
controls/reinit-07/    what a control showed at round 7
checkpoint.safetensors where an unfinished run goes on
"""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ticket.errors import TicketError
from ticket.files import append_lines, truncate, write_text_atomically

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Folder:
    """Name the files of one run."""

    path: Path

    @property
    def config(self) -> Path:
        """Return the path of the resolved configuration."""
        return self.path / "config.yaml"

    @property
    def checkpoint(self) -> Path:
        """Return the path of the checkpoint."""
        return self.path / "checkpoint.safetensors"

    @property
    def ticket(self) -> Path:
        """Return the path of the ticket that was found."""
        return self.path / "ticket.safetensors"

    @property
    def trained(self) -> Path:
        """Return the path of the trained ticket."""
        return self.path / "trained.safetensors"

    @property
    def figures(self) -> Path:
        """Return the path of the figures; the file is there when the run is finished."""
        return self.path / "figures.json"

    @property
    def metrics(self) -> Path:
        """Return the path of the measurements."""
        return self.path / "metrics.jsonl"

    @property
    def rewind(self) -> Path:
        """Return the path of the state that survivors rewind to, when that is not step 0."""
        return self.path / "rewind.safetensors"

    @property
    def teacher(self) -> Path:
        """Return the path of the teacher's state, where a training learns from one."""
        return self.path / "teacher.safetensors"

    def round(self, number: int) -> Path:
        """Return the folder of a round."""
        return self.path / f"round-{number:02d}"

    def round_ticket(self, number: int) -> Path:
        """Return the path of a round's ticket."""
        return self.round(number) / "ticket.safetensors"

    def trained_dense(self) -> Path:
        """Return the file of the dense network after its training in round 0.

        Raises TicketError when the run did not keep it.
        """
        path = next(iter(sorted(self.round(0).glob("trained-*.safetensors"))), None)
        if path is None:
            raise TicketError(
                f"{self.path} did not keep the trained dense network; find with --keep tickets"
            )
        return path

    def control(self, name: str, number: int) -> Path:
        """Return the folder of a control at a round."""
        return self.path / "controls" / f"{name}-{number:02d}"

    @property
    def finished(self) -> bool:
        """Tell whether the run has reached its end."""
        return self.figures.is_file()


class Metrics:
    """Collect measurements and append them when a checkpoint is written.

    A measurement is either covered by a checkpoint or made again: after a kill the file is cut back to
    what the checkpoint knows.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._lines, self.size = path, list[str](), size
        truncate(path, size)

    def add(self, **measured: object) -> None:
        """Note one measurement."""
        self._lines.append(json.dumps(measured))

    def flush(self) -> int:
        """Append what was noted and return the size of the file in bytes."""
        if self._lines:
            self.size = append_lines(self._path, self._lines)
            self._lines.clear()
        return self.size


def make(path: Path) -> None:
    """Make a folder, with its parents. Raises TicketError naming it when that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise TicketError(f"cannot make the folder {path}: {problem.strerror}") from problem


def write_json(path: Path, document: object) -> None:
    """Write a JSON document whole or not at all, making its folder."""
    make(path.parent)
    write_text_atomically(path, json.dumps(document, indent=1) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON document. Raises TicketError that names a file that is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise TicketError(f"cannot read {path}: {problem}") from problem


def machine(threads: int, device: torch.device) -> dict[str, Any]:
    """Describe what, beside the configuration, decides the bits of a result."""
    import torch  # here, so that a run's folder can be read without it

    return {
        "cpu": cpu_name(),
        "device": str(device) if device.type == "cpu" else torch.cuda.get_device_name(device),
        "threads": threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def cpu_name() -> str:
    """Return the processor's name, with its vector width as torch uses it."""
    import torch

    names = []
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [x.partition(":")[2].strip() for x in lines if x.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"
