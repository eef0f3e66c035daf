"""Computed prefixes that had to leave the KV cache, kept in host memory, and behind that on the disk."""

from collections import OrderedDict
from collections.abc import Iterable
from itertools import chain
from typing import Final, Protocol

import msgspec

from camelid.decoding.prefix_files import PrefixFiles
from camelid.decoding.tokens import TokenArray, common_prefix

__all__ = ("WORTH_KEEPING", "KeptPrefix", "PrefixArchive", "SavedPrefix")

WORTH_KEEPING: Final = 32
"""Tokens that a prefix must have, and must save, to be worth a copy of its state."""


class KeptPrefix(Protocol):
    """A prefix whose state can be had, wherever it is."""

    @property
    def tokens(self) -> TokenArray:
        """All of its tokens."""

    @property
    def tenant(self) -> str:
        """Whose it is: nobody else may have it."""

    def read(self) -> bytes:
        """What `BatchDecoder.save` gave.

        Raises:
            CamelidError: it is lost.
        """


class SavedPrefix(msgspec.Struct, frozen=True, eq=False):
    """The state of a sequence in memory."""

    tokens: TokenArray
    state: bytes
    tenant: str = ""

    def read(self) -> bytes:
        """The state."""
        return self.state


class PrefixArchive:
    """The least recently used prefixes go when there are more bytes than allowed: to the disk, if there is a place."""

    def __init__(self, budget: int, files: PrefixFiles | None = None) -> None:
        """Begin with an empty memory.

        Args:
            budget: bytes that all states in memory together may take.
            files: where those go that memory has no room for; closed with the archive.
        """
        self.budget = budget
        self._files = files
        self._saved: OrderedDict[int, SavedPrefix] = OrderedDict()
        self._count = 0
        self.used = 0
        """Bytes in memory."""

    @property
    def free(self) -> int:
        """Bytes in memory that can be filled without letting anything go."""
        return self.budget - self.used

    def wants(self, tokens: TokenArray, tenant: str = "") -> bool:
        """Whether these tokens are worth saving: there are many, and nothing that is kept begins with them."""
        return len(tokens) >= WORTH_KEEPING and not any(
            common_prefix(tokens, kept.tokens) == len(tokens) for kept in self._of(tenant)
        )

    def keep(self, prefix: SavedPrefix) -> None:
        """Add a state; what it contains of others is dropped, and what there is no room for goes on to the disk."""
        if len(prefix.state) > self.budget:
            self._write(prefix)
            return
        for number, saved in list(self._saved.items()):
            if saved.tenant == prefix.tenant and common_prefix(prefix.tokens, saved.tokens) == len(saved.tokens):
                self._drop(number)
        self._count += 1
        self._saved[self._count] = prefix
        self.used += len(prefix.state)
        while self.used > self.budget:
            self._write(self._drop(next(iter(self._saved))))

    def best(self, tokens: TokenArray, tenant: str = "") -> tuple[int, KeptPrefix | None]:
        """How many of `tokens` the best state begins with, and that state, which counts as used now. Of equal ones the
        state in memory is better.
        """
        length, best = 0, None
        for kept in self._of(tenant):
            common = common_prefix(tokens, kept.tokens)
            if common > length:
                length, best = common, kept
        for number, saved in self._saved.items():
            if saved is best:
                self._saved.move_to_end(number)
                break
        return length, best

    def discard(self, prefix: KeptPrefix) -> None:
        """Forget a state that could not be restored."""
        for number, saved in list(self._saved.items()):
            if saved is prefix:
                self._drop(number)
        if self._files is not None:
            self._files.discard(prefix)

    def close(self, latest: Iterable[SavedPrefix] = ()) -> None:
        """Let all states go on to the disk, as far as there is time.

        Args:
            latest: states that were used later than those in memory, the last used first.
        """
        if self._files is None:
            return
        for saved in chain(latest, reversed(self._saved.values())):
            if not self._files.keep(saved.tokens, saved.state, saved.tenant, patient=True):
                break
        self._files.close()

    @property
    def disk_budget(self) -> int:
        """Bytes that files may take; 0 if nothing is written."""
        return self._files.budget if self._files else 0

    @property
    def disk_used(self) -> int:
        """Bytes of this model's files."""
        return self._files.used if self._files else 0

    def _of(self, tenant: str) -> Iterable[KeptPrefix]:
        """What a tenant may have, that in memory first."""
        for saved in self._saved.values():
            if saved.tenant == tenant:
                yield saved
        if self._files is not None:
            yield from self._files.of(tenant)

    def _write(self, prefix: SavedPrefix) -> None:
        if self._files is not None:
            self._files.keep(prefix.tokens, prefix.state, prefix.tenant)

    def _drop(self, number: int) -> SavedPrefix:
        saved = self._saved.pop(number)
        self.used -= len(saved.state)
        return saved
