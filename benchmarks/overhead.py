"""What a call of an exported network costs over the executor: python benchmarks/overhead.py

Times the same network, batch 1, one thread: by the executor's C API, as TorchScript from C++ and as
TorchScript from Python, in turns; and an empty TorchScript module from Python, for what torch itself takes.
Random ERK masks. Needs a C++ compiler and cmake. Prints microseconds, the median of the rounds, and what
TorchScript adds.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import torch

from export_matrix import built
from inference_networks import random_network
from ticket import kernels
from ticket.exporting.container import find_plans

CALLS = 3000  # of one round, as in clients/overhead.cpp
jit: Any = torch.jit
ops: Any = torch.ops


class Empty(torch.nn.Module):
    """Give back what it is given."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


def call_time(network: Any, images: torch.Tensor) -> float:
    with torch.inference_mode():
        for _ in range(100):
            network(images)
        start = perf_counter()
        for _ in range(CALLS):
            network(images)
        return 1e6 * (perf_counter() - start) / CALLS


def from_python(path: Path) -> tuple[float, float]:
    """Return the microseconds of a call from Python, and of an empty module's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript on purpose
        network = jit.load(str(path))
        empty = jit.script(Empty())
    images = torch.zeros(1, *network.shape)
    return call_time(network, images), call_time(empty, images)


def from_cpp(client: Path, torchscript: Path, folder: Path, size: int) -> tuple[float, float]:
    """Return the microseconds of the executor's call and of TorchScript's."""
    images = folder / "images"
    images.write_bytes(bytes(4 * size))
    done = subprocess.run(
        [client, torchscript, folder / "plan.tkt", images, "1", "3"],
        env=os.environ | {"TICKET_OPERATORS": kernels.describe().detail, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    executor, script = (statistics.median(json.loads(line)) for line in done.stdout.splitlines())
    return executor, script


def main() -> None:
    parser = argparse.ArgumentParser(description="What TorchScript adds to the executor's time.")
    parser.add_argument("--networks", nargs="+", default=["lenet-300-100", "resnet20"])
    parser.add_argument("--sparsity", type=int, default=95)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    ops.load_library(kernels.describe().detail)
    with TemporaryDirectory() as name:
        folder = Path(name)
        clients = built(folder)
        for network in options.networks:
            made = random_network(network, options.sparsity, folder / network)
            path = made.sparse
            (folder / "plan.tkt").write_bytes(find_plans(path).plans[0])
            rounds = [
                (
                    *from_cpp(clients / "overhead", path, folder, math.prod(made.shape)),
                    *from_python(path),
                )
                for _ in range(options.rounds)
            ]
            executor, cpp, python, empty = (
                statistics.median(column) for column in zip(*rounds, strict=True)
            )
            over = sorted(row[2] - row[0] for row in rounds)
            print(
                f"{network} {options.sparsity} %: executor {executor:.2f}, TorchScript from C++ "
                f"{cpp:.2f} (+ {statistics.median(row[1] - row[0] for row in rounds):.2f}), from "
                f"Python {python:.2f} (+ {statistics.median(over):.2f}; an empty module takes "
                f"{empty:.2f}) microseconds"
            )


if __name__ == "__main__":
    main()
