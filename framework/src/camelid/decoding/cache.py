"""The KV cache as the scheduler sees it: slots that remember their tokens, so that prompts reuse what is there."""

import logging
from collections.abc import Iterable
from typing import Final

import numpy as np

from camelid.contracts.generation import BatchDecoder, KVCacheFullError
from camelid.decoding.archive import PrefixArchive
from camelid.decoding.cells import CellLedger
from camelid.decoding.prefix import WORTH_KEEPING, SavedPrefix
from camelid.decoding.tokens import TokenArray, common_prefix
from camelid.errors import CamelidError

__all__ = ("PrefixCache", "Slot")

_log = logging.getLogger("camelid.decoding")

_IN_THE_WAY: Final = 128
"""Tokens that others generate beside an idle prefix before it has cost them as much as moving it away and back will."""
_LOOK: Final = 4
"""Tokens between two looks at the idle slots."""

_NO_TOKENS: TokenArray = np.zeros(0, np.int32)


class Slot:
    """One sequence id of a `BatchDecoder`, and the tokens that the KV cache holds for it."""

    __slots__ = ("exact", "idle", "left_at", "length", "sequence", "tenant", "tokens", "used_at")

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self.tokens = _NO_TOKENS
        """The first `length` are in the cache. Shared with whoever runs in the slot, who writes behind them."""
        self.length = 0
        self.exact = 0
        """Tokens that others may reuse: what a shift has moved is only nearly what computing it would give."""
        self.idle = True
        self.tenant = ""
        """Whose tokens these are: only requests of the same tenant may reuse them."""
        self.used_at = 0
        self.left_at = 0
        """Tokens that had been generated in all when it was last of use."""


class PrefixCache:
    """Hands out slots with as much of a prompt as is already computed, and evicts the least recently used.

    What is evicted can be kept in host memory, from where it comes back faster than it would be computed.
    """

    def __init__(self, decoder: BatchDecoder, archive: PrefixArchive | None = None) -> None:
        """Begin with an empty decoder.

        Args:
            decoder: whose cells.
            archive: keeps evicted prefixes; without one they are forgotten.
        """
        limits = decoder.limits
        self._archive = archive
        self._saves = archive is not None
        """Whether states are kept: the decoder did not fail to save one."""
        self._decoder = decoder
        self._cells = CellLedger(limits.cells, limits.sequences)
        self.cells = limits.cells
        """Tokens that the decoder says it can hold."""
        self._clock = 0
        self._generated = 0
        self._look_at = 0
        self.slots = [Slot(sequence) for sequence in range(limits.sequences)]
        self._copies = type(decoder).copy_prefix is not BatchDecoder.copy_prefix
        self.shares = self._copies
        """Whether it is worth waiting for a prefix: the decoder did not refuse to copy the last one."""

    @property
    def free(self) -> int:
        """Cells that can be filled without forgetting anything."""
        return max(0, self._cells.free)

    @property
    def reclaimable(self) -> int:
        """Cells that can be filled if every idle slot is forgotten; perhaps a few more."""
        return self.free + sum(self._cells.private(slot.sequence) for slot in self.slots if slot.idle and slot.length)

    @property
    def used(self) -> int:
        """Cells that are filled."""
        return self._cells.used

    @property
    def has_idle_slot(self) -> bool:
        """Whether `claim` will find a slot."""
        return any(slot.idle for slot in self.slots)

    def matches(self, tokens: TokenArray, tenant: str = "") -> list[tuple[int, Slot]]:
        """The slots that hold a beginning of `tokens` and that a tenant may use, the longest first.

        The last token never counts: computing it gives the logits for the next one.
        """
        wanted = tokens[:-1]
        own = (slot for slot in self.slots if slot.exact and slot.tenant == tenant)
        found = [(common_prefix(wanted, slot.tokens[: slot.exact]), slot) for slot in own]
        found = [match for match in found if match[0]]
        found.sort(key=lambda match: (match[0], match[1].idle, match[1].used_at), reverse=True)
        return found

    def claim(self, tokens: TokenArray, tenant: str = "") -> Slot:
        """Take an idle slot for a tenant's sequence that consists of `tokens`; `length` of it are there already.

        An idle slot is continued in place if at least half of what it holds is of use. Otherwise its prefix is copied,
        as it is from a running one, and the slot keeps what it has for its own next turn. A state in host memory is
        taken if it saves more than what the slots hold.
        """
        matches = self.matches(tokens, tenant)
        restored = self._restored(tokens, tenant, matches[0][0] if matches else 0)
        if restored is not None:
            return self._take(restored)
        for length, source in matches:
            if source.exact < length:
                continue  # forgotten by a copy that was refused
            if source.idle and 2 * length >= source.length and self.cut(source, length):
                return self._take(source)
            target = self._oldest_idle(but=source)
            if target is not None and self._copy(source, target, length):
                return self._take(target)
            if source.idle and self.cut(source, length):
                return self._take(source)
        target = self._oldest_idle()
        if target is None:
            raise RuntimeError("no slot is idle")
        self.evict(target)
        target.tenant = tenant
        return self._take(target)

    def hold(self, slot: Slot, count: int) -> None:
        """The decoder computed `count` more tokens in a slot."""
        slot.exact = slot.length + count if slot.exact == slot.length else slot.exact
        slot.length += count
        self._cells.grow(slot.sequence, count)

    def generated(self, tokens: int) -> None:
        """So many tokens were generated. An idle prefix that was of no use all the while goes to host memory.

        Attention looks at every filled cell, whoever's it is: 1,000 idle ones made a small model a tenth slower. Cells
        that others share stay, and so does whatever host memory has no free room for.
        """
        self._generated += tokens
        archive = self._archive
        if archive is None or self._generated < self._look_at:
            return
        self._look_at = self._generated + _LOOK
        for slot in self.slots:
            if not slot.idle or not slot.length or self._generated - slot.left_at < _IN_THE_WAY:
                continue
            private = self._cells.private(slot.sequence)
            if private >= WORTH_KEEPING and 2 * private >= slot.length:
                self._move_away(slot, archive)
                return

    def _move_away(self, slot: Slot, archive: PrefixArchive) -> None:
        """Empty an idle slot, unless that would lose what it holds."""
        slot.left_at = self._generated
        saved = self._saved(slot)
        if saved is not None and len(saved.state) <= archive.free:
            archive.keep(saved)
            self.forget(slot)
        elif not archive.wants(slot.tokens[: slot.length], slot.tenant):
            self.forget(slot)

    def leave(self, slot: Slot) -> None:
        """Whoever ran in the slot is gone; its tokens stay for others. The array is the cache's own from now on."""
        slot.idle = True
        self._touch(slot)

    def forget(self, slot: Slot, *, unsure: bool = False) -> None:
        """Empty a slot; `unsure`: the decoder may hold tokens of it that it never confirmed."""
        if slot.length or unsure:
            self._decoder.trim(slot.sequence, 0)
        self._cells.trim(slot.sequence, 0)
        slot.tokens = _NO_TOKENS
        slot.length = slot.exact = 0

    def evict(self, slot: Slot) -> None:
        """Empty a slot; what it holds goes to host memory if that is worth it."""
        saved = self._saved(slot)
        if saved is not None and self._archive is not None:
            self._archive.keep(saved)
        self.forget(slot)

    def evict_oldest(self) -> bool:
        """Evict the idle slot that was not used for longest; false if none holds anything."""
        filled = [slot for slot in self.slots if slot.idle and slot.length]
        if not filled:
            return False
        self.evict(min(filled, key=lambda slot: slot.used_at))
        return True

    def shift(self, slot: Slot, keep: int, discard: int) -> None:
        """Drop `discard` tokens after the first `keep` of a running slot.

        What follows them stays computed if the decoder can move it and no other sequence shares it: a moved cell would
        be moved for all. Otherwise the slot holds only the first `keep` tokens afterwards, or none.
        """
        moved = slot.length - keep - discard
        alone = self._cells.private(slot.sequence) >= moved
        if alone and self._decoder.shift(slot.sequence, keep, discard):
            self._cells.trim(slot.sequence, keep)
            self._cells.grow(slot.sequence, moved)
            slot.length -= discard
            slot.exact = min(slot.exact, keep)
        elif not self.cut(slot, keep):
            tokens = slot.tokens
            self.forget(slot)
            slot.tokens = tokens

    def cut(self, slot: Slot, length: int) -> bool:
        """Keep only the first `length` tokens of a slot; false, with nothing changed, if the decoder cannot."""
        if length < slot.length:
            if not self._decoder.trim(slot.sequence, length):
                return False
            self._cells.trim(slot.sequence, length)
            slot.length = length
            slot.exact = min(slot.exact, length)
        return True

    def was_full(self, wanted: int) -> None:
        """The decoder had no room for `wanted` tokens although there should have been: believe it."""
        self._cells.capacity = min(self._cells.capacity, self._cells.used + wanted - 1)

    def believe_limits(self) -> None:
        """Nothing runs: give the decoder's stated capacity another chance."""
        self._cells.capacity = self.cells

    def fetching(self, tokens: TokenArray, tenant: str) -> bool:
        """Whether it is worth waiting for a state that is on its way from the disk."""
        if self._archive is None or not self._archive.disk_budget:
            return False
        matches = self.matches(tokens, tenant)
        return self._archive.fetching(tokens[:-1], tenant, matches[0][0] if matches else 0)

    def leaving(self) -> list[SavedPrefix]:
        """The states of all slots, the last used first, if they can outlive the decoder."""
        if self._archive is None or not self._archive.disk_budget:
            return []
        latest = sorted(self.slots, key=lambda slot: slot.used_at, reverse=True)
        return [saved for slot in latest if (saved := self._saved(slot)) is not None]

    def _saved(self, slot: Slot) -> SavedPrefix | None:
        """What a slot holds, if that is worth keeping."""
        known = slot.tokens[: slot.length]
        archive = self._archive
        if archive is None or not self._saves or slot.exact != slot.length or not archive.wants(known, slot.tenant):
            return None
        try:
            return SavedPrefix(known.copy(), self._decoder.save(slot.sequence), slot.tenant)
        except Exception as error:  # noqa: BLE001 - a backend may raise anything, and nobody needs this
            self._saves = False
            _log.warning("prefixes are not kept any more: %r", error)
            return None

    def _restored(self, tokens: TokenArray, tenant: str, held: int) -> Slot | None:
        """A slot with an archived state that gives clearly more of `tokens` than the `held` in other slots."""
        archive = self._archive
        length, saved = archive.best(tokens[:-1], tenant) if archive else (0, None)
        target = self._oldest_idle()
        size = len(saved.tokens) if saved else 0
        if archive is None or saved is None or target is None:
            return None
        if length < held + WORTH_KEEPING or self.reclaimable < size:
            return None
        self.evict(target)
        while self.free < size and self.evict_oldest():
            pass
        try:
            self._decoder.restore(target.sequence, saved.state)
        except KVCacheFullError:
            return None
        except CamelidError as error:
            _log.warning("a prefix could not be restored: %s (%s)", error.message, error.reason)
            archive.discard(saved)
            return None
        target.tokens, target.tenant = saved.tokens, tenant
        target.length = target.exact = size
        self._cells.grow(target.sequence, size)
        archive.used_up(saved)
        if self.cut(target, length):
            return target
        archive.whole_only = True
        self.forget(target)
        return None

    def _take(self, slot: Slot) -> Slot:
        slot.idle = False
        self._touch(slot)
        return slot

    def _touch(self, slot: Slot) -> None:
        self._clock += 1
        slot.used_at = self._clock
        slot.left_at = self._generated

    def _oldest_idle(self, but: Slot | None = None) -> Slot | None:
        idle: Iterable[Slot] = (slot for slot in self.slots if slot.idle and slot is not but)
        return min(idle, key=lambda slot: (slot.length > 0, slot.used_at), default=None)

    def _copy(self, source: Slot, target: Slot, length: int) -> bool:
        """Put the first `length` tokens of `source` into `target`, which loses what it held."""
        if not self._copies:
            return False
        self.evict(target)
        self.shares = self._decoder.copy_prefix(source.sequence, target.sequence, length)
        if not self.shares:
            return False
        self._cells.share(source.sequence, target.sequence, length)
        target.tokens, target.tenant = source.tokens[:length].copy(), source.tenant
        target.length = target.exact = length
        self._touch(source)
        return True
