"""Computed prefixes that had to leave the KV cache, kept in host memory."""

from collections import OrderedDict
from typing import Final

import msgspec

from camelid.decoding.tokens import TokenArray, common_prefix

__all__ = ("PrefixArchive", "SavedPrefix")

WORTH_KEEPING: Final = 32
"""Tokens that a prefix must have, and must save, to be worth a copy of its state."""


class SavedPrefix(msgspec.Struct, frozen=True, eq=False):
    """The state of a sequence, as `BatchDecoder.save` gave it."""

    tokens: TokenArray
    state: bytes


class PrefixArchive:
    """The least recently used prefixes go when there are more bytes than allowed."""

    def __init__(self, budget: int) -> None:
        """Begin empty.

        Args:
            budget: bytes that all states together may take.
        """
        self._budget = budget
        self._saved: OrderedDict[int, SavedPrefix] = OrderedDict()
        self._count = 0
        self.used = 0
        """Bytes."""

    def wants(self, tokens: TokenArray) -> bool:
        """Whether these tokens are worth saving: there are many, and nothing that is kept begins with them."""
        return len(tokens) >= WORTH_KEEPING and all(
            common_prefix(tokens, saved.tokens) < len(tokens) for saved in self._saved.values()
        )

    def keep(self, tokens: TokenArray, state: bytes) -> None:
        """Add a state; what it contains of others is dropped, and what there is no room for any more."""
        if len(state) > self._budget:
            return
        for number, saved in list(self._saved.items()):
            if common_prefix(tokens, saved.tokens) == len(saved.tokens):
                self._drop(number)
        self._count += 1
        self._saved[self._count] = SavedPrefix(tokens.copy(), state)
        self.used += len(state)
        while self.used > self._budget:
            self._drop(next(iter(self._saved)))

    def best(self, tokens: TokenArray) -> tuple[int, SavedPrefix | None]:
        """How many of `tokens` the best state begins with, and that state, which counts as used now."""
        length, number = max(
            ((common_prefix(tokens, saved.tokens), number) for number, saved in self._saved.items()), default=(0, 0)
        )
        if not length:
            return 0, None
        self._saved.move_to_end(number)
        return length, self._saved[number]

    def discard(self, prefix: SavedPrefix) -> None:
        """Forget a state that could not be restored."""
        for number, saved in list(self._saved.items()):
            if saved is prefix:
                self._drop(number)

    def _drop(self, number: int) -> None:
        self.used -= len(self._saved.pop(number).state)
