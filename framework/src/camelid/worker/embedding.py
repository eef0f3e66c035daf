"""Embeddings, in slices between the steps of generation."""

from collections import deque

import numpy as np
import numpy.typing as npt

from camelid.contracts.embedder import Embedder
from camelid.contracts.tokenizer import Tokenizer
from camelid.errors import ModelError, PromptTooLongError, RequestError
from camelid.wire.messages import Embed, Embedded, Failed
from camelid.worker.prompt import check_tokens
from camelid.worker.session import Session

__all__ = ("EmbeddingQueue", "embedding_tokens")


class _Job:
    """One `Embed` and the vectors it has so far."""

    __slots__ = ("done", "message", "tokens", "vectors")

    def __init__(self, message: Embed) -> None:
        self.message = message
        self.done = 0
        """Inputs that were embedded."""
        self.tokens = 0
        self.vectors: list[npt.NDArray[np.float32]] = []


class EmbeddingQueue:
    """Requests for embeddings, in order of arrival."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._jobs: deque[_Job] = deque()
        self._batch_tokens = session.start.options.batch_tokens

    @property
    def busy(self) -> bool:
        """Whether `step` has anything to do."""
        return bool(self._jobs)

    def submit(self, message: Embed) -> None:
        """Queue a request."""
        self._jobs.append(_Job(message))

    def cancel(self, request: int) -> None:
        """Drop a request."""
        self._jobs = deque(job for job in self._jobs if job.message.id != request)

    def step(self, *, alone: bool) -> Embedded | Failed | None:
        """Embed a slice of the oldest request: about a batch of tokens, or one input while answers wait for it.

        Returns:
            The answer, when it is complete.
        """
        job = self._jobs[0]
        answer: Embedded | Failed | None
        try:
            answer = self._advance(job, self._batch_tokens if alone else 1)
        except Exception as error:  # noqa: BLE001 - whatever a backend raises, only this request may suffer
            answer = Failed(job.message.id, self._session.fault(error))
        if answer is not None:
            self._jobs.popleft()
        return answer

    def _advance(self, job: _Job, tokens: int) -> Embedded | None:
        embedder, inputs = self._session.embedder(), job.message.inputs
        batch: list[list[int]] = []
        size = 0
        while job.done + len(batch) < len(inputs) and size < tokens:
            given = inputs[job.done + len(batch)]
            batch.append(
                embedding_tokens(given, self._session.tokenizer, embedder.max_tokens, truncate=job.message.truncate)
            )
            size += len(batch[-1])
        if batch:
            job.vectors.append(_vectors(embedder, batch))
            job.done += len(batch)
            job.tokens += size
        if job.done < len(inputs):
            return None
        vectors = b"".join(part.tobytes() for part in job.vectors)
        return Embedded(job.message.id, vectors, embedder.dimensions, job.tokens)


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
