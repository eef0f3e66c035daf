"""SentencePiece's BPE: pairs of equal scores are merged from the left, which Hugging Face's library cannot do."""

import re
from typing import Final

from camelid.errors import RequestError
from camelid.types.vocabulary import Vocabulary
from camelid_tokenizers.merging import merge_pairs

__all__ = ("SentencePieces",)

_SPACE: Final = "▁"
"""How spaces are written in vocabularies; in text it is one."""
_WORD: Final = re.compile(" *[^ ]+| +")
_REMEMBERED: Final = 50_000
"""Words whose tokens are kept; a text says the same ones again and again."""
_LONGEST: Final = 40
"""Letters of a word that is worth remembering, and of a text that an error shows."""


class SentencePieces:
    """Tokens of text without special tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Take a vocabulary with scores."""
        self._vocabulary = vocabulary
        bytes_only = set(vocabulary.byte_tokens.values())
        special = {*vocabulary.control.values(), *bytes_only}
        self._tokens = {piece: token for token, piece in enumerate(vocabulary.pieces) if piece and token not in special}
        self._by_words = not any(b" " in piece.lstrip(b" ") for piece in self._tokens)
        """Whether no token has a space after something else: then words do not depend on each other."""
        self._remembered: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """Token ids.

        Raises:
            RequestError: the vocabulary has no token for one of its characters, and they are not to be left out.
        """
        text = text.replace(_SPACE, " ")
        if not self._by_words:
            return self._merged(text)
        found: list[int] = []
        for word in _WORD.findall(text):
            found += self._word(word)
        return found

    def _word(self, word: str) -> list[int]:
        known = self._remembered.get(word)
        if known is None:
            known = self._merged(word)
            if len(word) <= _LONGEST:
                if len(self._remembered) >= _REMEMBERED:
                    self._remembered.clear()
                self._remembered[word] = known
        return known

    def _merged(self, text: str) -> list[int]:
        found = []
        for piece in merge_pairs([letter.encode() for letter in text], self._score):
            token = self._tokens.get(piece)
            found += self._bytes(piece, text) if token is None else [token]
        return found

    def _score(self, first: bytes, second: bytes) -> float | None:
        """The better its score, the earlier a pair is merged."""
        token = self._tokens.get(first + second)
        return None if token is None else -self._vocabulary.scores[token]

    def _bytes(self, piece: bytes, text: str) -> list[int]:
        """The tokens of a character that is none itself."""
        written = _SPACE.encode() if piece == b" " else piece
        tokens = [token for byte in written if (token := self._vocabulary.byte_tokens.get(byte)) is not None]
        if len(tokens) < len(written) and not self._vocabulary.leaves_out:
            said = f"{piece!r}, which is part of {text[:_LONGEST]!r}"
            raise RequestError(f"the model's vocabulary has no token for {said}")
        return tokens
