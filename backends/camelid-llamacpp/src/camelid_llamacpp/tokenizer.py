"""The tokenizer in a GGUF file."""

import ctypes

import numpy as np

from camelid import Tokenizer
from camelid.errors import RequestError
from camelid_llamacpp.native import llama_cpp

__all__ = ("LlamaTokenizer", "utf8")

_PIECE_ROOM = 64


class LlamaTokenizer(Tokenizer):
    """Reads a model's vocabulary; valid while the model is loaded."""

    def __init__(self, vocabulary: int) -> None:
        """Look at the vocabulary whose handle is given."""
        self._vocabulary = vocabulary
        self._size: int = llama_cpp.llama_vocab_n_tokens(vocabulary)
        self._end_tokens = frozenset(
            token for token in range(self._size) if llama_cpp.llama_vocab_is_eog(vocabulary, token)
        )
        self._pieces: list[bytes | None] = [None] * self._size
        self._buffer = ctypes.create_string_buffer(_PIECE_ROOM)

    @property
    def vocabulary_size(self) -> int:
        """Tokens in the file's vocabulary."""
        return self._size

    @property
    def end_tokens(self) -> frozenset[int]:
        """All that llama.cpp counts as end of generation."""
        return self._end_tokens

    def encode(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Token ids of `text`; lone surrogates count as U+FFFD.

        Raises:
            RequestError: more tokens than llama.cpp can count.
        """
        data = utf8(text)
        room = len(data) + 2  # most often enough: a token for each byte, a begin and an end
        while True:
            tokens = np.empty(room, np.int32)
            target = tokens.ctypes.data_as(llama_cpp.llama_token_p)
            count: int = llama_cpp.llama_tokenize(
                self._vocabulary, data, len(data), target, room, add_special, parse_special
            )
            if count >= 0:
                found: list[int] = tokens[:count].tolist()
                return found
            if -count <= room or count == np.iinfo(np.int32).min:
                raise RequestError("the text is too long to be tokenized; shorten it")
            room = -count

    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token; empty for control tokens.

        Raises:
            RequestError: no such token.
        """
        if not 0 <= token < self._size:
            raise RequestError(f"token {token} is not in the model's vocabulary")
        piece = self._pieces[token]
        if piece is None:
            piece = self._pieces[token] = self._read_piece(token)
        return piece

    def _read_piece(self, token: int) -> bytes:
        while True:
            room = len(self._buffer)
            size: int = llama_cpp.llama_token_to_piece(self._vocabulary, token, self._buffer, room, 0, False)
            if size >= 0:
                return self._buffer.raw[:size]
            self._buffer = ctypes.create_string_buffer(-size)


def utf8(text: str) -> bytes:
    """`text` as valid UTF-8: surrogate pairs are joined, lone surrogates replaced."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
