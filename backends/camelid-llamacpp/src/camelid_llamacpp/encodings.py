"""What a projector made of pictures and sounds that were computed lately."""

from collections import OrderedDict

import numpy as np
import numpy.typing as npt

__all__ = ("Encodings",)


class Encodings:
    """Hidden states by the digest of their media; those that were not used for longest make room.

    The next turn of a chat has the same pictures again, and its prefix may have left the KV cache in between.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._states: OrderedDict[bytes, npt.NDArray[np.float32]] = OrderedDict()

    def get(self, digest: bytes) -> npt.NDArray[np.float32] | None:
        """What is kept for a digest."""
        states = self._states.get(digest)
        if states is not None:
            self._states.move_to_end(digest)
        return states

    def keep(self, digest: bytes, states: npt.NDArray[np.float32]) -> None:
        """Keep hidden states that were not kept yet, unless they alone are too much."""
        if states.nbytes > self._most_bytes or digest in self._states:
            return
        self._states[digest] = states
        self._bytes += states.nbytes
        while self._bytes > self._most_bytes:
            _, oldest = self._states.popitem(last=False)
            self._bytes -= oldest.nbytes
