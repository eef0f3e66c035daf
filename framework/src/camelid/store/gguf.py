"""The header of a GGUF file: metadata and the list of tensors, without the weights.

Whatever the bytes are, reading ends in a header or in `InvalidModelFileError`.
"""

from collections.abc import Mapping
from functools import cached_property
from math import prod
from pathlib import Path

import msgspec

from camelid.contracts.gguf_values import MAGIC, Array, Cursor, Value, open_model_file, read_preamble
from camelid.errors import InvalidModelFileError
from camelid.store.quantization import FILE_TYPES
from camelid.types.element_types import ELEMENT_TYPES

__all__ = ("MAGIC", "GGUFHeader", "TensorInfo", "read_header")

_MAX_DIMENSIONS = 8
_LARGEST = (1 << 63) - 1
_RANK = 4
"""The `pooling_type` of rerankers."""
_HEADS = ("cls.output.weight", "cls.weight")
"""What a score is made with; the first one there decides."""


_WHOLE_FILE_TYPES = frozenset(FILE_TYPES.values())


class TensorInfo(msgspec.Struct, frozen=True):
    """One tensor."""

    name: str
    type: str
    """`F32`, `Q4_K`…; `type 99` if it is unknown here."""
    shape: tuple[int, ...]
    """As in the file: the fastest-running dimension first."""
    offset: int
    """From the beginning of the data."""


class GGUFHeader(msgspec.Struct, frozen=True, dict=True):
    """What a GGUF file says of itself."""

    version: int
    metadata: Mapping[str, Value]
    """In the file's order."""
    tensors: tuple[TensorInfo, ...]

    def text(self, key: str) -> str:
        """A string of the metadata; empty if there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def integer(self, key: str) -> int | None:
        """A whole number of the metadata; None if there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def fact(self, key: str) -> int | None:
        """A whole number that the architecture prefixes: `fact("block_count")` is `llama.block_count`."""
        return self.integer(f"{self.architecture}.{key}")

    @property
    def architecture(self) -> str:
        """`llama`, `qwen3`, `bert`, `clip`…"""
        return self.text("general.architecture")

    @property
    def context_length(self) -> int:
        """Tokens it was trained on; 0 if it does not say."""
        return max(0, self.fact("context_length") or 0)

    @property
    def embedding_length(self) -> int:
        """Width of the hidden state; 0 if it does not say."""
        return max(0, self.fact("embedding_length") or 0)

    @cached_property
    def parameter_count(self) -> int:
        """Elements of all tensors."""
        return sum(prod(tensor.shape) for tensor in self.tensors)

    @property
    def file_type(self) -> str:
        """Quantisation as the field calls it: `Q4_K_M` (contract 15.3).

        A file that does not say is what all its matrices are; `unknown` if these differ, or are none.
        """
        number = self.integer("general.file_type")
        if number is not None:
            return FILE_TYPES.get(number, "unknown")
        types = {tensor.type for tensor in self.tensors if len(tensor.shape) > 1}
        return types.pop() if len(types) == 1 and types <= _WHOLE_FILE_TYPES else "unknown"

    def token(self, key: str) -> str:
        """The text of a token that the tokenizer names: `token("bos_token_id")`; empty if it names none.

        Raises:
            InvalidModelFileError: the file has changed, or cannot be read any more.
        """
        vocabulary, place = self.metadata.get("tokenizer.ggml.tokens"), self.integer(f"tokenizer.ggml.{key}")
        if not isinstance(vocabulary, Array) or place is None or not 0 <= place < vocabulary.count:
            return ""
        return str(vocabulary.element(place))

    @property
    def chat_template(self) -> str:
        """Jinja; empty if there is none."""
        return self.text("tokenizer.chat_template")

    @property
    def has_pooling(self) -> bool:
        """Whether it was made for embeddings (contract 12.3)."""
        return f"{self.architecture}.pooling_type" in self.metadata

    @cached_property
    def ranks(self) -> bool:
        """Whether it was made to rank documents. Converters do not say so of all such files: where the pooling is not
        named, a head with one output tells.
        """
        if self.has_pooling:
            return self.fact("pooling_type") == _RANK
        heads = {tensor.name: prod(tensor.shape[1:]) for tensor in self.tensors if tensor.name in _HEADS}
        return heads.get(_HEADS[0], heads.get(_HEADS[1])) == 1

    @property
    def raw_embeddings(self) -> bool:
        """Whether Ollama's older endpoint gives the vectors as they are, instead of at length 1 (contract 6.2)."""
        normalizes = self.metadata.get(f"{self.architecture}.normalize_embeddings")
        if not self.has_pooling:
            return False
        if self.architecture == "bert":
            return self.text("tokenizer.ggml.model") != "bert" or normalizes is False
        return self.architecture in ("nomic-bert", "nomic-bert-moe") and normalizes is not True

    @property
    def cache_bytes_per_token(self) -> int:
        """Estimate of the KV cache that one token takes, in 16-bit floats; 0 if the header does not say enough."""
        layers, heads = self.fact("block_count") or 0, self.fact("attention.head_count") or 0
        width = self.embedding_length // heads if heads else 0
        key = self.fact("attention.key_length") or width
        value = self.fact("attention.value_length") or width
        each_layer = self.metadata.get(f"{self.architecture}.attention.head_count_kv")
        if isinstance(each_layer, Array):
            total_heads = sum(item for item in each_layer.items or () if isinstance(item, int))
        else:
            total_heads = layers * (self.fact("attention.head_count_kv") or heads)
        return min(max(0, 2 * total_heads * (key + value)), _LARGEST)


def read_header(path: Path) -> GGUFHeader:
    """Read the header of a file.

    Raises:
        InvalidModelFileError: it is no GGUF file, or truncated, or breaks the format.
    """
    with open_model_file(path) as file:
        try:
            return _read(Cursor(file, str(path)))
        except OSError as error:
            raise InvalidModelFileError("the model file cannot be read", reason=str(error)) from error


def _read(cursor: Cursor) -> GGUFHeader:
    preamble = read_preamble(cursor)
    tensors, lengths = [], []
    for _ in range(preamble.tensor_count):
        tensor, length = _read_tensor(cursor)
        tensors.append(tensor)
        lengths.append(length)
    header = GGUFHeader(preamble.version, preamble.metadata, tuple(tensors))
    _check_data(cursor, header, lengths)
    return header


def _read_tensor(cursor: Cursor) -> tuple[TensorInfo, int]:
    """One tensor, and the bytes its data has; at least 0 where the type is unknown."""
    name = cursor.text()
    dimensions = cursor.u32()
    if dimensions > _MAX_DIMENSIONS:
        raise InvalidModelFileError("a tensor has too many dimensions", reason=f"{name[:100]!r} has {dimensions}")
    shape = tuple(cursor.u64() for _ in range(dimensions))
    kind, offset = cursor.u32(), cursor.u64()
    count = prod(shape)
    if count > _LARGEST:
        raise InvalidModelFileError("a tensor is too large", reason=f"{name[:100]!r} has the shape {shape}")
    type_name, block, block_bytes = ELEMENT_TYPES.get(kind, (f"type {kind}", 1, 0))
    if shape and shape[0] % block:
        raise InvalidModelFileError("a tensor does not fill its blocks", reason=f"{name[:100]!r} has the shape {shape}")
    return TensorInfo(name, type_name, shape, offset), count // block * block_bytes


def _check_data(cursor: Cursor, header: GGUFHeader, lengths: list[int]) -> None:
    """Every tensor's data must lie inside the file: a download that was cut off is found here."""
    alignment = header.integer("general.alignment") or 32
    if alignment < 1 or alignment & (alignment - 1):
        raise InvalidModelFileError("the model file's alignment is no power of two", reason=str(alignment))
    count = header.parameter_count
    if count > _LARGEST:
        raise InvalidModelFileError("the model file's tensors are too large", reason=f"{count} elements")
    start = -(-cursor.position // alignment) * alignment
    for tensor, length in zip(header.tensors, lengths, strict=True):
        if start + tensor.offset + length > cursor.size:
            raise InvalidModelFileError(
                "the model file is truncated",
                reason=f"tensor {tensor.name[:100]!r} ends at byte {start + tensor.offset + length} of {cursor.size}",
            )
