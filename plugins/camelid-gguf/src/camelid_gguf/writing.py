"""Writing a GGUF file tensor by tensor, with little of it in memory."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from camelid.contracts.converter import ReportProgress
from camelid.errors import UnsupportedCapabilityError
from camelid_gguf.library import Value, block, encode, padded, write_header
from camelid_gguf.numbers import Floats
from camelid_gguf.weights import Weight

__all__ = ("FILE_TYPES", "OutputTensor", "element_for", "rotary_rows", "write_file")

FILE_TYPES = {"F32": 0, "F16": 1, "Q8_0": 7, "BF16": 32}
"""`general.file_type` by element type."""

LARGEST = {"F16": 65504.0, "Q8_0": 65504.0 * 127}
"""The largest number by element type; a block of Q8_0 has an F16 that its largest number is 127 times of."""

PIECE = 1 << 22
"""Elements that are converted at a time."""


class OutputTensor(msgspec.Struct, frozen=True):
    """A tensor to write: one source, or several that are stacked on a new first axis."""

    name: str
    shape: tuple[int, ...]
    element: str
    sources: tuple[Weight, ...]
    rows: NDArray[np.intp] | None = None
    """Which row of each source comes when; None = as they are."""
    add: float = 0.0
    scale: float = 1.0

    @property
    def size(self) -> int:
        """Bytes."""
        elements, size = block(self.element)
        return math.prod(self.shape) // elements * size

    def pieces(self) -> Iterator[NDArray[np.uint8]]:
        """Its bytes.

        Raises:
            UnsupportedCapabilityError: a number is too large for the element type.
        """
        for source in self.sources:
            rows = np.arange(source.rows) if self.rows is None else self.rows
            step = max(1, PIECE // max(1, source.columns))
            for start in range(0, len(rows), step):
                piece = source.take(rows[start : start + step]) * np.float32(self.scale) + np.float32(self.add)
                yield self._encoded(piece)
            source.close()

    def _encoded(self, piece: Floats) -> NDArray[np.uint8]:
        if float(np.max(np.abs(piece), initial=0.0)) > LARGEST.get(self.element, math.inf):
            raise UnsupportedCapabilityError(
                f"{self.name} has numbers that {self.element} cannot hold; convert to BF16 or F32 instead"
            )
        return encode(piece.reshape(-1, self.shape[-1]) if len(self.shape) > 1 else piece.reshape(1, -1), self.element)


def element_for(shape: tuple[int, ...], wanted: str) -> str:
    """The element type of a tensor: vectors stay F32, and rows that are no whole blocks become F16."""
    if len(shape) < 2:
        return "F32"
    return "F16" if shape[-1] % block(wanted)[0] else wanted


def rotary_rows(rows: int, heads: int) -> NDArray[np.intp]:
    """Rows in llama.cpp's order of rotary positions: pairs side by side, where Hugging Face has halves of a head."""
    return np.arange(rows).reshape(heads, 2, -1).swapaxes(1, 2).ravel()


def write_file(
    target: Path,
    architecture: str,
    metadata: Sequence[tuple[str, Value]],
    tensors: Sequence[OutputTensor],
    report: ReportProgress,
) -> None:
    """Write a GGUF file.

    Args:
        target: the file, which does not exist yet.
        architecture: llama.cpp's name.
        metadata: keys and values, without the architecture.
        tensors: in the order of the file.
        report: told of the bytes.

    Raises:
        UnsupportedCapabilityError: a number is too large for its element type.
    """
    plan = [(tensor.name, tensor.shape, tensor.element, tensor.size) for tensor in tensors]
    write_header(target, architecture, metadata, plan)
    total, done = sum(padded(tensor.size) for tensor in tensors), 0
    report(done, total)
    with target.open("ab") as file:
        for tensor in tensors:
            for piece in tensor.pieces():
                file.write(piece.data)
                done += piece.nbytes
                report(done, total)
            gap = padded(tensor.size) - tensor.size
            file.write(bytes(gap))
            done += gap
    report(total, total)
