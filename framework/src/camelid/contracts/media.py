"""Pictures and sound in prompts: what a runtime makes of them in place of tokens."""

from abc import ABC, abstractmethod
from array import array
from collections.abc import Sequence
from hashlib import shake_128
from typing import TypeAlias

__all__ = ("Media", "MediaSpan", "MediaTokenizer", "PromptPart", "media_tokens")


class Media(ABC):
    """A picture or a sound, made ready to be computed. It takes the place of `length` tokens of the context."""

    @property
    @abstractmethod
    def length(self) -> int:
        """Cells of the KV cache that it takes; at least 1."""

    @property
    @abstractmethod
    def digest(self) -> bytes:
        """Equal for what computes to the same, different otherwise: at least 16 bytes."""

    def close(self) -> None:  # noqa: B027 - most own nothing native
        """Give native memory back. Called once."""


PromptPart: TypeAlias = Sequence[int] | Media
"""A run of token ids, or what stands in place of one."""


class MediaTokenizer(ABC):
    """Turns text with media in it into what a decoder computes. `camelid_media_tokenizer` returns it."""

    @abstractmethod
    def tokenize(self, parts: Sequence[str | bytes], *, add_special: bool) -> list[PromptPart]:
        """Tokens and media, in order, with the tokens that the model wants around media.

        Args:
            parts: text, in which control tokens are read as such, and media files as they came from a client: hostile.
            add_special: put the model's begin token in front, if it wants one.

        Raises:
            RequestError: a file is no picture or sound that the model can take; the sentence says which are.
        """

    def close(self) -> None:  # noqa: B027 - some own nothing of their own
        """Give native memory back. Called once, before the model is closed."""


class MediaSpan:
    """Where a piece of media stands in the token ids of a prompt.

    The ids in its place are those of `media_tokens`. They are never given to a runtime as tokens.
    """

    __slots__ = ("media", "start")

    def __init__(self, start: int, media: Media) -> None:
        self.start = start
        self.media = media

    @property
    def end(self) -> int:
        """Index after the last id in its place."""
        return self.start + self.media.length


def media_tokens(media: Media) -> list[int]:
    """Negative ids for the place of a piece of media, one for each token that it stands for.

    They are made from its digest: prompts with the same picture in the same place share a prefix, as they do with the
    same text.
    """
    length = media.length
    numbers = array("i", shake_128(media.digest + length.to_bytes(4, "little")).digest(4 * length))
    return [-1 - (number & 0x7FFF_FFFF) for number in numbers]
