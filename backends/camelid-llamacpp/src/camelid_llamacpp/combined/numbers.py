"""Tensors in another form than they lie in the file."""

from collections.abc import Callable, Sequence
from io import FileIO
from math import prod
from typing import Final

import numpy as np
import numpy.typing as npt

from camelid.errors import ModelLoadError
from camelid.types.element_types import ELEMENT_TYPES
from camelid_llamacpp.combined.assembly import Computed, Piece, Range
from camelid_llamacpp.combined.draft import DraftTensor
from camelid_llamacpp.native import dequantizer

__all__ = ("FLOAT32_KIND", "as_floats", "made_of_floats", "reads_as_floats")

FLOAT32_KIND: Final = 0

_PLAIN: Final = {"F32": "<f4", "F16": "<f2"}
_BFLOAT: Final = "BF16"

_Floats = npt.NDArray[np.float32]


def reads_as_floats(*tensors: DraftTensor) -> bool:
    """Whether llama.cpp knows what numbers these tensors stand for."""
    names = {ELEMENT_TYPES[tensor.kind][0] for tensor in tensors}
    return all(name in _PLAIN or name == _BFLOAT or dequantizer(name) is not None for name in names)


def made_of_floats(
    tensors: Sequence[DraftTensor], shape: tuple[int, ...], change: Callable[[_Floats], _Floats] = lambda floats: floats
) -> DraftTensor:
    """A tensor of 32-bit numbers, made of others when it is read.

    Args:
        tensors: one after the other; they pass `reads_as_floats`.
        shape: of the result, the dimension whose elements lie side by side first.
        change: gets all their numbers, one after the other, and gives those of the result.
    """

    def compute(source: FileIO) -> bytes:
        numbers = np.concatenate([_floats(tensor, source) for tensor in tensors])
        return np.ascontiguousarray(change(numbers), np.float32).tobytes()

    return DraftTensor(FLOAT32_KIND, shape, (Computed(4 * prod(shape), compute),))


def as_floats(tensor: DraftTensor) -> DraftTensor:
    """A tensor with 32 bits for each number, if it has 16."""
    return made_of_floats([tensor], tensor.shape) if ELEMENT_TYPES[tensor.kind][0] in ("F16", _BFLOAT) else tensor


def _floats(tensor: DraftTensor, source: FileIO) -> _Floats:
    content = b"".join(_content(piece, source) for piece in tensor.pieces)
    name, count = ELEMENT_TYPES[tensor.kind][0], prod(tensor.shape)
    if name in _PLAIN:
        return np.frombuffer(content, _PLAIN[name]).astype(np.float32)
    if name == _BFLOAT:
        return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)
    dequantize = dequantizer(name)
    if dequantize is None:
        raise ModelLoadError(f"llama.cpp does not know numbers of the type {name}")
    result = np.empty(count, np.float32)
    dequantize(content, result.ctypes.data, count)
    return result


def _content(piece: Piece, source: FileIO) -> bytes:
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, Computed):
        return piece.compute(source)
    return _read(piece, source)


def _read(piece: Range, source: FileIO) -> bytes:
    source.seek(piece.offset)
    content = bytearray()
    while len(content) < piece.size:
        some = source.read(piece.size - len(content))
        if not some:
            raise OSError("the model's file became shorter while it was read")
        content += some
    return bytes(content)
