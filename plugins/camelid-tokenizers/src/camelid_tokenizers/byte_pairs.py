"""Byte-level BPE, by Hugging Face's library."""

from typing import Final

from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, PreTokenizer, Sequence, Split

from camelid.errors import InvalidModelFileError, RequestError
from camelid.types.vocabulary import Vocabulary
from camelid_tokenizers.letters import bytes_of, letters_of
from camelid_tokenizers.merging import merge_pairs

__all__ = ("BytePairs",)

_SHOWN: Final = 40
"""Letters of a text that an error shows."""


class BytePairs:
    """Tokens of text without special tokens.

    The library drops bytes that are in no token and then merges what was beside them; llama.cpp merges first. So those
    bytes get ids beyond the vocabulary, and so does what merging makes and the vocabulary does not have.
    """

    def __init__(self, vocabulary: Vocabulary, patterns: tuple[str, ...]) -> None:
        """Build.

        Args:
            vocabulary: of BPE.
            patterns: regular expressions that cut out words, one after the other.

        Raises:
            InvalidModelFileError: the vocabulary contradicts itself.
        """
        special = {*vocabulary.control.values(), *vocabulary.verbatim.values()}
        tokens = {
            letters_of(piece): token for token, piece in enumerate(vocabulary.pieces) if piece and token not in special
        }
        if vocabulary.merges is None:
            merges = _recovered(tokens)
        else:
            pairs = {(letters_of(first), letters_of(second)): None for first, second in vocabulary.merges}
            merges = list(pairs)
        self._leaves_out = vocabulary.leaves_out
        self._size = len(vocabulary.pieces)
        self._beyond: list[tuple[str, list[int]]] = []
        known = dict(tokens)
        made = (letters for first, second in merges for letters in (first, second, first + second))
        for letters in (*map(letters_of, map(_byte, range(256))), *made):
            if letters not in known:
                known[letters] = self._size + len(self._beyond)
                plain = [tokens[letter] for letter in letters if letter.isascii() and letter in tokens]
                self._beyond.append((letters, plain))
        steps: list[PreTokenizer] = [Split(Regex(pattern), "isolated") for pattern in patterns]
        try:
            self._tokenizer = Tokenizer(BPE(known, merges, ignore_merges=vocabulary.whole_words))
        except Exception as error:  # the library raises nothing more exact
            raise InvalidModelFileError("the model's vocabulary contradicts itself", reason=str(error)) from error
        self._tokenizer.pre_tokenizer = Sequence([*steps, ByteLevel(add_prefix_space=False, use_regex=False)])

    def encode(self, text: str) -> list[int]:
        """Token ids.

        Raises:
            RequestError: the vocabulary has no token for one of its characters, and they are not to be left out.
        """
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        if not ids or max(ids) < self._size:
            return ids
        found: list[int] = []
        for token in ids:
            found += (token,) if token < self._size else self._instead(token, text)
        return found

    def _instead(self, token: int, text: str) -> list[int]:
        """The tokens in place of one beyond the vocabulary."""
        letters, plain = self._beyond[token - self._size]
        if not plain and not self._leaves_out:
            said = f"{bytes_of(letters)!r}, which is part of {text[:_SHOWN]!r}"
            raise RequestError(f"the model's vocabulary has no token for {said}")
        return plain


def _byte(value: int) -> bytes:
    return bytes((value,))


def _recovered(tokens: dict[str, int]) -> list[tuple[str, str]]:
    """The merges of a vocabulary in the order of merging: each token is made of the two that those before it make."""
    merges = []
    for letters, own in sorted(tokens.items(), key=lambda item: item[1]):

        def rank(first: bytes, second: bytes, own: int = own) -> int | None:
            made = tokens.get((first + second).decode())
            return made if made is not None and made < own else None

        parts = merge_pairs([letter.encode() for letter in letters], rank)
        if len(parts) == 2:
            merges.append((parts[0].decode(), parts[1].decode()))
    return merges
