"""The gguf package, which has no types of its own. Nothing else imports it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, quantize
from numpy.typing import NDArray

__all__ = ("Value", "block", "encode", "known_block", "padded", "write_header")

Value = bool | int | float | str | bytes | list[int] | list[float] | list[str] | list[bytes] | list[bool]
"""What a metadata key may hold. Integers become 32 bits without sign, floats 32 bits."""

ALIGNMENT = 32
_LONG = frozenset({"general.parameter_count"})


def block(element: str) -> tuple[int, int]:
    """Elements and bytes of one block of the element type `F32`, `F16`, `BF16` or `Q8_0`."""
    return {"F32": (1, 4), "F16": (1, 2), "BF16": (1, 2), "Q8_0": (32, 34)}[element]


def known_block(kind: int) -> tuple[int, int] | None:
    """Elements and bytes of one block of the element type with that number; None if there is no such type."""
    return next((size for known, size in GGML_QUANT_SIZES.items() if known == kind), None)


def encode(rows: NDArray[np.float32], element: str) -> NDArray[np.uint8]:
    """Rows of numbers as GGUF holds them, [rows, bytes]."""
    encoded: NDArray[np.generic] = quantize(np.ascontiguousarray(rows), GGMLQuantizationType[element])
    return encoded.view(np.uint8)


def padded(size: int) -> int:
    """`size` and the bytes up to the next tensor."""
    return size + -size % ALIGNMENT


def write_header(
    target: Path,
    architecture: str,
    metadata: Sequence[tuple[str, Value]],
    tensors: Sequence[tuple[str, tuple[int, ...], str, int]],
) -> None:
    """Write everything up to the first tensor's first byte.

    Args:
        target: the file, which does not exist yet.
        architecture: llama.cpp's name.
        metadata: keys and values, without the architecture.
        tensors: name, shape (NumPy's order), element type and bytes of each, in the order of the file.
    """
    writer = GGUFWriter(target, architecture)
    for key, value in metadata:
        _add(writer, key, value)
    for name, shape, element, size in tensors:
        writer.add_tensor_info(name, shape, np.dtype(np.float32), size, raw_dtype=GGMLQuantizationType[element])
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
    finally:
        writer.close()
    with target.open("ab") as file:
        file.write(bytes(-file.tell() % ALIGNMENT))


def _add(writer: GGUFWriter, key: str, value: Value) -> None:
    match value:
        case bool():
            writer.add_bool(key, value)
        case int() if key in _LONG:
            writer.add_uint64(key, value)
        case int():
            writer.add_uint32(key, value)
        case float():
            writer.add_float32(key, value)
        case str():
            writer.add_string(key, value)
        case bytes():
            writer.add_array(key, value)
        case _:
            writer.add_array(key, value)
