"""This program and this machine."""

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from camelid import __version__
from camelid.cli.doctor.finding import Finding, note, ok, problem
from camelid.cli.installed import load_installed
from camelid.cli.sizes import human_bytes
from camelid.plugins.report import provides
from camelid.settings import Settings

__all__ = ("gpus", "look_at_machine", "look_at_plugins")


def look_at_machine() -> Iterator[Finding]:
    """Version, Python, system, memory, and the GPUs that the system knows."""
    python = f"Python {platform.python_version()} ({sys.executable})"
    yield ok("version", f"Camelid {__version__}, {python}, {platform.system()} {platform.machine()}")
    memory = psutil.virtual_memory()
    cores = os.cpu_count() or 1
    yield ok("memory", f"{human_bytes(memory.available)} of {human_bytes(memory.total)} are free; {cores} cores")
    found = gpus()
    if found:
        yield ok("gpu", f"{', '.join(found)}; 'camelid ps' tells what a model uses")
    else:
        yield note("gpu", "none found: models run on the processor")


def gpus(root: Path = Path("/")) -> tuple[str, ...]:
    """The GPUs whose drivers are loaded, without asking any library.

    Args:
        root: where `proc` and `dev` are.
    """
    if sys.platform == "darwin":
        return ("Apple GPU (Metal)",) if platform.machine() == "arm64" else ()
    found = [_nvidia_name(file) for file in sorted(root.glob("proc/driver/nvidia/gpus/*/information"))]
    if not found and (root / "dev/nvidiactl").exists():
        found.append("NVIDIA GPU")
    if (root / "dev/kfd").exists():
        found.append("AMD GPU")
    return tuple(found)


def _nvidia_name(information: Path) -> str:
    try:
        lines = information.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return names[0] if names else "NVIDIA GPU"


def look_at_plugins(settings: Settings) -> Iterator[Finding]:
    """Each plugin with what it provides, or why it is broken; and whether there is a backend at all."""
    host = load_installed(settings)
    for record in host.records:
        if record.status == "broken":
            yield problem("plugin", f"{record.name} is broken: {record.reason}")
        elif record.status == "disabled":
            yield note("plugin", f"{record.name} is not loaded: {record.reason}")
        else:
            yield ok("plugin", f"{record.name}: {provides(record)}")
    if not host.catalog.backends:
        yield problem("plugin", "there is no backend: no model can run; install one, such as camelid-llamacpp")
