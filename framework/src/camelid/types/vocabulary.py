"""What a model's file says of its tokens, whatever its format."""

from enum import StrEnum

import msgspec

__all__ = ("TokenizerKind", "Vocabulary")


class TokenizerKind(StrEnum):
    """How text becomes tokens."""

    BYTE_PAIR = "byte-pair"
    """Words are cut out by a pre-tokenizer; their bytes are merged in the order of `merges`."""
    SENTENCE_PIECE = "sentence-piece"
    """The characters of the whole text are merged, the pair whose result has the highest score first."""
    WORD_PIECE = "word-piece"
    """The longest token that a word begins with, then of what is left of it."""


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, and how text becomes tokens."""

    kind: TokenizerKind
    pieces: list[bytes]
    """What each token stands for: UTF-8, or a part of it. Empty for tokens that are never made of text."""
    control: dict[str, int] = {}
    """Tokens that are no text, by what people write for them."""
    verbatim: dict[str, int] = {}
    """Tokens for text that is never cut: they are found before anything else is."""
    strips_left: frozenset[int] = frozenset()
    """Of those two, which swallow the white space before them."""
    strips_right: frozenset[int] = frozenset()
    """And after them."""
    pre_tokenizer: str = ""
    """BPE: how words are cut out, by llama.cpp's name."""
    merges: list[tuple[bytes, bytes]] | None = None
    """BPE: the pairs, the first one first. None if the tokens are in the order in which they were merged."""
    whole_words: bool = False
    """BPE: a word that is a token is not put together by merging."""
    scores: list[float] = []
    """SentencePiece: of each token."""
    byte_tokens: dict[int, int] = {}
    """SentencePiece: the token of each byte, for what is in no other token."""
    space_prefix: bool = False
    """SentencePiece: a space is put in front of text."""
    lowercase: bool = False
    """WordPiece: capitals are small letters."""
    strip_accents: bool = False
    """WordPiece: marks on letters are left out."""
    unknown: int | None = None
    """WordPiece: the token for a word that is in no other."""
    leaves_out: bool = False
    """Bytes without a token are left out, as llama.cpp does; else a text with such bytes is refused."""
    begin: int | None = None
    end: int | None = None
    add_begin: bool = False
    add_end: bool = False
    end_tokens: frozenset[int] = frozenset()
    """Any of them ends an answer."""
