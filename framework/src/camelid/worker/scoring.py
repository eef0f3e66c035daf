"""What a model thinks of a text that it is given: distributions to compare with, and divergences from another's."""

import hashlib
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from camelid.contracts.engine import LogProbabilities
from camelid.contracts.tokenizer import Tokenizer
from camelid.errors import ModelError, RequestError
from camelid.wire.messages import Submit

__all__ = ("DTYPE", "Scores", "divergence", "vocabulary_digest")

DTYPE: Final = np.dtype("<f2")
"""Of log-probabilities on the wire. What half precision adds to a divergence, less than 1e-5 nats, is far below what
quantised weights make of it."""


class Scores:
    """The distributions of one answer's tokens, until they are sent."""

    def __init__(self, submit: Submit) -> None:
        """Begin.

        Args:
            submit: with `forced`.

        Raises:
            RequestError: its reference is not one of that many tokens.
        """
        self._keep = submit.distributions
        self._reference: npt.NDArray[np.float16] | None = None
        if submit.reference:
            size, rest = divmod(len(submit.reference), len(submit.forced) * DTYPE.itemsize)
            if rest:
                raise RequestError("the reference does not belong to the text that is to be scored")
            self._reference = np.frombuffer(submit.reference, DTYPE).reshape(len(submit.forced), size)
        self._place = 0
        self._rows: list[bytes] = []
        self._divergences: list[float] = []

    def add(self, distributions: Iterable[LogProbabilities]) -> None:
        """Take those of the next tokens.

        Raises:
            ModelError: the reference has another vocabulary.
        """
        for row in distributions:
            if self._keep:
                self._rows.append(row.astype(DTYPE).tobytes())
            if self._reference is not None:
                if len(row) != self._reference.shape[1]:
                    sizes = f"{len(row)} tokens here, {self._reference.shape[1]} there"
                    raise ModelError("the models' vocabularies differ in size", reason=sizes)
                self._divergences.append(divergence(self._reference[self._place], row))
            self._place += 1

    def take(self) -> tuple[bytes, tuple[float, ...]]:
        """What came since the last call: rows for the wire, and divergences."""
        rows, self._rows = b"".join(self._rows), []
        divergences, self._divergences = tuple(self._divergences), []
        return rows, divergences


def divergence(reference: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> float:
    """The Kullback-Leibler divergence of `other` from `reference`: what it costs, in nats for each token, to take the
    one for the other. At least 0; infinite where the one rules out what the other does not.

    Args:
        reference: log-probabilities, shape (vocabulary_size,).
        other: the same.
    """
    expected = np.exp(reference, dtype=np.float64)
    possible = expected > 0
    lost = expected[possible] @ (reference[possible].astype(np.float64) - other[possible])
    # Rounding leaves the reference's sum a little beside 1, which would count as divergence.
    total = expected.sum()
    return max(0.0, float(lost / total - np.log(total)))


def vocabulary_digest(tokenizer: Tokenizer) -> str:
    """A digest of what each token stands for: hexadecimal SHA-256. Which of them end an answer is a matter of taste."""
    digest = hashlib.sha256()
    for token in range(tokenizer.vocabulary_size):
        piece = tokenizer.token_bytes(token)
        digest.update(len(piece).to_bytes(4, "little") + piece)
    return digest.hexdigest()
