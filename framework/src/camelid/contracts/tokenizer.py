"""Role two: text to tokens and back."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

__all__ = ("Tokenizer",)


class Tokenizer(ABC):
    """Turns text into token ids and tokens into bytes. `camelid_tokenizer` returns it."""

    @property
    @abstractmethod
    def vocabulary_size(self) -> int:
        """Token ids run from 0 to this, exclusive."""

    @property
    @abstractmethod
    def end_tokens(self) -> frozenset[int]:
        """The end-of-generation ids: any of them ends an answer and is not part of it."""

    @abstractmethod
    def encode(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Token ids of `text`.

        Args:
            text: any Unicode text, also the empty one.
            add_special: put the model's begin (and end) tokens around it, if it wants them.
            parse_special: read the text of control tokens (`<|im_end|>`) as those tokens, not as text.
        """

    @abstractmethod
    def token_bytes(self, token: int) -> bytes:
        """The bytes one token stands for; perhaps not valid UTF-8 alone; empty for control tokens."""

    def decode(self, tokens: Sequence[int]) -> bytes:
        """The bytes of a run of tokens. Override only if they are more than their bytes one after another."""
        return b"".join(map(self.token_bytes, tokens))
