"""The element types of tensors that ctransformers can compute with, by their numbers in GGML and GGUF files."""

from typing import Final

from camelid.types.element_types import ELEMENT_TYPES

__all__ = ("UNQUANTIZED", "tensor_bytes")

_KNOWN: Final = frozenset({0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14})

UNQUANTIZED: Final = frozenset({0, 1})
"""Types whose layout never changed."""


def tensor_bytes(kind: int, shape: tuple[int, ...]) -> int | None:
    """Bytes of a tensor; None if ctransformers has no such tensors.

    Args:
        kind: number of the element type.
        shape: elements by dimension, the one whose elements lie side by side first.
    """
    if kind not in _KNOWN:
        return None
    _, block, size = ELEMENT_TYPES[kind]
    if not shape or shape[0] % block or min(shape) < 1:
        return None
    total = size
    for length in (shape[0] // block, *shape[1:]):
        total *= length
    return total
