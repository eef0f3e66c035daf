"""How many threads llama.cpp should compute with on this machine."""

import os
import sys
from pathlib import Path

__all__ = ("best_threads",)

_CPU_FILES = Path("/sys/devices/system/cpu")
_CGROUPS = Path("/sys/fs/cgroup")


def best_threads() -> int:
    """One thread for each physical core that this process may use, at least one.

    All threads meet after every operation, so one that has to share a core, with its hyper-thread or because of a
    container's CPU quota, holds up all others.
    """
    if sys.platform != "linux":
        return os.cpu_count() or 1
    allowed = os.sched_getaffinity(0)
    cores = {_siblings(cpu, _CPU_FILES) for cpu in allowed}
    return max(1, min(len(cores), _quota(_CGROUPS, Path("/proc/self/cgroup"))))


def _siblings(cpu: int, folder: Path) -> str:
    """Names the physical core of a CPU: its hyper-threads, as the kernel lists them."""
    try:
        return (folder / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text("ascii").strip()
    except OSError:
        return str(cpu)


def _quota(mount: Path, membership: Path) -> int:
    """Whole CPUs that the control groups (version 2) of this process grant; very many without a limit."""
    unlimited = sys.maxsize
    try:
        entries = membership.read_text("utf-8").splitlines()
    except OSError:
        return unlimited
    own = next((entry[3:] for entry in entries if entry.startswith("0::")), "/")
    group = mount / own.strip("/")
    limit = unlimited
    for folder in (group, *group.parents):
        if not folder.is_relative_to(mount):
            break
        try:
            granted, period = (folder / "cpu.max").read_text("ascii").split()
        except (OSError, ValueError):
            continue
        if granted != "max":
            limit = min(limit, max(1, int(granted) // int(period)))
    return limit
