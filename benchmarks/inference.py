"""Race exported networks beside other engines: python benchmarks/inference.py --peers FOLDER

For each network, batch and number of threads, in turns, in one run: what `ticket export` writes, as
TorchScript, at each sparsity; DeepSparse at each sparsity, the best of several processes; and the dense
engines, whose time does not depend on the zeros, once. Every engine is a process of its own that waits
while others work, called from Python as its users call it. All outputs are compared with PyTorch's first.

FOLDER is a virtual environment for the other engines, made if it is not there (2 GB): they want an older
numpy than ours. What was measured is written to OUT, a file for each race; races that are there already are
not run again. benchmarks/inference_table.py makes the tables.
"""

import argparse
import json
import os
import statistics
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inference_networks import BATCHES, Network, random_network, ticket_network
from ticket import kernels

PACKAGES = ("torch==2.13.0", "numpy<2", "deepsparse==1.8.0", "onnxruntime", "openvino", "onnx")
DENSE = ("onnxruntime", "openvino", "openvino-default", "compile", "torchscript")
SPARSE = ("ours", "deepsparse", "csr")  # whose time depends on the zeros
LOOSE = 1e-1  # of the largest output: bf16 keeps 8 bits at each of a score of layers
CLOSE = 1e-4
SHORT = 0.15  # seconds of one turn
WORKER = Path(__file__).with_name("inference_worker.py")


@dataclass(eq=False)
class Worker:
    """Hold one process: an engine with a network."""

    engine: str
    sparsity: int
    process: subprocess.Popen[str]
    outputs: Path
    log: Path
    times: list[float]
    turns: list[float]  # the median of each
    memory: int = 0  # bytes, once it is ready

    def hear(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.engine} at {self.sparsity} % has died; see {self.log}")
        return json.loads(line)

    def time(self, seconds: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        times = self.hear()
        self.times += times
        self.turns.append(statistics.median(times))

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def peers_python(folder: Path) -> Path:
    """Return the Python of the other engines' environment, made if it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"setting up {folder}: {' '.join(PACKAGES)}", flush=True)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


@dataclass(frozen=True)
class Race:
    """Name what runs against each other."""

    networks: tuple[Network, ...]
    batch: int
    threads: int

    @property
    def name(self) -> str:
        return f"{self.networks[0].name}-batch-{self.batch}-threads-{self.threads}"


def start(options: argparse.Namespace, race: Race, engine: str, network: Network) -> Worker:
    """Start one process; it has not said yet that it is ready."""
    ours = engine == "ours"
    outputs = options.work / f"outputs-{engine}-{network.sparsity}.npy"
    command: list[str | Path] = [peers_python(options.peers), WORKER, engine]
    command += [network.sparse if ours else network.dense(race.batch), str(race.threads)]
    command += [options.work / "images.npy", outputs]
    if ours:
        command.append(kernels.describe().detail)
    # DeepSparse sends its users' figures home unless it is told not to.
    environment = os.environ | {
        "NM_DISABLE_ANALYTICS": "True",
        "OMP_NUM_THREADS": str(race.threads),
        "TORCHINDUCTOR_CACHE_DIR": str(options.work / "inductor"),
    }
    log = options.work / f"{engine}.log"
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log.open("w"),
        env=environment,
        text=True,
    )
    return Worker(engine, network.sparsity, process, outputs, log, [], [])


def best_of(
    options: argparse.Namespace, race: Race, engine: str, network: Network
) -> Worker | None:
    """Start an engine as often as it is asked for and keep the process that is fastest.

    None where each of them computes something else than PyTorch; ours must not.
    """
    found: list[Worker] = []
    for _ in range(options.processes if engine == "deepsparse" else 1):
        worker = start(options, race, engine, network)
        worker.memory = worker.hear()
        apart = difference(options, worker, network, race.batch)
        if not apart < (LOOSE if engine == "openvino-default" else CLOSE):
            worker.end()
            told = f"{race.name}: {engine} at {network.sparsity} % is {apart:.1e} off"
            if engine == "ours":
                raise RuntimeError(told)
            print(told, flush=True)
            continue
        if engine == "deepsparse":
            for _ in range(3):
                worker.time(SHORT)
        found.append(worker)
    best = min(found, key=lambda w: min(w.turns, default=0), default=None)
    for worker in found:
        if worker is not best:
            worker.end()
    if best is not None:
        best.times, best.turns = [], []
    return best


def difference(options: argparse.Namespace, worker: Worker, network: Network, batch: int) -> float:
    """Return how far outputs lie from PyTorch's, as a share of an image's largest output."""
    expected = expected_outputs(options, network, batch)
    got = np.load(worker.outputs).reshape(expected.shape)
    largest = np.abs(expected).max(axis=1, keepdims=True)
    return float((np.abs(got - expected) / largest).max())


def expected_outputs(options: argparse.Namespace, network: Network, batch: int) -> Any:
    images = torch.from_numpy(np.load(options.work / "images.npy"))
    with torch.no_grad():
        return torch.export.load(network.dense(batch)).module()(images).numpy()


def run(options: argparse.Namespace, race: Race) -> list[dict[str, Any]]:
    """Carry out one race and return a row an engine and sparsity."""
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(race.batch, *race.networks[0].shape, generator=generator)
    np.save(options.work / "images.npy", images.numpy())
    entries = [(e, race.networks[0]) for e in options.engines if e in DENSE]
    entries += [(e, n) for n in race.networks for e in SPARSE if e in options.engines]
    workers: list[tuple[Worker, Network]] = []
    wrong: list[dict[str, Any]] = []
    try:
        for engine, network in entries:
            worker = best_of(options, race, engine, network)
            if worker is None:
                wrong.append({"engine": engine, "sparsity": network.sparsity, "wrong": True})
            else:
                workers.append((worker, network))
        turns = max(3, round(options.seconds / SHORT))
        for turn in range(turns):
            shift = turn % len(workers)
            for worker, _ in workers[shift:] + workers[:shift]:
                worker.time(SHORT)
    finally:
        for worker, _ in workers:
            worker.end()
    return [row(race, w, n) for w, n in workers] + wrong


def row(race: Race, worker: Worker, network: Network) -> dict[str, Any]:
    low, median, high = np.percentile(worker.times, (10, 50, 90))
    return {
        "engine": worker.engine,
        "sparsity": network.sparsity,
        "calls": len(worker.times),
        "median_ms": round(float(median), 5),
        "p10_ms": round(float(low), 5),
        "p90_ms": round(float(high), 5),
        "turns": len(worker.turns),
        "lowest_turn_ms": round(min(worker.turns), 5),
        "memory_bytes": worker.memory,
        "kept_macs": network.kept_macs * race.batch,
        "dense_macs": network.dense_macs * race.batch,
    }


def networks_of(options: argparse.Namespace) -> dict[str, tuple[Network, ...]]:
    """Make, or read, the networks: by name, in order of sparsity."""
    found: dict[str, tuple[Network, ...]] = {}
    for name in options.networks:
        found[name] = tuple(
            random_network(name, sparsity, options.work / f"{name}-{sparsity}")
            for sparsity in options.sparsities
        )
    for path in options.tickets:
        network = ticket_network(path, options.work / f"ticket-{path.parent.name}", options.data)
        found[f"{network.name} of {path.parent.name}"] = (network,)
    return found


def processor() -> dict[str, str]:
    """Return what the first core says of itself."""
    wanted = ("model name", "cpu family", "model", "stepping")
    told: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in wanted:
            told.setdefault(name.strip(), value.strip())
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description="Race exported networks beside other engines.")
    parser.add_argument("--peers", type=Path, required=True, help="the other engines' environment")
    parser.add_argument("--work", type=Path, default=Path("build/inference"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/inference"))
    names = ["resnet20", "resnet56", "vgg19", "resnet18"]
    parser.add_argument("--networks", nargs="*", default=names)
    parser.add_argument("--tickets", nargs="*", type=Path, default=[], help="trained.safetensors")
    parser.add_argument("--data", type=Path, default=Path("data"), help="the tickets' data sets")
    parser.add_argument("--sparsities", nargs="+", type=int, default=[90, 95, 98])
    parser.add_argument("--batches", nargs="+", type=int, default=list(BATCHES), choices=BATCHES)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    engines = ["ours", "deepsparse", *DENSE]
    parser.add_argument("--engines", nargs="+", default=engines, choices=[*engines, "csr"])
    parser.add_argument("--seconds", type=float, default=2.0, help="of each engine")
    parser.add_argument("--processes", type=int, default=5, help="of DeepSparse; the best races")
    options = parser.parse_args()
    options.work = options.work.absolute()
    options.work.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    peers_python(options.peers)
    for networks in networks_of(options).values():
        for threads in options.threads:
            for batch in options.batches:
                race = Race(networks, batch, threads)
                path = options.out / f"{race.name}.json"
                if path.exists():
                    continue
                rows = run(options, race)
                document = {
                    "network": race.networks[0].name,
                    "batch": batch,
                    "threads": threads,
                    "processor": processor(),
                    "rows": rows,
                }
                path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
                right = [r for r in rows if "wrong" not in r]
                told = " ".join(
                    f"{r['engine']}@{r['sparsity']}={r['median_ms']:.4g}" for r in right
                )
                print(f"{race.name}: {told}", flush=True)


if __name__ == "__main__":
    main()
