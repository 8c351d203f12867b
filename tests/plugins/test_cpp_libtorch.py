"""`examples/cpp-libtorch` builds, and tells the classes that PyTorch gives, of files of raw images."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ticket import kernels
from ticket.exporting.exported import Exported
from ticket.exporting.lower import lower
from ticket.exporting.passes.normalise import Normalisation
from ticket.exporting.program import assemble
from ticket.exporting.value_type import ValueType
from ticket.masks import apply_, prunable
from ticket.uses import Use, bind

EXAMPLE = Path(__file__).parents[2] / "examples" / "cpp-libtorch"
BESIDE = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # pip's cmake
IMAGES = 4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not kernels.describe().compiled or not shutil.which("cmake", path=BESIDE),
        reason="needs the compiled operators and cmake",
    ),
]
Classify = Callable[..., tuple[int, str, str]]


def ran(*command: object, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, env=env, timeout=300
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def classify(tmp_path_factory: pytest.TempPathFactory) -> Classify:
    """Build the example once, against the torch that is installed; return what runs it."""
    build = tmp_path_factory.mktemp("libtorch")
    env = {**os.environ, "PATH": BESIDE}
    prefix = f"-DCMAKE_PREFIX_PATH={torch.utils.cmake_prefix_path}"
    for command in (("cmake", "-S", EXAMPLE, "-B", build, prefix), ("cmake", "--build", build)):
        code, out, err = ran(*command, env=env)
        if "uses CUDA but I cannot find the CUDA" in err:
            pytest.skip("this torch is built for CUDA: its CMake files want the CUDA toolkit")
        assert code == 0, out + err
    return lambda *arguments: ran(build / "classify", *arguments)


def network(channels: int, act: nn.Module) -> nn.Module:
    torch.manual_seed(channels)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, 2), act, nn.Conv2d(8, 8, 3, 2), nn.Flatten(), nn.LazyLinear(10)
    ).eval()


def shipped(name: str, shape: tuple[int, int, int], sparsity: float) -> nn.Module:
    """Build a network that ships, with statistics of its own inputs, and mask it at random."""
    torch.manual_seed(0)
    made: nn.Module = bind(Use("models", name))(shape, 10)
    apply_(made, {n: torch.rand_like(w) >= sparsity for n, w in prunable(made).items()})
    for _ in range(3):
        made(torch.randn(16, *shape))
    return made.eval()


@torch.no_grad()
def exported(
    folder: Path, made: nn.Module, shape: tuple[int, int, int]
) -> tuple[Tensor, list[str]]:
    """Write `a.pt` of a network that takes pixels; return raw images and their classes' names."""
    channels = shape[0]
    pixels = Normalisation((0.4,) * channels, (0.3,) * channels, 1 / 255)
    images = torch.randint(0, 256, (IMAGES, *shape)).float()
    names = [f"the {n}th of ten" for n in range(10)]
    classes = [names[int(n)] for n in made((images / 255 - 0.4) / 0.3).argmax(1)]
    lowered = lower(made, shape, normalise=pixels)
    told = {"batch": 0, "classes": names, "normalisation": {"in_plan": True}}
    program = assemble(lowered.graph, told, ValueType.FP32)
    whole = Exported(made, lowered, program, told, shape, (10,), 0, images)
    bind(Use("exporters", "torchscript", {"bundle": True}))(whole, folder / "a.pt")
    return images, classes


def assert_classified(classify: Classify, folder: Path, images: Tensor, classes: list[str]) -> None:
    """Write the images as MNIST's or CIFAR-10's files hold them, and compare what is printed."""
    rows = [bytes(image.flatten().to(torch.uint8).tolist()) for image in images]
    header, label = (bytes(16), b"") if images.shape[1] == 1 else (b"", b"\x07")
    (folder / "images").write_bytes(header + b"".join(label + row for row in rows))
    arguments = (folder / "a.pt", folder / "a_ops.so", folder / "images")
    found = [classify(*arguments, number) for number in range(IMAGES)]

    assert found == [(0, f"{name}\n", "") for name in classes]
    assert classify(*arguments)[1] == f"{classes[0]}\n"
    code, out, err = classify(*arguments, IMAGES)
    assert (code, out) == (1, "")
    assert f"no image {IMAGES} of" in err


@pytest.mark.parametrize("act", [nn.ReLU(), nn.SiLU()])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_it_prints_the_class_that_pytorch_gives(
    classify: Classify, tmp_path: Path, shape: tuple[int, int, int], act: nn.Module
) -> None:
    images, classes = exported(tmp_path, network(shape[0], act), shape)

    assert len(set(classes)) > 1
    assert_classified(classify, tmp_path, images, classes)


@pytest.mark.parametrize(
    ("name", "shape", "sparsity"),
    [("lenet-300-100", (1, 28, 28), 0.5), ("resnet20", (3, 32, 32), 0.9)],
)
def test_networks_that_ship_are_classified_alike(
    classify: Classify, tmp_path: Path, name: str, shape: tuple[int, int, int], sparsity: float
) -> None:
    assert_classified(
        classify, tmp_path, *exported(tmp_path, shipped(name, shape, sparsity), shape)
    )


def test_what_is_wrong_is_one_line(classify: Classify, tmp_path: Path) -> None:
    exported(tmp_path, network(1, nn.ReLU()), (1, 28, 28))
    model, library = tmp_path / "a.pt", tmp_path / "a_ops.so"
    absent, other = tmp_path / "absent", Path(torch.__file__).parent / "lib" / "libc10.so"

    for arguments, code, said in (
        ((), 2, "usage"),
        ((model, absent, model), 1, "absent: cannot open shared object file"),
        ((absent, library, model), 1, "absent"),
        ((model, other, model), 1, "Unknown builtin op: ticket::"),
        ((model, library, model), 1, "not an unpacked file of images of 784 bytes"),
    ):
        found, out, err = classify(*arguments)
        assert (found, out, err.count("\n")) == (code, "", 1), err
        assert said in err
