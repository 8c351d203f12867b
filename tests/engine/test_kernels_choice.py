"""Which kernels run is what was asked for and what is there: never silently something else."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ticket import kernels

pytestmark = pytest.mark.slow  # a process each, and they choose the instruction set themselves

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


def python(program: str, **environment: str) -> tuple[str, str]:
    """Run a program in a new process; returns its output and its errors."""
    chosen = ("TICKET_ISA", "TICKET_KERNELS")
    inherited = {name: value for name, value in os.environ.items() if name not in chosen}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=inherited | environment,
    )
    return done.stdout, done.stderr


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
def test_every_instruction_set_and_torch_give_the_same_result() -> None:
    wanted = [isa for isa in ("scalar", "avx2", "avx512") if isa == "scalar" or this_cpu_has(isa)]
    printed = [python(PROGRAM, TICKET_ISA=isa)[0].split() for isa in wanted]
    printed.append(python(PROGRAM, TICKET_KERNELS="torch")[0].split())

    assert [isa for isa, _ in printed] == [*wanted, "torch"]
    assert len({digest for _, digest in printed}) == 1


@compiled
def test_by_default_the_best_instruction_set_runs() -> None:
    best = next((isa for isa in ("avx512", "avx2") if this_cpu_has(isa)), "scalar")

    assert python(PROGRAM)[0].split()[0] == best


@compiled
def test_an_unknown_instruction_set_is_an_error() -> None:
    _, errors = python(PROGRAM, TICKET_ISA="sse9")

    assert "TicketError: TICKET_ISA='sse9' is unknown or not supported by this CPU" in errors


def test_an_unknown_choice_of_kernels_is_an_error() -> None:
    _, errors = python(PROGRAM, TICKET_KERNELS="cuda")

    assert "TicketError: TICKET_KERNELS='cuda' is unknown; it is 'torch' or unset" in errors


def test_torch_asked_for_is_no_reason_to_warn() -> None:
    printed, errors = python(PROGRAM, TICKET_KERNELS="torch")

    assert printed.startswith("torch ")
    assert errors == ""


def test_a_missing_library_is_told_once_with_the_remedy(tmp_path: Path) -> None:
    printed, errors = python(from_copy(tmp_path, PROGRAM))

    assert printed.startswith("torch ")
    assert errors.count("KernelsMissingWarning") == 1
    assert "install a C++ compiler, then: pip install --no-build-isolation ." in errors


def test_asking_which_kernels_there_are_warns_of_nothing(tmp_path: Path) -> None:
    program = "from ticket import kernels; print(kernels.describe())"
    printed, errors = python(from_copy(tmp_path, program))

    assert "compiled=False, isa='torch', detail='the compiled kernels are not installed" in printed
    assert errors == ""


def test_a_library_that_does_not_load_is_an_error(tmp_path: Path) -> None:
    program = from_copy(tmp_path, PROGRAM)
    (tmp_path / "ticket" / "_ops.so").write_bytes(b"no library")
    printed, errors = python(program)

    assert printed == ""
    assert "TicketError: the compiled kernels do not load" in errors


@compiled
@pytest.mark.slow
@pytest.mark.parametrize("constant", [False, True])
def test_selection_takes_less_than_a_hundredth_of_the_weights_in_memory(constant: bool) -> None:
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
