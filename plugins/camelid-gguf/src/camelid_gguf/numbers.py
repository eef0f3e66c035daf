"""Numbers as safetensors hold them, and as GGUF holds them."""

import numpy as np
from numpy.typing import NDArray

from camelid.errors import UnsupportedCapabilityError

__all__ = ("FLOATS", "Floats", "decode")

Floats = NDArray[np.float32]

FLOATS = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
"""The types that weights come in."""


def _e4m3() -> Floats:
    """Values of the 256 bytes: sign, four bits of exponent, three of fraction, no infinity."""
    byte = np.arange(256)
    exponent, fraction = byte >> 3 & 15, byte & 7
    size = np.where(exponent == 0, fraction / 8 * 2.0**-6, (1 + fraction / 8) * 2.0 ** (exponent - 7.0))
    values = np.where(byte < 128, size, -size).astype(np.float32)
    values[[0x7F, 0xFF]] = np.nan
    return values


_E4M3 = _e4m3()


def decode(stored: NDArray[np.uint8], dtype: str) -> Floats:
    """Bytes, whose last axis holds whole elements of `dtype`, as numbers.

    Raises:
        UnsupportedCapabilityError: they are no floating-point numbers.
    """
    match dtype:
        case "F32":
            return stored.view("<f4").astype(np.float32)
        case "F16":
            return stored.view("<f2").astype(np.float32)
        case "F64":
            return stored.view("<f8").astype(np.float32)
        case "BF16":
            return (stored.view("<u2").astype(np.uint32) << 16).view(np.float32)
        case "F8_E4M3":
            return _E4M3[stored]
        case "F8_E5M2":
            return (stored.astype(np.uint16) << 8).view(np.float16).astype(np.float32)
        case _:
            raise UnsupportedCapabilityError(f"weights of the type {dtype} cannot be converted")
