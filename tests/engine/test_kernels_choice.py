"""Which kernels run is what was asked for and what is there: never silently something else."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ticket import kernels

pytestmark = pytest.mark.slow  # a process each; they choose the instruction set themselves

SOURCE = Path(kernels.__file__).parent
compiled = pytest.mark.skipif(
    importlib.util.find_spec("ticket._ops") is None, reason="no compiled kernels"
)

# Prints what was chosen, then a digest of a selection over awkward scores.
PROGRAM = """
import torch
from ticket import kernels
generator = torch.Generator().manual_seed(0)
scores = [torch.randn(n, generator=generator) * 4 for n in (1000, 37, 60000)]
scores[2] = scores[2].round()
masks = [torch.rand(s.shape, generator=generator) < 0.8 for s in scores]
kernels.select_lowest(scores, masks, 30000, absolute=True, names=["a", "b", "c"])
kernels.select_lowest(scores, masks, 5000, absolute=False, names=["a", "b", "c"])
kernels.hold_(scores, masks)
bits = kernels.pack_bits(torch.cat(masks))
assert torch.equal(kernels.unpack_bits(bits, (61037,)), torch.cat(masks))
digest = hash((tuple(bits.tolist()), tuple(torch.cat(scores).tolist())))
print(kernels.describe().isa, digest)
"""


# Forks a process for each order, with torch imported already, and runs the program in it.
FORKS = """
import json, os, sys, traceback, torch
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        for number, path in enumerate((order["output"], order["errors"]), 1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        os.environ.clear()
        os.environ.update(order["environment"])
        try:
            exec(order["program"], {})
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    os.waitpid(child, 0)
    print("done", flush=True)
"""

Run = Callable[..., tuple[str, str]]


@pytest.fixture(scope="module")
def forks() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", FORKS]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def python(forks: subprocess.Popen[str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a runner of programs in a process each; it gives their output and their errors."""

    def run(program: str, **environment: str) -> tuple[str, str]:
        chosen = ("TICKET_ISA", "TICKET_KERNELS")
        inherited = {name: value for name, value in os.environ.items() if name not in chosen}
        output, errors = (tmp_path_factory.mktemp("process") / name for name in ("out", "err"))
        order = {
            "program": program,
            "environment": inherited | environment,
            "output": str(output),
            "errors": str(errors),
        }
        assert forks.stdin is not None
        assert forks.stdout is not None
        print(json.dumps(order), file=forks.stdin, flush=True)
        assert forks.stdout.readline() == "done\n"
        return output.read_text(), errors.read_text()

    return run


def from_copy(folder: Path, program: str) -> str:
    """Copy the modules, without a compiled library, and make the program import that copy."""
    package = folder / "ticket"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in ("kernels.py", "_torch_kernels.py", "errors.py"):
        (package / name).write_text((SOURCE / name).read_text())
    # An editable install answers for the package before the path is looked at.
    finders = "sys.meta_path = [m.BuiltinImporter, m.FrozenImporter, m.PathFinder]"
    start = f"import sys, importlib.machinery as m; {finders}; sys.path.insert(0, {str(folder)!r})"
    return f"{start}\n{program}"


@compiled
def test_every_instruction_set_and_torch_give_the_same_result(python: Run) -> None:
    wanted = [isa for isa in ("scalar", "avx2", "avx512") if isa == "scalar" or this_cpu_has(isa)]
    printed = [python(PROGRAM, TICKET_ISA=isa)[0].split() for isa in wanted]
    printed.append(python(PROGRAM, TICKET_KERNELS="torch")[0].split())

    assert [isa for isa, _ in printed] == [*wanted, "torch"]
    assert len({digest for _, digest in printed}) == 1


@compiled
def test_by_default_the_best_instruction_set_runs(python: Run) -> None:
    best = next((isa for isa in ("avx512", "avx2") if this_cpu_has(isa)), "scalar")

    assert python(PROGRAM)[0].split()[0] == best


@compiled
def test_an_unknown_instruction_set_is_an_error(python: Run) -> None:
    _, errors = python(PROGRAM, TICKET_ISA="sse9")

    assert "TicketError: TICKET_ISA='sse9' is unknown or not supported by this CPU" in errors


def test_an_unknown_choice_of_kernels_is_an_error(python: Run) -> None:
    _, errors = python(PROGRAM, TICKET_KERNELS="cuda")

    assert "TicketError: TICKET_KERNELS='cuda' is unknown; it is 'torch' or unset" in errors


def test_torch_asked_for_is_no_reason_to_warn(python: Run) -> None:
    printed, errors = python(PROGRAM, TICKET_KERNELS="torch")

    assert printed.startswith("torch ")
    assert errors == ""


def test_a_missing_library_is_told_once_with_the_remedy(python: Run, tmp_path: Path) -> None:
    printed, errors = python(from_copy(tmp_path, PROGRAM))

    assert printed.startswith("torch ")
    assert errors.count("KernelsMissingWarning") == 1
    assert "install a C++ compiler, then: pip install --no-build-isolation ." in errors


def test_asking_which_kernels_there_are_warns_of_nothing(python: Run, tmp_path: Path) -> None:
    program = "from ticket import kernels; print(kernels.describe())"
    printed, errors = python(from_copy(tmp_path, program))

    assert "compiled=False, isa='torch', detail='the compiled kernels are not installed" in printed
    assert errors == ""


def test_a_library_that_does_not_load_is_an_error(python: Run, tmp_path: Path) -> None:
    program = from_copy(tmp_path, PROGRAM)
    (tmp_path / "ticket" / "_ops.so").write_bytes(b"no library")
    printed, errors = python(program)

    assert printed == ""
    assert "TicketError: the compiled kernels do not load" in errors


@compiled
@pytest.mark.slow
@pytest.mark.parametrize("constant", [False, True])
def test_selection_takes_less_than_a_hundredth_of_the_weights_in_memory(
    python: Run, constant: bool
) -> None:
    program = f"""
import resource, torch
from ticket import kernels
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
size = 25_000_000
scores = torch.ones(size) if {constant} else torch.rand(size)
mask = torch.ones(size, dtype=torch.bool)
small = [torch.rand(3_000_000)], [torch.ones(3_000_000, dtype=torch.bool)]
kernels.select_lowest(*small, 9, absolute=True, names=["w"], threads=2)
before = peak()
kernels.select_lowest([scores], [mask], size // 5, absolute=True, names=["w"], threads=2)
print((peak() - before) / (4 * size))
assert int(mask.count_nonzero()) == size - size // 5
"""
    printed, errors = python(program)

    assert errors == ""
    assert float(printed) < 0.01


def this_cpu_has(isa: str) -> bool:
    return {
        "avx512": torch.backends.cpu.get_cpu_capability() == "AVX512",
        "avx2": torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"),
    }[isa]
