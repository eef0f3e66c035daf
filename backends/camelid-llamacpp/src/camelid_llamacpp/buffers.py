"""Which memory llama.cpp allocated where, read from what it logs: its C API does not say."""

import re
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from camelid.types.memory import MemoryUse

__all__ = ("Buffer", "memory_by_device", "parse_buffer")

_LINE = re.compile(r"^\S+: +(?P<place>\S+) +(?P<kind>.*?) ?buffer size = +(?P<mebibytes>[\d.]+) MiB")
_NUMBERED = re.compile(r"([A-Za-z]+)(\d+)")
_HOST = ("CPU", "BLAS", "AMX")


class Buffer(msgspec.Struct, frozen=True):
    """One allocation."""

    device: str
    """As `MemoryUse.device`."""
    use: str
    """`model`, `cache` or `compute`."""
    size: int
    """Bytes, give or take 5 kB."""


def parse_buffer(line: str) -> Buffer | None:
    """The allocation that a line of the log tells of, or None."""
    found = _LINE.match(line)
    if found is None:
        return None
    kind = found["kind"]
    use = "model" if kind in ("model", "LoRA") else "compute" if kind in ("compute", "output") else "cache"
    return Buffer(_device(found["place"]), use, round(float(found["mebibytes"]) * 2**20))


def memory_by_device(buffers: Iterable[Buffer]) -> tuple[MemoryUse, ...]:
    """The sums, ordered by device."""
    sums: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for buffer in buffers:
        sums[buffer.device][buffer.use] += buffer.size
    return tuple(MemoryUse(device=device, **uses) for device, uses in sorted(sums.items()))


def _device(place: str) -> str:
    """`cpu` for `CPU_Mapped`, `cuda:0` for `CUDA0`, `cpu` for pinned host memory (`CUDA_Host`)."""
    name, _, suffix = place.partition("_")
    if suffix == "Host" or name in _HOST:
        return "cpu"
    numbered = _NUMBERED.fullmatch(name)
    return f"{numbered[1].lower()}:{numbered[2]}" if numbered else name.lower()
