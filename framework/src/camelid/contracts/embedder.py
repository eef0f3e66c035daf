"""Role four: embeddings."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ("Embedder",)


class Embedder(ABC):
    """Turns token lists into vectors. `camelid_embedder` returns it; runs on the engine thread."""

    @property
    @abstractmethod
    def dimensions(self) -> int:
        """Length of a vector."""

    @property
    @abstractmethod
    def max_tokens(self) -> int:
        """Tokens that one input may have."""

    @abstractmethod
    def embed(self, inputs: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Embed a batch of inputs, none of them empty or longer than `max_tokens`.

        Returns:
            float32, shape (len(inputs), dimensions), pooled but not normalised.
        """

    def close(self) -> None:  # noqa: B027 - some embedders own nothing of their own
        """Give native memory back. Called once."""
