"""A tokenizer as llama.cpp wants it."""

from collections.abc import Iterable
from enum import IntEnum

import msgspec

from camelid.errors import InvalidModelFileError
from camelid_gguf.architectures.base import Metadata
from camelid_gguf.library import Value

__all__ = ("AddedToken", "Kind", "Vocabulary")


class Kind(IntEnum):
    """`tokenizer.ggml.token_type`; the numbers are SentencePiece's too."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class AddedToken(msgspec.Struct, frozen=True):
    """A token beside those that were learned."""

    number: int
    text: str
    special: bool


class Vocabulary(msgspec.Struct):
    """Tokens in the order of their numbers, and how text becomes tokens."""

    model: str
    """`tokenizer.ggml.model`."""
    pre: str
    """`tokenizer.ggml.pre`."""
    tokens: list[str]
    kinds: list[Kind]
    scores: list[float] = []
    merges: list[str] = []
    settings: dict[str, Value] = {}
    """More keys and values, with their whole names."""

    @classmethod
    def empty(cls, model: str, pre: str, size: int, *, scored: bool) -> "Vocabulary":
        """`size` tokens that are not used, to be replaced."""
        return cls(
            model=model,
            pre=pre,
            tokens=[f"[PAD{number}]" for number in range(size)],
            kinds=[Kind.UNUSED] * size,
            scores=[-10000.0] * size if scored else [],
            settings={},
        )

    def place(self, number: int, text: str, kind: Kind, score: float = 0.0) -> None:
        """Set one token.

        Raises:
            InvalidModelFileError: the model has no row for it.
        """
        if not 0 <= number < len(self.tokens):
            raise InvalidModelFileError(
                f"the tokenizer's token {number} \"{text[:40]}\" has no row among the model's {len(self.tokens)}"
            )
        self.tokens[number] = text
        self.kinds[number] = kind
        if self.scores:
            self.scores[number] = score

    def place_added(self, added: Iterable[AddedToken]) -> None:
        """Set the added tokens; those beyond the model's rows are left out, since it was never trained on them."""
        for token in added:
            if not 0 <= token.number < len(self.tokens):
                continue
            if self.kinds[token.number] is Kind.UNKNOWN and self.tokens[token.number] == token.text:
                continue
            control = token.special or _looks_special(token.text)
            # llama.cpp looks for these in the text as it is, before SentencePiece's sign replaces the spaces.
            text = token.text if control else token.text.replace("\u2581", " ")
            self.place(token.number, text, Kind.CONTROL if control else Kind.USER_DEFINED, -1000.0)

    def describe(self, out: Metadata) -> None:
        """Put everything.

        Raises:
            InvalidModelFileError: two tokens are the same.
        """
        seen: dict[str, int] = {}
        for number, text in enumerate(self.tokens):
            if text in seen:
                raise InvalidModelFileError(f'the tokenizer has "{text[:40]}" twice, as {seen[text]} and as {number}')
            seen[text] = number
        out.put("tokenizer.ggml.model", self.model)
        out.put("tokenizer.ggml.pre", self.pre)
        out.put("tokenizer.ggml.tokens", self.tokens)
        if self.scores:
            out.put("tokenizer.ggml.scores", self.scores)
        out.put("tokenizer.ggml.token_type", [int(kind) for kind in self.kinds])
        if self.merges:
            out.put("tokenizer.ggml.merges", self.merges)
        for key, value in self.settings.items():
            out.put(key, value)


def _looks_special(text: str) -> bool:
    """Whether a token is one that controls the model although its tokenizer does not call it special."""
    return (
        text in {"<pad>", "<mask>", "<2mass>", "[@BOS@]"}
        or (text.startswith("<|") and text.endswith("|>"))
        or (text.startswith("<\uff5c") and text.endswith("\uff5c>"))
        or (text.startswith("<unused") and text.endswith(">"))
    )
