"""Embeddings from an encoder's session."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from camelid import Embedder
from camelid.errors import ModelError
from camelid_onnx.pooling import Pooling

__all__ = ("OnnxEmbedder", "Session")

Session: TypeAlias = Any
"""An `onnxruntime.InferenceSession`: the library has no types."""

_OUTPUTS: Final = ("sentence_embedding", "last_hidden_state", "token_embeddings")
_TOGETHER: Final = 16
"""Inputs that are computed at once, at most."""


class OnnxEmbedder(Embedder):
    """Computes inputs of the same length together: nothing has to be filled up, and none changes another's vector."""

    def __init__(
        self, session: Session, pooling: Pooling, max_tokens: int, failure: Callable[[Exception], ModelError]
    ) -> None:
        """Take what is needed, and compute one input.

        Args:
            session: of the encoder.
            pooling: for encoders that give a vector for each token.
            max_tokens: of one input.
            failure: makes errors of what the runtime raises.

        Raises:
            ModelError: the encoder cannot be computed.
        """
        self._session = session
        self._pooling = pooling
        self._max_tokens = max_tokens
        self._failure = failure
        self._inputs = {each.name: np.int32 if "int32" in each.type else np.int64 for each in session.get_inputs()}
        outputs = [each.name for each in session.get_outputs()]
        self._output = next((name for name in _OUTPUTS if name in outputs), outputs[0])
        self._dimensions = int(self._compute(np.zeros((1, min(2, max_tokens)), np.int64)).shape[1])

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self._dimensions

    @property
    def max_tokens(self) -> int:
        """As the folder's files say, or less."""
        return self._max_tokens

    def embed(self, inputs: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Embed several inputs.

        Raises:
            ModelError: computing failed.
        """
        found = np.zeros((len(inputs), self._dimensions), np.float32)
        lengths: dict[int, list[int]] = {}
        for index, tokens in enumerate(inputs):
            lengths.setdefault(len(tokens), []).append(index)
        for indices in lengths.values():
            for start in range(0, len(indices), _TOGETHER):
                group = indices[start : start + _TOGETHER]
                found[group] = self._compute(np.array([inputs[index] for index in group], np.int64))
        return found

    def _compute(self, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Vectors of inputs of one length, shape (inputs, tokens)."""
        values = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "token_type_ids": np.zeros_like(tokens)}
        feed = {name: values[name].astype(kind) for name, kind in self._inputs.items()}
        try:
            vectors = np.asarray(self._session.run([self._output], feed)[0], np.float32)
        except Exception as error:
            raise self._failure(error) from error
        if vectors.ndim == 3 and vectors.shape[:2] == tokens.shape:
            vectors = self._pooling(vectors)
        if vectors.ndim != 2 or len(vectors) != len(tokens):
            raise ModelError(
                f"the encoder's output {self._output!r} has the shape {vectors.shape} for an input of {tokens.shape}: "
                "neither a vector for each token nor one for each input"
            )
        return vectors
