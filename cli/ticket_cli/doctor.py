"""`ticket doctor`: what this machine has, and what stands in the way."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from ticket_cli import options

PACKAGES = ("ticket", "torch", "numpy", "safetensors", "click", "rich", "PyYAML")
FEATURES = ("avx2", "fma", "avx512f", "avx512_vnni", "amx_tile")
LOW_DISK = 1 << 30  # bytes; a run of a large network keeps about as much


@dataclass(frozen=True)
class Finding:
    """Hold one line of the report; `broken` says that something must be done."""

    name: str
    value: str
    broken: bool = False


@click.command()
@options.together(options.data_folder, options.runs_folder, options.as_json, options.debug_option)
@click.pass_context
def doctor(ctx: click.Context, data_folder: Path, runs_folder: Path, as_json: bool) -> None:
    """Examine versions, CPU, kernels, data sets, disk; exit 1 if something is broken."""
    found = [*_versions(), *_processor(), _kernels(), *_folders(data_folder, runs_folder)]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=1))
    else:
        for one in found:
            click.echo(f"{'BROKEN' if one.broken else 'ok':<7}{one.name:<14}{one.value}")
    if any(one.broken for one in found):
        ctx.exit(1)


def _versions() -> list[Finding]:
    from importlib.metadata import PackageNotFoundError, version  # slow, for what --help needs

    found = [Finding("python", platform.python_version())]
    for package in PACKAGES:
        try:
            found.append(Finding(package, version(package)))
        except PackageNotFoundError:
            found.append(Finding(package, f"is not installed; pip install {package}", True))
    return found


def _processor() -> list[Finding]:
    import torch

    from ticket.folder import cpu_name
    from ticket.replicates import cores

    info = Path("/proc/cpuinfo")
    words = set(info.read_text(errors="replace").split()) if info.is_file() else set()
    has = [name for name in FEATURES if name in words]
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return [
        Finding("CPU", cpu_name()),
        Finding("CPU features", ", ".join(has) or "unknown"),
        Finding(
            "cores",
            f"{cores()} usable of {os.cpu_count()}; torch takes {torch.get_num_threads()} threads",
        ),
        Finding("CUDA", device),
    ]


def _kernels() -> Finding:
    from ticket.errors import TicketError
    from ticket.kernels import describe

    try:
        info = describe()
    except TicketError as problem:
        return Finding("kernels", str(problem), True)
    state = f"compiled, {info.isa} runs" if info.compiled else "not compiled, torch does their work"
    return Finding("kernels", f"{state} ({info.detail})")


def _folders(data_folder: Path, runs_folder: Path) -> list[Finding]:
    import shutil

    from ticket_cli.datasets import here

    ready = [one.name for one in here(data_folder) if one.ready]
    there = runs_folder.absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    writable = there.is_dir() and os.access(there, os.W_OK)
    runs = (
        str(runs_folder)
        if writable
        else f"{runs_folder} cannot be written; name another with --runs"
    )
    return [
        Finding(
            "data folder", f"{data_folder}{'' if data_folder.is_dir() else ' (not there yet)'}"
        ),
        Finding("data sets", ", ".join(ready) or "none"),
        Finding("runs folder", runs, not writable),
        Finding("free disk", f"{free / 1e9:.1f} GB", free < LOW_DISK),
    ]
