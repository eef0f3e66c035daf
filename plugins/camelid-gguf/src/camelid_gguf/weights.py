"""All tensors of a model, read when they are needed and a piece at a time."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camelid.errors import InvalidModelFileError
from camelid_gguf.folder import SourceFolder
from camelid_gguf.numbers import Floats, decode
from camelid_gguf.safetensors import SIZES, StoredTensor, read_header

__all__ = ("Weight", "find_weights")

INDEX = "model.safetensors.index.json"


class Weight:
    """One tensor as a matrix: its first axis, and all others as one."""

    def __init__(self, stored: StoredTensor, scale: Floats | None = None, block: tuple[int, int] = (1, 1)) -> None:
        """Give a view of a stored tensor.

        Args:
            stored: where it lies.
            scale: FP8 only: by what blocks of it are multiplied, [rows / block[0], columns / block[1]], rounded up.
            block: rows and columns of one block.
        """
        self.stored = stored
        self.shape = stored.shape
        self.dtype = stored.dtype
        self.rows = stored.shape[0] if stored.shape else 1
        self._scale = scale
        self._block = block
        self._bytes: NDArray[np.uint8] | None = None
        self._computed = False

    @classmethod
    def of(cls, name: str, values: Floats) -> "Weight":
        """Numbers that were computed."""
        stored = StoredTensor(name=name, path=Path(), dtype="F32", shape=values.shape, offset=0, size=values.nbytes)
        weight = cls(stored)
        weight._bytes = np.ascontiguousarray(values, "<f4").view(np.uint8).reshape(weight.rows, -1)
        weight._computed = True
        return weight

    def take(self, rows: NDArray[np.intp]) -> Floats:
        """Those rows, [rows, columns]."""
        if not self.stored.size:
            return np.zeros((len(rows), 0), np.float32)
        if self._bytes is None:
            stored = self.stored
            mapped = np.memmap(stored.path, np.uint8, "r", stored.offset, (stored.size,))
            self._bytes = mapped.reshape(self.rows, -1)
        found = decode(self._bytes[rows], self.dtype)
        if self._scale is None:
            return found
        scale = self._scale[rows // self._block[0]]
        return found * np.repeat(scale, self._block[1], axis=1)[:, : found.shape[1]]

    def all(self) -> Floats:
        """The whole tensor in its own shape; for small ones."""
        return self.take(np.arange(self.rows)).reshape(self.shape)

    def close(self) -> None:
        """Give the memory of what was read back."""
        if not self._computed:
            self._bytes = None

    @property
    def columns(self) -> int:
        """Elements of a row."""
        return self.stored.size // SIZES[self.dtype] // self.rows if self.rows else 0


def find_weights(folder: SourceFolder) -> dict[str, StoredTensor]:
    """All tensors of a model, by name: of the files in its index, or of those called model*, or of all.

    Raises:
        InvalidModelFileError: a file is missing or damaged, or a tensor is there twice.
    """
    found: dict[str, StoredTensor] = {}
    for path in _files(folder):
        for tensor in read_header(path):
            if tensor.name in found:
                raise InvalidModelFileError(f"{tensor.name} is in two files", reason=path.name)
            found[tensor.name] = tensor
    return found


def _files(folder: SourceFolder) -> list[Path]:
    if folder.has(INDEX):
        listed = folder.document(INDEX).section("weight_map")
        names = sorted({listed.text(name) for name in listed.values})
    else:
        every = folder.names(".safetensors")
        names = [name for name in every if name.startswith("model")] or every
    if not names:
        raise InvalidModelFileError("no safetensors files found")
    return [folder.path(name) for name in names]
