"""WordPiece, by Hugging Face's library; words are cut out and made plain as llama.cpp does it."""

import unicodedata
from typing import Final

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import WhitespaceSplit

from camelid.errors import InvalidModelFileError
from camelid.types.vocabulary import Vocabulary

__all__ = ("WordPieces",)

_START: Final = "▁"
"""Stands where a word begins."""
_UNKNOWN: Final = "\0"
"""A text that no word has."""
_LONGEST: Final = 1 << 30
"""Letters of a word that is not unknown at once."""
_IDEOGRAPHS: Final = (
    *((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F)),
    *((0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)),
)


class WordPieces:
    """Tokens of text without special tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Build.

        Raises:
            InvalidModelFileError: there is no token for unknown words.
        """
        if vocabulary.unknown is None:
            raise InvalidModelFileError("the model's vocabulary has no token for unknown words")
        special = {*vocabulary.control.values(), *vocabulary.verbatim.values()}
        tokens = {
            piece.decode("utf-8", "replace").replace(" ", _START): token
            for token, piece in enumerate(vocabulary.pieces)
            if piece and token not in special
        }
        tokens[_UNKNOWN] = vocabulary.unknown
        model = WordPiece(tokens, unk_token=_UNKNOWN, max_input_chars_per_word=_LONGEST, continuing_subword_prefix="")
        self._tokenizer = Tokenizer(model)
        self._tokenizer.pre_tokenizer = WhitespaceSplit()
        self._plain = _PlainLetters(lowercase=vocabulary.lowercase, strip_accents=vocabulary.strip_accents)

    def encode(self, text: str) -> list[int]:
        """Token ids."""
        words = text.translate(self._plain).split(" ")
        marked = " ".join(_START + word for word in words if word)
        ids: list[int] = self._tokenizer.encode(marked, add_special_tokens=False).ids
        return ids


class _PlainLetters(dict[int, str]):
    """What becomes of each character; found out when it is first seen."""

    def __init__(self, *, lowercase: bool, strip_accents: bool) -> None:
        self._lowercase, self._strip_accents = lowercase, strip_accents

    def __missing__(self, code: int) -> str:
        plain = self[code] = self._plain(chr(code))
        return plain

    def _plain(self, letter: str) -> str:
        if self._strip_accents:
            letter = unicodedata.normalize("NFD", letter)[0]
        if letter.isspace() and letter not in "\x1c\x1d\x1e\x1f":
            return " "
        category = unicodedata.category(letter)
        if letter == "\ufffd" or category in ("Cc", "Cf", "Co", "Cs") or (self._strip_accents and category[0] == "M"):
            return ""
        small = letter.lower()[0] if self._lowercase else letter
        alone = category[0] == "P" or (letter < "\x7f" and category[0] == "S") or _is_ideograph(letter)
        return f" {small} " if alone else small


def _is_ideograph(letter: str) -> bool:
    return any(first <= ord(letter) <= last for first, last in _IDEOGRAPHS)
