"""One engine with one network in a process of its own: started and driven by benchmarks/inference.py

    python inference_worker.py ENGINE FILE THREADS IMAGES.npy OUTPUTS.npy [OPERATORS]

Writes the outputs for the images and prints, as JSON, how many bytes of memory loading and running the
network took at most, beside what torch and the engine's package take. Then for each line `SECONDS` that it
reads it prints how long each call of about so many seconds took (in milliseconds). Needs torch and the
engine's package, not ticket.
"""

import json
import os
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

Call = Callable[[], Any]
jit: Any = torch.jit
ops: Any = torch.ops
MOST_CALLS = 20_000  # of one turn


def ours(file: str, images: Tensor, threads: int, operators: str) -> Call:
    ops.load_library(operators)
    network: Any = jit.load(file)
    network.threads = threads
    return lambda: network(images)


def dense(file: str) -> Any:
    return torch.export.load(file).module()


def torchscript(file: str, images: Tensor, threads: int, _: str) -> Call:
    traced = jit.freeze(jit.trace(dense(file), images).eval())  # an exported module has no eval()
    ready = jit.optimize_for_inference(traced)
    return lambda: ready(images)


def compiled(file: str, images: Tensor, threads: int, _: str) -> Call:
    import torch._inductor.config as inductor

    inductor.freezing = True  # weights are constants: laid out and folded once
    ready: Any = torch.compile(dense(file), dynamic=False)
    return lambda: ready(images)


def csr(file: str, images: Tensor, threads: int, _: str) -> Call:
    """Linear layers with ReLU between them, as products with MKL's compressed rows."""
    named = dict(dense(file).named_parameters())
    weights = [t.detach().to_sparse_csr() for n, t in named.items() if n.endswith("weight")]
    biases = [t.detach().unsqueeze(1) for n, t in named.items() if n.endswith("bias")]
    columns = images.flatten(1).T.contiguous()

    def call() -> Tensor:
        x = columns
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = torch.sparse.mm(weight, x).add_(bias).relu_()
        outputs: Tensor = (torch.sparse.mm(weights[-1], x) + biases[-1]).T
        return outputs

    return call


def onnx_file(file: str, images: Tensor) -> str:
    """Return the same network as ONNX, made by whichever engine needs it first."""
    path = Path(file).with_suffix(".onnx")
    if not path.exists():
        traced = jit.trace(dense(file), images)
        torch.onnx.export(traced, (images,), str(path), dynamo=False, opset_version=13)
    return str(path)


def onnxruntime(file: str, images: Tensor, threads: int, _: str) -> Call:
    runtime: Any = import_module("onnxruntime")
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    session = runtime.InferenceSession(
        onnx_file(file, images), settings, providers=["CPUExecutionProvider"]
    )
    fed = {session.get_inputs()[0].name: images.numpy()}
    return lambda: session.run(None, fed)[0]


def openvino(file: str, images: Tensor, threads: int, precision: str) -> Call:
    runtime: Any = import_module("openvino")
    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    if precision:
        settings["INFERENCE_PRECISION_HINT"] = precision
    model = runtime.convert_model(onnx_file(file, images))
    request = runtime.Core().compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(runtime.Tensor(images.numpy(), shared_memory=True))

    def call() -> Any:
        request.infer()
        return request.get_output_tensor(0).data

    return call


def openvino_f32(file: str, images: Tensor, threads: int, _: str) -> Call:
    return openvino(file, images, threads, "f32")


def openvino_default(file: str, images: Tensor, threads: int, _: str) -> Call:
    """What OpenVINO does when it is not told otherwise: bf16 where the CPU has it."""
    return openvino(file, images, threads, "")


def deepsparse(file: str, images: Tensor, threads: int, _: str) -> Call:
    runtime: Any = import_module("deepsparse")
    path = onnx_file(file, images)
    engine = runtime.Engine(path, batch_size=len(images), num_cores=threads)
    fed = [images.numpy()]
    return lambda: engine.run(fed)[0]


ENGINES = {
    "ours": ours,
    "torchscript": torchscript,
    "compile": compiled,
    "csr": csr,
    "onnxruntime": onnxruntime,
    "openvino": openvino_f32,
    "openvino-default": openvino_default,
    "deepsparse": deepsparse,
}


PACKAGES = {
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "openvino-default": "openvino",
    "deepsparse": "deepsparse",
}


def memory(field: str) -> int:
    """Return a field of this process's status in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return 1024 * int(value.split()[0])
    raise KeyError(field)


def prepare(engine: str, file: str, images: Tensor) -> None:
    """Do what is not the network's own: imports, and the file in the engine's format."""
    if engine in PACKAGES:
        import_module(PACKAGES[engine])
        onnx_file(file, images)
    images.sum().item()  # what torch sets up at its first operation


def timed(call: Call, seconds: float) -> list[float]:
    """Time calls one by one; the first finds the caches as another engine left them."""
    call()
    times: list[float] = []
    end = perf_counter() + seconds
    while not times or (perf_counter() < end and len(times) < MOST_CALLS):
        start = perf_counter()
        call()
        times.append(1e3 * (perf_counter() - start))
    return times


def main() -> None:
    engine, file, threads, images_file, outputs_file, *rest = sys.argv[1:]
    said = os.dup(1)  # the engines print what they like on standard output
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    torch.set_num_threads(int(threads))
    images = torch.from_numpy(np.load(images_file))
    with torch.no_grad():
        prepare(engine, file, images)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins here
        before = memory("VmRSS")
        call = ENGINES[engine](file, images, int(threads), rest[0] if rest else "")
        np.save(outputs_file, np.asarray(call()))
        call()
        os.write(said, json.dumps(memory("VmHWM") - before).encode() + b"\n")
        for line in sys.stdin:
            os.write(said, json.dumps(timed(call, float(line))).encode() + b"\n")


if __name__ == "__main__":
    main()
