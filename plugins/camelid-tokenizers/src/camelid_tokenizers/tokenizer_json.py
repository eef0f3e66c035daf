"""Hugging Face's `tokenizer.json`."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from tokenizers import Tokenizer as HuggingFaceTokenizer

from camelid import Tokenizer
from camelid.errors import InvalidModelFileError, RequestError
from camelid.types.facts import ModelFacts
from camelid.types.json import JsonObject
from camelid_tokenizers.ends import ending
from camelid_tokenizers.letters import bytes_of
from camelid_tokenizers.text import clean

__all__ = ("JsonTokenizer",)

_MOST_BYTES: Final = 256 << 20
_BYTE_TOKEN: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE: Final = "▁"


class _Added(msgspec.Struct):
    id: int
    content: str
    special: bool = False


class _File(msgspec.Struct):
    """The parts that say how tokens are written."""

    added_tokens: list[_Added] = []
    decoder: JsonObject | None = None
    pre_tokenizer: JsonObject | None = None


class _Config(msgspec.Struct):
    """The part of a model's other files that says which tokens end an answer."""

    eos_token_id: int | list[int] | None = None


class JsonTokenizer(Tokenizer):
    """Encodes as Hugging Face's library does; decodes by the bytes of each token."""

    def __init__(self, path: Path, facts: ModelFacts, configs: Sequence[Path]) -> None:
        """Read a file.

        Args:
            path: of `tokenizer.json`.
            facts: of the model, whose vocabulary may be larger than the file's.
            configs: JSON files that may name tokens that end an answer.

        Raises:
            InvalidModelFileError: a file is damaged, or not for this model.
        """
        content = _content(path, "tokenizer.json")
        try:
            file = msgspec.json.decode(content, type=_File)
            self._encoder = HuggingFaceTokenizer.from_buffer(content)
        except Exception as error:  # the library raises nothing more exact
            raise InvalidModelFileError(f"tokenizer.json is no tokenizer that can be read: {error}") from error
        # What a file says of cutting and filling up inputs is the framework's to decide.
        self._encoder.no_truncation()
        self._encoder.no_padding()
        known = self._encoder.get_vocab(with_added_tokens=True)
        self._size = facts.vocabulary_size
        control = {added.content: added.id for added in file.added_tokens if added.special}
        named = [token for config in configs for token in _named_ends(config)]
        if facts.eos_token in known:
            named.append(known[facts.eos_token])
        beyond = [token for token in (*known.values(), *named) if not 0 <= token < self._size]
        if beyond:
            raise InvalidModelFileError(
                f"tokenizer.json is not for this model: it knows token {max(beyond)}, the model has {self._size} tokens"
            )
        self._end_tokens = frozenset(ending(control, named)[0])
        self._pieces = _pieces(file, known, self._size)

    @property
    def vocabulary_size(self) -> int:
        """As many as the model has logits."""
        return self._size

    @property
    def end_tokens(self) -> frozenset[int]:
        """Those that the model's files name, and those that models of its kind end with."""
        return self._end_tokens

    def encode(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Token ids of `text`; lone surrogates count as U+FFFD."""
        self._encoder.encode_special_tokens = not parse_special
        ids: list[int] = self._encoder.encode(clean(text), add_special_tokens=add_special).ids
        return ids

    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token; empty for control tokens, and for those that only fill the model's vocabulary up.

        Raises:
            RequestError: no such token.
        """
        if not 0 <= token < self._size:
            raise RequestError(f"token {token} is not in the model's vocabulary")
        return self._pieces[token]


def _content(path: Path, name: str) -> bytes:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InvalidModelFileError(f"{name} is too large")
        return path.read_bytes()
    except OSError as error:
        raise InvalidModelFileError(f"{name} cannot be read", reason=str(error)) from error


def _named_ends(path: Path) -> list[int]:
    try:
        config = msgspec.json.decode(_content(path, "config.json"), type=_Config)
    except msgspec.DecodeError as error:
        raise InvalidModelFileError(f"the model's config.json cannot be read: {error}") from error
    match config.eos_token_id:
        case None:
            return []
        case int(token):
            return [token]
        case tokens:
            return tokens


def _pieces(file: _File, known: dict[str, int], size: int) -> list[bytes]:
    read = _reader(_kinds(file.decoder) | _kinds(file.pre_tokenizer))
    pieces = [b""] * size
    for text, token in known.items():
        pieces[token] = read(text)
    for added in file.added_tokens:
        if 0 <= added.id < size:
            pieces[added.id] = b"" if added.special else added.content.encode("utf-8", "replace")
    return pieces


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
        return bytes_of
    if "WordPiece" in kinds or "BertPreTokenizer" in kinds:
        return _word_piece
    return _sentence_piece


def _word_piece(text: str) -> bytes:
    return (text[2:] if text.startswith("##") else f" {text}").encode("utf-8", "replace")


def _sentence_piece(text: str) -> bytes:
    byte = _BYTE_TOKEN.fullmatch(text)
    return bytes((int(byte[1], 16),)) if byte else text.replace(_SPACE, " ").encode("utf-8", "replace")
