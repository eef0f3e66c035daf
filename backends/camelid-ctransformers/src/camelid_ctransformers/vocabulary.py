"""What a model's file says of its tokens, whichever format the file has."""

import re
from typing import Final

import msgspec

from camelid_ctransformers.families import Family
from camelid_ctransformers.ggml_file import GGMLFile
from camelid_ctransformers.splitting import SPLITS, Split

__all__ = ("Vocabulary", "ggml_vocabulary")


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, and how text becomes tokens."""

    pieces: list[bytes]
    """The bytes that each token stands for."""
    control: dict[str, int]
    """The tokens that are no text, by what people write for them."""
    verbatim: dict[str, int] = {}
    """Tokens for text that is never cut: they are found before anything else is."""
    scores: list[float] = []
    """Of SentencePiece's tokens."""
    merges: dict[tuple[bytes, bytes], int] | None = None
    """Of BPE: the rank of each pair. None if the order of the tokens is that of the merges."""
    split: Split = ()
    """Of BPE."""
    byte_tokens: dict[int, int] = {}
    """SentencePiece: the token of each byte, for what is in no other token."""
    whole_words: bool = False
    """A word that is a token is not put together by merging."""
    leaves_out: bool = False
    """Bytes without a token are left out, as llama.cpp does; else a text with such bytes is refused."""
    space_prefix: bool = False
    """A space is put in front of text, as SentencePiece does."""
    begin: int | None = None
    end: int | None = None
    add_begin: bool = False
    add_end: bool = False
    end_tokens: frozenset[int] = frozenset()

    @property
    def sentencepiece(self) -> bool:
        """Whether it is SentencePiece's; else BPE's."""
        return bool(self.scores)

    def control_text(self, token: int | None) -> str:
        """What people write for a control token; empty if it is none."""
        return next((text for text, number in self.control.items() if number == token), "")


_CONTROL: Final = re.compile(
    rb"<\|[^|<>\s]+\|>|<fim[-_](?:prefix|middle|suffix|pad)>|### (?:End|Instruction:|Response:)"
)
"""Texts that older GGML files have as tokens and that are no text; the files do not mark them."""
_END: Final = (b"<|endoftext|>", b"<|end|>", b"<|im_end|>", b"<|end_of_turn|>", b"### End")
_LLAMA_BYTES: Final = 3
"""The token of the byte 0 in LLaMA's vocabulary; the other bytes follow."""


def ggml_vocabulary(file: GGMLFile) -> Vocabulary:
    """The vocabulary of an older GGML file."""
    return _llama(file) if file.family.sentencepiece else _byte_level(file)


def _byte_level(file: GGMLFile) -> Vocabulary:
    """BPE: tokens are in the order in which they were merged, so their numbers are the ranks."""
    control = {token.decode(): number for number, token in enumerate(file.tokens) if _CONTROL.fullmatch(token)}
    ends = [control[text.decode()] for text in _END if text.decode() in control]
    return Vocabulary(
        pieces=file.tokens,
        control=control,
        split=_split_of(file.family),
        end=ends[0] if ends else None,
        end_tokens=frozenset(ends),
    )


def _split_of(family: Family) -> Split:
    return SPLITS["falcon" if family.name == "falcon" else "starcoder" if family.name == "starcoder" else "gpt-2"]


def _llama(file: GGMLFile) -> Vocabulary:
    """SentencePiece with LLaMA's fixed places: unknown, begin, end, the 256 bytes."""
    pieces = [b"", b"", b"", *file.tokens[_LLAMA_BYTES:]]
    return Vocabulary(
        pieces=pieces,
        control={"<unk>": 0, "<s>": 1, "</s>": 2},
        scores=file.scores,
        byte_tokens={byte: byte + _LLAMA_BYTES for byte in range(256) if byte + _LLAMA_BYTES < len(pieces)},
        space_prefix=True,
        begin=1,
        end=2,
        add_begin=True,
        end_tokens=frozenset({2}),
    )
