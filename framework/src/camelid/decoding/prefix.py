"""A computed prefix as the bytes that a backend made of it."""

from typing import Final

import msgspec

from camelid.decoding.tokens import TokenArray

__all__ = ("WORTH_KEEPING", "SavedPrefix")

WORTH_KEEPING: Final = 32
"""Tokens that a prefix must have, and must save, to be worth a copy of its state."""


class SavedPrefix(msgspec.Struct, frozen=True, eq=False):
    """The state of a sequence after some tokens."""

    tokens: TokenArray
    """The array is the prefix's own."""
    state: bytes
    """As `BatchDecoder.save` gave it."""
    tenant: str = ""
    """Whose it is: nobody else may have it."""
