"""Memory by device."""

import msgspec

__all__ = ("MemoryUse",)


class MemoryUse(msgspec.Struct, frozen=True):
    """Bytes that one loaded model takes on one device."""

    device: str
    """`cpu`, `cuda:0`, `dml:0`…"""
    model: int = 0
    """Weights, bytes."""
    cache: int = 0
    """KV cache, bytes."""
    compute: int = 0
    """Scratch buffers, bytes."""

    @property
    def total(self) -> int:
        """All of it, bytes."""
        return self.model + self.cache + self.compute
