"""Computed prefixes that had to leave the KV cache, kept in host memory, and behind that on the disk."""

import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, wait
from itertools import chain
from typing import TypeVar

from camelid.decoding.prefix import WORTH_KEEPING, SavedPrefix
from camelid.decoding.prefix_files import PrefixFile, PrefixFiles
from camelid.decoding.tokens import TokenArray, begins_with, common_prefix
from camelid.errors import CamelidError

__all__ = ("PrefixArchive",)

_log = logging.getLogger("camelid.decoding")

Kept = TypeVar("Kept", SavedPrefix, PrefixFile)


class PrefixArchive:
    """The least recently used prefixes go when there are more bytes than allowed: to the disk, if there is a place.

    What comes back from the disk comes through memory: the engine thread never waits for a file.
    """

    def __init__(self, budget: int, files: PrefixFiles | None = None) -> None:
        """Begin with an empty memory.

        Args:
            budget: bytes that all states in memory together may take.
            files: where those go that memory has no room for; closed with the archive.
        """
        self.budget = budget
        self.whole_only = False
        """Whether a state is of use only if all its tokens are wanted: the decoder cannot go back within it."""
        self._files = files
        self._saved: OrderedDict[int, SavedPrefix] = OrderedDict()
        self._count = 0
        self._guest: SavedPrefix | None = None
        """What came from the disk and is larger than memory may hold, until it is used."""
        self._fetch: tuple[PrefixFile, Future[bytes]] | None = None
        self.used = 0
        """Bytes in memory."""

    @property
    def free(self) -> int:
        """Bytes in memory that can be filled without letting anything go."""
        return self.budget - self.used

    @property
    def disk_budget(self) -> int:
        """Bytes that files may take; 0 if nothing is written."""
        return self._files.budget if self._files else 0

    @property
    def disk_used(self) -> int:
        """Bytes of this model's files."""
        return self._files.used if self._files else 0

    def wants(self, tokens: TokenArray, tenant: str = "") -> bool:
        """Whether these tokens are worth saving: there are many, and nothing in memory begins with them."""
        return len(tokens) >= WORTH_KEEPING and not any(begins_with(saved.tokens, tokens) for saved in self._of(tenant))

    def keep(self, prefix: SavedPrefix) -> None:
        """Add a state; what it contains of others is dropped, and what there is no room for goes on to the disk."""
        if len(prefix.state) > self.budget:
            self._write(prefix)
            return
        if not self.whole_only:
            for number, saved in list(self._saved.items()):
                if saved.tenant == prefix.tenant and begins_with(prefix.tokens, saved.tokens):
                    self._drop(number)
        self._count += 1
        self._saved[self._count] = prefix
        self.used += len(prefix.state)
        while self.used > self.budget:
            self._write(self._drop(next(iter(self._saved))))

    def best(self, tokens: TokenArray, tenant: str = "") -> tuple[int, SavedPrefix | None]:
        """How many of `tokens` the best state in memory begins with, and that state, which counts as used now."""
        length, best = self._longest(tokens, self._of(tenant))
        for number, saved in self._saved.items():
            if saved is best:
                self._saved.move_to_end(number)
                break
        return length, best

    def fetching(self, tokens: TokenArray, tenant: str, held: int) -> bool:
        """Whether a state is on its way from the disk that gives clearly more of `tokens` than the `held` that are at
        hand otherwise. The first question sends for it; one is fetched at a time.
        """
        if self._files is None:
            return False
        if self._fetch is not None:
            file, coming = self._fetch
            if not coming.done():
                return True
            self._fetch = None
            self._arrived(self._files, file, coming)
        least = max(held, self.best(tokens, tenant)[0]) + WORTH_KEEPING
        length, best = self._longest(tokens, self._files.of(tokens, tenant))
        if best is None or length < least:
            return False
        self._fetch = (best, self._files.read(best))
        return True

    def wait(self, seconds: float) -> None:
        """Wait for what is on its way, if nothing else is to be done."""
        if self._fetch is not None:
            wait([self._fetch[1]], timeout=seconds)

    def used_up(self, prefix: SavedPrefix) -> None:
        """A state is in the KV cache again."""
        if prefix is self._guest:
            self._guest = None

    def discard(self, prefix: SavedPrefix) -> None:
        """Forget a state that could not be restored, also on the disk."""
        self.used_up(prefix)
        for number, saved in list(self._saved.items()):
            if saved is prefix:
                self._drop(number)
        if self._files is not None:
            for file in self._files.of(prefix.tokens, prefix.tenant):
                if len(file.tokens) == len(prefix.tokens) and begins_with(file.tokens, prefix.tokens):
                    self._files.discard(file)

    def close(self, latest: Iterable[SavedPrefix] = ()) -> None:
        """Let all states go on to the disk, as far as there is time.

        Args:
            latest: states that were used later than those in memory, the last used first.
        """
        if self._files is not None:
            for age, saved in enumerate(chain(latest, reversed(self._saved.values()))):
                if not self._files.keep(saved, covers=not self.whole_only, age=age, patient=True):
                    break
            self._files.close()

    def _of(self, tenant: str) -> Iterator[SavedPrefix]:
        """What a tenant may have."""
        guest = () if self._guest is None else (self._guest,)
        return (saved for saved in (*self._saved.values(), *guest) if saved.tenant == tenant)

    def _longest(self, wanted: TokenArray, kept: Iterable[Kept]) -> tuple[int, Kept | None]:
        """How many of the wanted tokens the best of some states gives, and that state."""
        length, best = 0, None
        for each in kept:
            common = common_prefix(wanted, each.tokens)
            if common > length and not (self.whole_only and common < len(each.tokens)):
                length, best = common, each
        return length, best

    def _arrived(self, files: PrefixFiles, file: PrefixFile, coming: "Future[bytes]") -> None:
        try:
            prefix = SavedPrefix(file.tokens, coming.result(), file.tenant)
        except CamelidError as error:
            _log.warning("%s (%s)", error.message, error.reason)
            files.discard(file)
            return
        if len(prefix.state) <= self.budget:
            self.keep(prefix)
        else:
            self._guest = prefix

    def _write(self, prefix: SavedPrefix) -> None:
        if self._files is not None:
            self._files.keep(prefix, covers=not self.whole_only)

    def _drop(self, number: int) -> SavedPrefix:
        saved = self._saved.pop(number)
        self.used -= len(saved.state)
        return saved
