"""The tokenizer of a folder: Hugging Face's `tokenizer.json`."""

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

import msgspec
from tokenizers import Tokenizer as HuggingFaceTokenizer

from camelid import Tokenizer
from camelid.errors import InvalidModelFileError, RequestError
from camelid.types.json import JsonObject

__all__ = ("FolderTokenizer",)

_BYTE_TOKEN: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE: Final = "\u2581"
"""How SentencePiece writes a space."""


class _Added(msgspec.Struct):
    id: int
    content: str
    special: bool = False


class _File(msgspec.Struct):
    """The parts of `tokenizer.json` that say how tokens are written."""

    added_tokens: list[_Added] = []
    decoder: JsonObject | None = None
    pre_tokenizer: JsonObject | None = None


class FolderTokenizer(Tokenizer):
    """Encodes as Hugging Face's library does; decodes by the bytes of each token."""

    def __init__(self, path: Path, vocabulary_size: int, end_tokens: Collection[int]) -> None:
        """Read a file.

        Args:
            path: of `tokenizer.json`.
            vocabulary_size: the model's, which may be larger than the file's; 0 to take the file's.
            end_tokens: ids that end an answer.

        Raises:
            InvalidModelFileError: the file is damaged, or not for this model.
        """
        try:
            content = path.read_bytes()
            file = msgspec.json.decode(content, type=_File)
            self._encoder = HuggingFaceTokenizer.from_buffer(content)
        except Exception as error:  # the library raises nothing more exact
            raise InvalidModelFileError(f"{path.name} is no tokenizer that can be read: {error}") from error
        # What a file says of cutting and filling up inputs is the framework's to decide.
        self._encoder.no_truncation()
        self._encoder.no_padding()
        known = self._encoder.get_vocab(with_added_tokens=True)
        self._size = vocabulary_size or max(known.values(), default=-1) + 1
        beyond = [token for token in (*known.values(), *end_tokens) if not 0 <= token < self._size]
        if beyond:
            raise InvalidModelFileError(
                f"{path.name} is not for this model: it knows token {max(beyond)}, the model has {self._size} tokens"
            )
        self._end_tokens = frozenset(end_tokens)
        self._texts: list[str] = [""] * self._size
        for text, token in known.items():
            self._texts[token] = text
        self._bytes = _token_bytes(file, self._texts)

    @property
    def vocabulary_size(self) -> int:
        """As many as the model has logits."""
        return self._size

    @property
    def end_tokens(self) -> frozenset[int]:
        """Those of the model's config."""
        return self._end_tokens

    def encode(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Token ids of `text`; lone surrogates count as U+FFFD."""
        self._encoder.encode_special_tokens = not parse_special
        return list(self._encoder.encode(_clean(text), add_special_tokens=add_special).ids)

    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token; empty for control tokens, and for those that only fill the model's vocabulary up.

        Raises:
            RequestError: no such token.
        """
        if not 0 <= token < self._size:
            raise RequestError(f"token {token} is not in the model's vocabulary")
        return self._bytes[token]

    def text(self, token: int | None) -> str:
        """How a token is written in templates; empty if there is none."""
        return self._texts[token] if token is not None and 0 <= token < self._size else ""


def _token_bytes(file: _File, texts: list[str]) -> list[bytes]:
    read = _reader(_kinds(file.decoder) | _kinds(file.pre_tokenizer))
    found = [read(text) for text in texts]
    for added in file.added_tokens:
        if 0 <= added.id < len(found):
            found[added.id] = b"" if added.special else added.content.encode("utf-8", "replace")
    return found


def _kinds(part: JsonObject | None) -> frozenset[str]:
    """The types of a decoder or a pre-tokenizer, and of those it is made of."""
    found: set[str] = set()
    waiting: list[object] = [part]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            found.add(str(each.get("type")))
            waiting += [inner for value in each.values() if isinstance(value, list) for inner in value]
    return frozenset(found)


def _reader(kinds: frozenset[str]) -> Callable[[str], bytes]:
    """From how a token is written in the vocabulary to its bytes."""
    if "ByteLevel" in kinds:
        return _byte_level
    if "WordPiece" in kinds or "BertPreTokenizer" in kinds:
        return _word_piece
    return _sentence_piece


def _byte_table() -> dict[str, int]:
    """The characters by which byte-level vocabularies write bytes: printable ones for themselves."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(plain)]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTES: Final = _byte_table()


def _byte_level(text: str) -> bytes:
    try:
        return bytes(_BYTES[character] for character in text)
    except KeyError:
        return text.encode("utf-8", "replace")


def _word_piece(text: str) -> bytes:
    return (text[2:] if text.startswith("##") else f" {text}").encode("utf-8", "replace")


def _sentence_piece(text: str) -> bytes:
    byte = _BYTE_TOKEN.fullmatch(text)
    return bytes((int(byte[1], 16),)) if byte else text.replace(_SPACE, " ").encode("utf-8", "replace")


def _clean(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
