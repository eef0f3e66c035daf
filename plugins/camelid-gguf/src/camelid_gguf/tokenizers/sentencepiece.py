"""SentencePiece's own file, tokenizer.model: a protobuf message, of which a few fields matter."""

import math
import struct
from collections.abc import Iterator

import msgspec

from camelid.errors import InvalidModelFileError, UnsupportedCapabilityError
from camelid_gguf.tokenizers.vocabulary import Kind

__all__ = ("Piece", "SentencePieceModel", "read_sentencepiece")

UNIGRAM, BPE = 1, 2
VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
"""How a field is written."""


class Piece(msgspec.Struct, frozen=True):
    """A token."""

    text: str
    score: float
    kind: Kind


class SentencePieceModel(msgspec.Struct, frozen=True):
    """What a tokenizer.model says."""

    pieces: list[Piece]
    unigram: bool
    byte_fallback: bool
    prefix: bool
    """Whether a text gets a space in front."""
    single_spaces: bool
    charsmap: bytes
    beginning: int
    """Number of the token; -1 = none."""
    end: int
    unknown: int


def read_sentencepiece(data: bytes, name: str) -> SentencePieceModel:
    """Read the file.

    Raises:
        InvalidModelFileError: it is no such message.
        UnsupportedCapabilityError: its algorithm is neither BPE nor unigram.
    """
    try:
        return _model(data)
    except (ValueError, IndexError, struct.error, KeyError, TypeError) as error:
        raise InvalidModelFileError(f"{name} is damaged", reason=f"{type(error).__name__}: {error}") from None


def _model(data: bytes) -> SentencePieceModel:
    pieces = []
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    for field, value in _fields(data):
        match field, value:
            case 1, bytes():
                pieces.append(_piece(value))
            case 2, bytes():
                trainer = dict(_fields(value))
            case 3, bytes():
                normalizer = dict(_fields(value))
    kind = trainer.get(3, UNIGRAM)
    if kind not in {UNIGRAM, BPE}:
        raise UnsupportedCapabilityError(f"SentencePiece models of the kind {kind!r} cannot be converted")
    charsmap = normalizer.get(2, b"")
    return SentencePieceModel(
        pieces=pieces,
        unigram=kind == UNIGRAM,
        byte_fallback=bool(trainer.get(35, 0)),
        prefix=bool(normalizer.get(3, 1)),
        single_spaces=bool(normalizer.get(4, 1)),
        charsmap=charsmap if isinstance(charsmap, bytes) else b"",
        beginning=_signed(trainer.get(41, 1)),
        end=_signed(trainer.get(42, 2)),
        unknown=_signed(trainer.get(40, 0)),
    )


def _piece(data: bytes) -> Piece:
    text, score, kind = "", 0.0, Kind.NORMAL
    for field, value in _fields(data):
        match field, value:
            case 1, bytes():
                text = value.decode()
            case 2, bytes():
                (score,) = struct.unpack("<f", value)
                if not math.isfinite(score):
                    raise ValueError(f'the score of "{text}" is not finite')
            case 3, int():
                kind = Kind(value)
    return Piece(text, score, kind)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers of fields and their values: integers, or the bytes of anything else."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if kind == BYTES:
            size, at = _varint(data, at)
        elif kind in {EIGHT, FOUR}:
            size = 8 if kind == EIGHT else 4
        else:
            raise ValueError(f"field {tag >> 3} is of the unknown kind {kind}")
        if size > len(data) - at:
            raise ValueError(f"field {tag >> 3} is longer than the file")
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a number is too long")


def _signed(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise TypeError("a token's number must be a number")
    return value - (1 << 64) if value >= 1 << 63 else value
