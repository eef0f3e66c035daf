"""Embeddings, from a context of their own."""

import ctypes
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from camelid import Batch, Embedder
from camelid_llamacpp.context import Context, NativeBatch, float_rows
from camelid_llamacpp.native import llama_cpp
from camelid_llamacpp.traits import SOFTMAX_ARCHITECTURES, ModelTraits

__all__ = ("EMBEDDING_SEQUENCES", "LlamaEmbedder", "splits_inputs")

EMBEDDING_SEQUENCES = 32
"""Inputs that one batch may hold."""


def splits_inputs(traits: ModelTraits) -> bool:
    """Whether an input may be computed piece by piece: no token looks ahead, and no pooling needs all at once."""
    if traits.pooling == llama_cpp.LLAMA_POOLING_TYPE_RANK:
        return traits.causal and traits.architecture in SOFTMAX_ARCHITECTURES
    return traits.causal and traits.pooling in (
        llama_cpp.LLAMA_POOLING_TYPE_NONE,
        llama_cpp.LLAMA_POOLING_TYPE_LAST,
    )


class LlamaEmbedder(Embedder):
    """Pools as the model's file says; where it says nothing, takes the mean over the tokens."""

    def __init__(self, context: Context, traits: ModelTraits, dimensions: int, max_tokens: int, budget: int) -> None:
        """Take over a context.

        Args:
            context: its own, made for embeddings; closed with the embedder.
            traits: of the model.
            dimensions: length of a vector.
            max_tokens: tokens of the longest input.
            budget: tokens that several inputs are packed up to.
        """
        self._context = context
        self._dimensions = dimensions
        self._max_tokens = max_tokens
        self._compute = llama_cpp.llama_encode if traits.encoder_only else llama_cpp.llama_decode
        self._pooled = traits.pooling != llama_cpp.LLAMA_POOLING_TYPE_NONE
        self._piece = budget if splits_inputs(traits) else max_tokens
        self._budget = budget
        self._batch = Batch(max(self._piece, budget))
        self._native = NativeBatch(self._batch)

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self._dimensions

    @property
    def max_tokens(self) -> int:
        """The context length, or what fits into one computation where the model needs a whole input at once."""
        return self._max_tokens

    def embed(self, inputs: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Embed several inputs, as many at once as fit.

        Raises:
            ModelError: computing failed.
        """
        sums = np.zeros((len(inputs), self._dimensions), np.float64)
        for group in self._groups(inputs):
            try:
                self._embed_group(inputs, group, sums)
            finally:
                self._context.forget_all()
        if not self._pooled:
            sums /= np.array([len(tokens) for tokens in inputs])[:, np.newaxis]
        return sums.astype(np.float32)

    def close(self) -> None:
        """Free the context."""
        self._context.close()

    def _groups(self, inputs: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Inputs, by index, to be computed together; one that is longer than the budget stands alone."""
        group: list[int] = []
        size = 0
        for index, tokens in enumerate(inputs):
            if group and (size + len(tokens) > self._budget or len(group) == EMBEDDING_SEQUENCES):
                yield group
                group, size = [], 0
            group.append(index)
            size += len(tokens)
        if group:
            yield group

    def _embed_group(self, inputs: Sequence[Sequence[int]], group: list[int], sums: npt.NDArray[np.float64]) -> None:
        """Add the vectors of a group to its rows of `sums`: each pooled vector, or all of its tokens' vectors."""
        for start in range(0, max(len(inputs[index]) for index in group), self._piece):
            self._batch.clear()
            for sequence, index in enumerate(group):
                self._batch.add(sequence, inputs[index][start : start + self._piece], start, output=True)
            self._batch.outputs[: self._batch.size] = 1
            status: int = self._compute(self._context.handle, self._native.native())
            if status != 0:
                raise self._context.failure("embedding", status)
            if self._pooled:
                for sequence, index in enumerate(group):
                    sums[index] = self._pooled_vector(sequence)  # that of the last piece stays
            else:
                self._add_token_vectors(group, sums)

    def _pooled_vector(self, sequence: int) -> npt.NDArray[np.float32]:
        """The vector that llama.cpp made of the tokens of a sequence."""
        rows = self._rows(llama_cpp.llama_get_embeddings_seq(self._context.handle, sequence), 1)
        return rows.reshape(self._dimensions)

    def _add_token_vectors(self, group: list[int], sums: npt.NDArray[np.float64]) -> None:
        size = self._batch.size
        rows = self._rows(llama_cpp.llama_get_embeddings(self._context.handle), size)
        for sequence, index in enumerate(group):
            sums[index] += rows[self._batch.sequences[:size] == sequence].sum(axis=0, dtype=np.float64)

    def _rows(self, values: ctypes.c_void_p, rows: int) -> npt.NDArray[np.float32]:
        """A view of native floats.

        Raises:
            ModelError: llama.cpp gave a null pointer.
        """
        address = ctypes.cast(values, ctypes.c_void_p).value
        if address is None:
            raise self._context.failure("embedding", 0)
        return float_rows(address, rows, self._dimensions)
