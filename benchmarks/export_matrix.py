"""Every network, sparsity, format and batch: what C++ programs compute from exported files.

Tickets are found and trained for a few steps on real images, exported, and run by two C++ programs
without Python (`clients/`): one links the executor alone and loads `native`, one links libtorch and loads
TorchScript. `.pt2` is run by a Python process that has torch and the operator library alone. Outputs are
compared with PyTorch's on real test images. Results go into a JSON file, network by network.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import ticket
from ticket import kernels
from ticket.batches import examples
from ticket.dataset import DataSet
from ticket.errors import TicketError
from ticket.exporting.entropy import entropy
from ticket.uses import Use, bind, read_use

CPP = Path(__file__).parents[1] / "cpp"
CLIENTS = Path(__file__).parent / "clients"
SPARSITIES = (0.0, 0.5, 0.9, 0.95, 0.99)
BATCHES = (1, 7, 64)
TRAINED, TESTED = 512, 256  # images
TOLERANCE = 1e-4  # of an image's largest output

# Runs `.pt2`: prints the milliseconds of loading and the first run.
PYTHON_CLIENT = """
import sys, time
import numpy as np
import torch
library, file, shape, images, outputs, *batches = sys.argv[1:]
torch.ops.load_library(library)
torch.set_grad_enabled(False)
torch.set_num_threads(1)
floats = torch.from_numpy(np.fromfile(images, dtype=np.float32)).reshape(-1, *eval(shape))
start, found = time.perf_counter(), []
load = torch.jit.load if file.endswith(".pt") else lambda path: torch.export.load(path).module()
run = load(file)
for batch in batches:
    found.append(run(floats[: int(batch)]).numpy().ravel())
    if len(found) == 1:
        print(1e3 * (time.perf_counter() - start))
np.concatenate(found).astype(np.float32).tofile(outputs)
"""


class Own(nn.Module):
    """A user's network: two ways with kernels of their own, joined; `act` may be none that we know."""

    def __init__(self, channels: int, classes: int, act: type[nn.Module]) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 24, 5, 2, 2), nn.BatchNorm2d(24), act())
        self.wide = nn.Sequential(nn.Conv2d(24, 24, (1, 7), 1, (0, 3)), act())
        self.deep = nn.Sequential(nn.Conv2d(24, 24, 3, 1, 2, 2, groups=4), act())
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(48, 48, 1),
            nn.Hardsigmoid() if act is nn.SiLU else nn.ReLU6(),
        )
        self.head = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(48 * 64, classes))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        stem = self.stem(images)
        x = torch.cat([self.wide(stem), self.deep(stem) + stem], 1)
        result: Tensor = self.head(x * self.gate(x))
        return result


def own(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Build the user's network of known operations."""
    return Own(shape[0], classes, nn.ReLU)


def own_silu(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Build the same with SiLU and hard sigmoid, which stay torch's."""
    return Own(shape[0], classes, nn.SiLU)


# Name -> the model as `--model` takes it, or a function, and the data set.
NETWORKS: dict[str, tuple[dict[str, Any] | Callable[..., nn.Module], str]] = {
    "lenet-300-100": ({"name": "lenet-300-100"}, "mnist"),
    "lenet-5": ({"name": "lenet-5"}, "mnist"),
    "conv-4": ({"name": "conv-4"}, "cifar10"),
    "resnet20": ({"name": "resnet20"}, "cifar10"),
    "resnet56": ({"name": "resnet56"}, "cifar10"),
    "vgg19": ({"name": "vgg19"}, "cifar10"),
    "resnet18, CIFAR stem": ({"name": "resnet18", "stem": "cifar"}, "cifar10"),
    "resnet18, ImageNet stem": ({"name": "resnet18", "stem": "imagenet"}, "cifar10"),
    "mobilenet-v1": ({"name": "mobilenet-v1"}, "cifar10"),
    "own": (own, "cifar10"),
    "own, SiLU": (own_silu, "cifar10"),
}


def main() -> None:
    """Run the matrix, or the part of it that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of mnist, cifar10")
    parser.add_argument("--out", type=Path, default=Path("export-matrix.json"))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--sparsities", nargs="+", type=float, default=list(SPARSITIES))
    parser.add_argument("--steps", type=int, default=10, help="training iterations")
    given = parser.parse_args()
    torch.set_num_threads(1)
    done = json.loads(given.out.read_text())["rows"] if given.out.exists() else []
    with TemporaryDirectory() as folder:
        clients = built(Path(folder))
        for name in given.networks:
            for sparsity in given.sparsities:
                if any(row["network"] == name and row["sparsity"] == sparsity for row in done):
                    continue
                for row in rows(name, sparsity, given, clients, Path(folder)):
                    print(json.dumps(row), flush=True)
                    done.append(row)
                given.out.write_text(json.dumps({"machine": machine(), "rows": done}, indent=1))


def machine() -> dict[str, str]:
    """Say on what this was measured."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    return {
        "cpu": cpu[0].partition(": ")[2] if cpu else platform.processor(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "isa": kernels.describe().isa,
    }


def built(folder: Path) -> Path:
    """Build and install the executor, build the clients; return the clients' folder."""
    prefix, clients = folder / "prefix", folder / "clients"
    for command in (
        ("-S", CPP, "-B", folder / "runtime", "-DTICKET_RUNTIME_ONLY=ON"),
        ("--build", folder / "runtime"),
        ("--install", folder / "runtime", "--prefix", prefix),
        ("-S", CLIENTS, "-B", clients, "-DCMAKE_BUILD_TYPE=Release",
         f"-DCMAKE_PREFIX_PATH={prefix};{torch.utils.cmake_prefix_path}"),
        ("--build", clients),
    ):  # fmt: skip
        subprocess.run(["cmake", *map(str, command)], check=True, stdout=subprocess.DEVNULL)
    return clients


def data_of(name: str, folder: Path) -> DataSet:
    """Return the first real training and test images of a data set."""
    whole: DataSet = bind(read_use("datasets", name))(folder)
    return DataSet(
        whole.name,
        whole.train_images[:TRAINED],
        whole.train_labels[:TRAINED],
        whole.test_images[:TESTED],
        whole.test_labels[:TESTED],
        classes=whole.classes,
        mean=whole.mean,
        std=whole.std,
    )


def rows(
    name: str, sparsity: float, given: argparse.Namespace, clients: Path, folder: Path
) -> Iterator[dict[str, Any]]:
    """Find, train, export in every format, run, compare: one row a format."""
    asked, dataset = NETWORKS[name]
    data = data_of(dataset, given.data)
    build = partial(_plugin, asked) if isinstance(asked, dict) else asked
    found = ticket.find(
        build,
        data,
        "lth-oneshot" if sparsity else "dense",
        sparsity=sparsity or None,
        training={"length": f"{given.steps}it", "batch_size": 16},
        runs_folder=folder / "runs",
    )
    trained = ticket.load(found.folder / "trained.safetensors")
    shape = tuple(data.test_images.shape[1:])
    network = build(shape, len(data.classes)).eval()
    trained.apply(network)
    images = examples(data, data.test_images, data.test_labels, torch.device("cpu")).normalised(
        data.test_images[: max(BATCHES)]
    )
    images.contiguous().numpy().tofile(folder / "images")
    with torch.no_grad():
        wanted = network(images).numpy()
    for format, ending in (("native", "tkt"), ("torchscript", "pt"), ("pt2", "pt2")):
        path = folder / f"model.{ending}"
        row: dict[str, Any] = {"network": name, "sparsity": sparsity, "format": format}
        try:
            written = ticket.export(
                found.folder / "trained.safetensors",
                path,
                format,
                model=build,
                data=data,
                force=True,
            )
        except TicketError as refusal:
            yield row | {"refused": str(refusal)}
            continue
        outputs, milliseconds = run(clients, path, shape, folder)
        difference, flips = compared(outputs, wanted)
        report = written.lowered.report
        yield row | {
            "kept": trained.kept,
            "prunable": trained.prunable,
            "difference": difference,
            "flips_beyond_tolerance": flips,
            "bytes": written.bytes,
            "plan_bytes": written.size.plan,
            "bound_bytes": round(written.size.bound),
            "ticket_bound_bytes": round(bound_of(trained)),
            "biases_bytes": written.size.biases,
            "load_and_first_run_ms": milliseconds,
            "torch_operators": len(report.unknown) + len(report.left),
        }


def _plugin(asked: dict[str, Any], shape: tuple[int, ...], classes: int) -> nn.Module:
    options = {key: value for key, value in asked.items() if key != "name"}
    network: nn.Module = bind(Use("models", asked["name"], options))(shape, classes)
    return network


def run(
    clients: Path, path: Path, shape: tuple[int, ...], folder: Path
) -> tuple[NDArray[np.float32], float]:
    """Run a file in a process of its own; return all outputs, and load + first run in ms."""
    library = kernels.describe().detail
    tail = [str(folder / "images"), str(folder / "outputs"), *map(str, BATCHES)]
    client = {"tkt": "native", "pt": "libtorch"}.get(path.suffix[1:])
    if client is None:
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            PYTHON_CLIENT,
            library,
            str(path),
            str(shape),
        ]
    else:
        command = [str(clients / client), str(path)]
    env = {**os.environ, "TICKET_OPERATORS": library, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *tail], check=True, env=env, stdout=subprocess.PIPE, text=True)
    return np.fromfile(folder / "outputs", dtype=np.float32), float(done.stdout)


def bound_of(trained: ticket.Ticket) -> float:
    """Return the entropy bound of the ticket's own layers, before any channel was dropped."""
    bound = 0.0
    for mask in trained.masks.values():
        kept = int(mask.sum())
        bound += mask.numel() * entropy(kept / mask.numel()) / 8 + 4 * kept
    return bound


def compared(outputs: NDArray[np.float32], wanted: NDArray[np.float32]) -> tuple[float, int]:
    """Return the largest difference as a share of its image's largest output, and the classes that
    change though the two largest outputs differ by more than the tolerance."""
    difference, flips, at = 0.0, 0, 0
    for batch in BATCHES:
        right = wanted[:batch]
        found = outputs[at : at + right.size].reshape(right.shape)
        at += right.size
        largest = np.abs(right).max(1)
        difference = max(difference, float((np.abs(found - right).max(1) / largest).max()))
        second, first = np.sort(right, 1)[:, -2:].T
        clear = first - second > TOLERANCE * largest
        flips += int((clear & (found.argmax(1) != right.argmax(1))).sum())
    assert at == outputs.size
    return difference, flips


if __name__ == "__main__":
    main()
