"""The engines that run a network with all its zeros: PyTorch's own, and others if installed.

Each is made ready for one batch and a number of threads, in fp32, and returns a call that runs it.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from ticket.benching.race import Call
from ticket.errors import TicketError
from ticket.exporting.noise import without_noise

Engine = Callable[[nn.Module, Tensor, int], Call]
OPSET = 18  # of ONNX: the oldest that torch's exporter writes without a conversion


class NotInstalled(TicketError):
    """Say that an engine is not there, which is no reason to stop."""


def eager(network: nn.Module, images: Tensor, threads: int) -> Call:
    """PyTorch as it is."""
    return lambda: network(images)


def torchscript(network: nn.Module, images: Tensor, threads: int) -> Call:
    """PyTorch's TorchScript, traced, frozen, optimised for inference."""
    with without_noise():
        traced = torch.jit.freeze(torch.jit.trace(network, images))  # type: ignore[no-untyped-call]
        ready: Any = torch.jit.optimize_for_inference(traced)
    return lambda: ready(images)


def compiled(network: nn.Module, images: Tensor, threads: int) -> Call:
    """`torch.compile`, for this batch alone."""
    ready: Any = torch.compile(network, dynamic=False)
    return lambda: ready(images)


def onnxruntime(network: nn.Module, images: Tensor, threads: int) -> Call:
    """ONNX Runtime on the CPU."""
    runtime = _installed("onnxruntime", "onnxruntime")
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    session = runtime.InferenceSession(
        _onnx(network, images), settings, providers=["CPUExecutionProvider"]
    )
    fed = {session.get_inputs()[0].name: images.numpy()}
    return lambda: session.run(None, fed)[0]


def openvino(network: nn.Module, images: Tensor, threads: int) -> Call:
    """OpenVINO on the CPU, for latency."""
    runtime = _installed("openvino", "openvino")
    model = runtime.convert_model(network, example_input=images)
    model.reshape(list(images.shape))
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = runtime.Core().compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(runtime.Tensor(images.numpy(), shared_memory=True))

    def call() -> object:
        request.infer()
        return request.get_output_tensor(0).data

    return call


def deepsparse(network: nn.Module, images: Tensor, threads: int) -> Call:
    """DeepSparse, which wants an old Python and so an environment of its own."""
    runtime = _installed("deepsparse", "deepsparse")
    with NamedTemporaryFile(suffix=".onnx") as file:
        file.write(_onnx(network, images))
        file.flush()
        engine = runtime.Engine(file.name, batch_size=len(images), num_cores=threads)
    fed = [images.numpy()]
    return lambda: engine.run(fed)[0]


ENGINES: Mapping[str, Engine] = {
    "eager": eager,
    "torchscript": torchscript,
    "compile": compiled,
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "deepsparse": deepsparse,
}


def _onnx(network: nn.Module, images: Tensor) -> bytes:
    """Return the network for this batch as ONNX, by whichever exporter of torch can run."""
    _installed("onnx", "onnx onnxscript")
    new = find_spec("onnxscript") is not None
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of torchvision's absence
    with without_noise(), TemporaryDirectory() as folder:
        path = Path(folder, "network.onnx")
        torch.onnx.export(
            network,
            (images,),
            path,
            dynamo=new,
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
        return path.read_bytes()


def _installed(module: str, packages: str) -> Any:
    if find_spec(module) is None:
        raise NotInstalled(f"not installed; pip install {packages}")
    return importlib.import_module(module)
