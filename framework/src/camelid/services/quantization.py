"""Which element types a client may ask for, and of which others they can be made (contract 15.3)."""

from typing import Final

from camelid.errors import RequestError

__all__ = ("UNQUANTIZED", "quantization_named", "quantized_bytes")

UNQUANTIZED: Final = frozenset({"F32", "F16", "BF16"})
"""What can be quantized."""

_BITS: Final = {"F32": 32.0, "F16": 16.0, "BF16": 16.0, "Q8_0": 8.5, "Q4_K_M": 5.2, "Q4_K_S": 4.9}
"""For each element, a little more than in a large model; small tensors keep more bits than the others."""
_ALIASES: Final = {"Q4_K": "Q4_K_M"}


def quantization_named(wanted: str) -> str:
    """The type that a client means, in whatever case.

    Raises:
        RequestError: there is none of that name.
    """
    kind = wanted.upper()
    kind = _ALIASES.get(kind, kind)
    if kind not in _BITS:
        raise RequestError(
            f"unsupported quantization type {wanted} - supported types are F32, F16, Q4_K_S, Q4_K_M, Q8_0"
        )
    return kind


def quantized_bytes(size: int, has: str, wanted: str) -> int:
    """Estimate of how large a file becomes.

    Args:
        size: bytes it has now.
        has: its type, one of those that can be quantized.
        wanted: the type it shall get.
    """
    return int(size * _BITS[wanted] / _BITS[has])
