"""Pictures and sounds on their way into the KV cache."""

import numpy as np
import numpy.typing as npt

from camelid_llamacpp.encodings import Encodings
from camelid_llamacpp.media import LlamaMedia
from camelid_llamacpp.projector import Projector

__all__ = ("Sight",)


class Sight:
    """Encodes media, each once, and has llama.cpp compute them."""

    def __init__(self, projector: Projector, encodings: Encodings, at_once: int) -> None:
        """Use a projector.

        Args:
            projector: of the model.
            encodings: keeps what was encoded for later requests.
            at_once: tokens that the context computes at once.
        """
        self._projector = projector
        self._encodings = encodings
        self._at_once = at_once

    def compute(self, context: int, media: LlamaMedia, sequence: int, position: int) -> int:
        """Compute media at the end of a sequence; llama.cpp's status.

        Args:
            context: handle of the context.
            media: what is to be computed.
            sequence: whose.
            position: of its first token.

        Raises:
            ModelError: it could not be encoded.
        """
        if media.states is None:
            media.states = self._encode(media)
        return self._projector.decode(
            context, media.chunk, media.states, sequence, position=position, at_once=self._at_once
        )

    def _encode(self, media: LlamaMedia) -> npt.NDArray[np.float32]:
        states = self._encodings.get(media.digest)
        if states is None:
            states = self._projector.encode(media.chunk, media.length)
            self._encodings.keep(media.digest, states)
        return states
