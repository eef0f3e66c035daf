"""Embeddings."""

import numpy as np
import numpy.typing as npt

from camelid.contracts.embedder import Embedder
from camelid.contracts.tokenizer import Tokenizer
from camelid.errors import ModelError, PromptTooLongError, RequestError
from camelid.wire.messages import Embed, Embedded
from camelid.worker.jobs import Job
from camelid.worker.prompt import check_tokens
from camelid.worker.session import Session

__all__ = ("EmbeddingJob", "embedding_tokens")


class EmbeddingJob(Job):
    """One `Embed` and the vectors it has so far."""

    __slots__ = ("_done", "_message", "_session", "_tokens", "_vectors")

    def __init__(self, message: Embed, session: Session) -> None:
        super().__init__(message.id)
        self._message = message
        self._session = session
        self._done = 0
        """Inputs that were embedded."""
        self._tokens = 0
        self._vectors: list[npt.NDArray[np.float32]] = []

    def advance(self, tokens: int) -> Embedded | None:
        """Embed a slice of the inputs."""
        embedder, inputs = self._session.embedder(), self._message.inputs
        batch: list[list[int]] = []
        size = 0
        while self._done + len(batch) < len(inputs) and size < tokens:
            given = inputs[self._done + len(batch)]
            batch.append(
                embedding_tokens(given, self._session.tokenizer, embedder.max_tokens, truncate=self._message.truncate)
            )
            size += len(batch[-1])
        if batch:
            self._vectors.append(_vectors(embedder, batch))
            self._done += len(batch)
            self._tokens += size
        if self._done < len(inputs):
            return None
        vectors = b"".join(part.tobytes() for part in self._vectors)
        return Embedded(self.id, vectors, embedder.dimensions, self._tokens)


def embedding_tokens(given: str | tuple[int, ...], tokenizer: Tokenizer, most: int, *, truncate: bool) -> list[int]:
    """The tokens of one input; of one that is too long the end goes, but the special tokens around a text stay
    (contract 6.1).

    Empty text of a model without special tokens is its end token, so that it has a vector too.

    Raises:
        PromptTooLongError: it is too long and may not be cut.
        RequestError: nothing is left of it, it has no token, or one that is not in the vocabulary.
    """
    if not isinstance(given, str):
        check_tokens(given, tokenizer)
        tokens = list(given)
    else:
        tokens = tokenizer.encode(given, add_special=True, parse_special=False) or sorted(tokenizer.end_tokens)[:1]
    if not tokens:
        raise RequestError("the input is empty: this model's tokenizer makes no token of it")
    if len(tokens) <= most:
        return tokens
    if not truncate:
        raise PromptTooLongError("the input length exceeds the context length", reason=f"{len(tokens)} > {most} tokens")
    if not isinstance(given, str):
        return tokens[:most]
    plain = tokenizer.encode(given, add_special=False, parse_special=False)
    specials = len(tokens) - len(plain)
    if most <= specials:
        raise RequestError("input after truncation exceeds maximum context length")
    places = range(specials + 1)
    before = next((place for place in places if tokens[place : place + len(plain)] == plain), specials)
    after = specials - before
    return tokens[: most - after] + tokens[len(tokens) - after :]


def _vectors(embedder: Embedder, batch: list[list[int]]) -> npt.NDArray[np.float32]:
    """Embed a batch, and check what the contract promises.

    Raises:
        ModelError: the backend broke the promise.
    """
    vectors = embedder.embed(batch)
    wanted = (len(batch), embedder.dimensions)
    if vectors.shape != wanted:
        raise ModelError(
            "the model's backend returned broken embeddings", reason=f"shape {vectors.shape}, not {wanted}"
        )
    return np.ascontiguousarray(vectors, "<f4")
