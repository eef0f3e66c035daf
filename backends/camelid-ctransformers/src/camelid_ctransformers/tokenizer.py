"""Text to tokens and back, in Python: the library's own tokenizers crash on some texts and lose letters of others."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from camelid import Tokenizer
from camelid.errors import RequestError
from camelid_ctransformers.merging import merge_pairs
from camelid_ctransformers.splitting import split_words
from camelid_ctransformers.vocabulary import Vocabulary

__all__ = ("VocabularyTokenizer",)

_REMEMBERED: Final = 50_000
"""Words whose tokens are kept; a text says the same ones again and again."""
_LONGEST: Final = 40
"""Letters of a word that is worth remembering."""


class VocabularyTokenizer(Tokenizer):
    """BPE or SentencePiece over a vocabulary from a model's file."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Take a vocabulary; the file it is from is not needed any more."""
        self._vocabulary = vocabulary
        control = set(vocabulary.control.values())
        self._pieces = [b"" if token in control else piece for token, piece in enumerate(vocabulary.pieces)]
        self._tokens = {piece: token for token, piece in enumerate(self._pieces) if piece}
        # A byte's token is the last resort, also where a token for text has the same bytes.
        bytes_only = set(vocabulary.byte_tokens.values())
        for token, piece in enumerate(self._pieces):
            if piece and token not in bytes_only and self._tokens[piece] in bytes_only:
                self._tokens[piece] = token
        if bytes_only:
            self._tokens = {piece: token for piece, token in self._tokens.items() if token not in bytes_only}
        self._verbatim = _pattern(vocabulary.verbatim)
        self._special = _pattern(vocabulary.verbatim | vocabulary.control)
        self._remembered: dict[str, list[int]] = {}

    @property
    def vocabulary_size(self) -> int:
        """Tokens in the file's vocabulary."""
        return len(self._pieces)

    @property
    def end_tokens(self) -> frozenset[int]:
        """Those that the file names as such, or that models of its kind end with."""
        return self._vocabulary.end_tokens

    def encode(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Token ids of `text`; lone surrogates count as U+FFFD.

        Raises:
            RequestError: the vocabulary has no token for one of its characters.
        """
        vocabulary = self._vocabulary
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        tokens = [vocabulary.begin] if add_special and vocabulary.add_begin and vocabulary.begin is not None else []
        for part in self._parts(text, parse_special=parse_special):
            if isinstance(part, int):
                tokens.append(part)
            elif vocabulary.sentencepiece:
                tokens += self._sentencepiece(part)
            else:
                for word in split_words(part, vocabulary.split):
                    tokens += self._word(word)
        if add_special and vocabulary.add_end and vocabulary.end is not None:
            tokens.append(vocabulary.end)
        return tokens

    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token; empty for control tokens.

        Raises:
            RequestError: no such token.
        """
        if not 0 <= token < len(self._pieces):
            raise RequestError(f"token {token} is not in the model's vocabulary")
        return self._pieces[token]

    def _parts(self, text: str, *, parse_special: bool) -> Iterator[str | int]:
        """Runs of text, and control tokens between them."""
        pattern = self._special if parse_special else self._verbatim
        parts = pattern.split(text) if pattern else [text]
        for place, part in enumerate(parts):
            if place % 2:
                token = self._vocabulary.verbatim.get(part)
                yield self._vocabulary.control[part] if token is None else token
            elif part:
                yield part

    def _word(self, word: str) -> list[int]:
        """The tokens of one word of BPE."""
        known = self._remembered.get(word)
        if known is not None:
            return known
        data = word.encode()
        whole = self._tokens.get(data) if self._vocabulary.whole_words else None
        if whole is not None:
            found = [whole]
        else:
            pieces = merge_pairs([data[place : place + 1] for place in range(len(data))], self._rank)
            found = [token for piece in pieces for token in self._known(piece, word)]
        if len(word) <= _LONGEST:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[word] = found
        return found

    def _rank(self, first: bytes, second: bytes) -> int | None:
        """BPE: how early a pair was merged."""
        merges = self._vocabulary.merges
        return self._tokens.get(first + second) if merges is None else merges.get((first, second))

    def _sentencepiece(self, text: str) -> list[int]:
        """The tokens of a run of text."""
        if self._vocabulary.space_prefix:
            text = f" {text}"
        found = []
        for piece in merge_pairs([letter.encode() for letter in text], self._score):
            token = self._tokens.get(piece)
            if token is not None:
                found.append(token)
                continue
            for byte in piece:
                token = self._vocabulary.byte_tokens.get(byte)
                found += self._unknown(bytes((byte,)), text) if token is None else [token]
        return found

    def _score(self, first: bytes, second: bytes) -> float | None:
        """SentencePiece: the better its score, the earlier a pair is merged."""
        token = self._tokens.get(first + second)
        return None if token is None else -self._vocabulary.scores[token]

    def _known(self, piece: bytes, text: str) -> list[int]:
        token = self._tokens.get(piece)
        return self._unknown(piece, text) if token is None else [token]

    def _unknown(self, piece: bytes, text: str) -> list[int]:
        """In place of what no token says."""
        if self._vocabulary.leaves_out:
            return []
        raise RequestError(f"the model's vocabulary has no token for {piece!r}, which is part of {text[:_LONGEST]!r}")


def _pattern(texts: Iterable[str]) -> re.Pattern[str] | None:
    """Finds the longest of the texts; None if there are none."""
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, longest_first))})") if longest_first else None
