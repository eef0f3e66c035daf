"""How far a long task is: making a model or fetching one (contract 7.7, 7.8)."""

from typing import Final

import msgspec

__all__ = ("SUCCESS", "WRITING_MANIFEST", "Progress")

WRITING_MANIFEST: Final = "writing manifest"
SUCCESS: Final = "success"


class Progress(msgspec.Struct, frozen=True):
    """One line for the client."""

    status: str
    digest: str = ""
    """The blob that is being moved."""
    total: int = 0
    """Its bytes."""
    completed: int = 0
    """Bytes done."""
