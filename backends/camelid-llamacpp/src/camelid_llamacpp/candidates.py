"""The few most likely tokens, found without giving llama.cpp's samplers the whole vocabulary."""

import ctypes

import numpy as np
import numpy.typing as npt

from camelid_llamacpp.native import llama_cpp

__all__ = ("Candidates",)

_LANES = 128
_ROOM = 1024
_TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Candidates:
    """A `llama_token_data_array` that one sampler after another may use.

    Top-k keeps few of many logits, and llama.cpp copies all of them first, twelve bytes each. Here the vocabulary is
    seen as groups: at least k logits reach the k-th highest of the groups' maxima, and hardly more do; only these are
    copied. The samplers then choose what they would have chosen.
    """

    def __init__(self, vocabulary_size: int) -> None:
        self._groups = vocabulary_size // _LANES
        self._maxima = np.empty(self._groups, np.float32)
        self._reached = np.empty(vocabulary_size, np.bool_)
        self._data = np.zeros(_ROOM, _TOKEN_DATA)
        self._ids, self._logits = self._data["id"], self._data["logit"]
        first = ctypes.cast(self._data.ctypes.data, llama_cpp.llama_token_data_p)
        self._array = llama_cpp.llama_token_data_array(first, 0, -1, False)
        self._pointer = ctypes.byref(self._array)

    def suit(self, count: int) -> bool:
        """Whether the `count` most likely can be found this way: with more, too many others would be among them."""
        return 0 < 4 * count <= min(self._groups, _ROOM)

    def choose(self, chain: int, logits: npt.NDArray[np.float32], count: int) -> int | None:
        """What a chain of samplers chooses among the `count` most likely tokens, and a few others.

        Args:
            chain: handle; begins with top-k. Its samplers need not be told what was chosen.
            logits: float32, shape (vocabulary_size,).
            count: that of top-k; one that suits.

        Returns:
            The token; None if very many logits are equal, or some are no numbers.
        """
        groups, maxima, reached = self._groups, self._maxima, self._reached
        # Strided groups: elements of a row are compared with those of the next, many at once.
        np.maximum.reduce(logits[: _LANES * groups].reshape(_LANES, groups), axis=0, out=maxima)
        maxima.partition(groups - count)
        np.greater_equal(logits, maxima[groups - count], out=reached)
        (tokens,) = reached.nonzero()
        found = tokens.size
        if not count <= found <= _ROOM:
            return None
        self._ids[:found] = tokens
        self._logits[:found] = logits[tokens]
        array = self._array
        array.size, array.selected, array.sorted = found, -1, False
        llama_cpp.llama_sampler_apply(chain, self._pointer)
        return int(self._ids[array.selected])
