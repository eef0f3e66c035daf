"""The element types of tensors that ctransformers can compute with, by their numbers in GGML and GGUF files."""

from typing import Final

__all__ = ("ELEMENT_TYPES", "UNQUANTIZED", "tensor_bytes")

ELEMENT_TYPES: Final = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
}
"""Name, elements of a block, bytes of a block."""

UNQUANTIZED: Final = frozenset({0, 1})
"""Types whose layout never changed."""


def tensor_bytes(kind: int, shape: tuple[int, ...]) -> int | None:
    """Bytes of a tensor; None if ctransformers has no such tensors.

    Args:
        kind: number of the element type.
        shape: elements by dimension, the one whose elements lie side by side first.
    """
    if kind not in ELEMENT_TYPES:
        return None
    _, block, size = ELEMENT_TYPES[kind]
    if not shape or shape[0] % block or min(shape) < 1:
        return None
    total = size
    for length in (shape[0] // block, *shape[1:]):
        total *= length
    return total
