"""How blobs are fetched: how many at once, how fast, and how patiently."""

import time
from threading import Lock
from typing import Final

import msgspec

from camelid.store.transfer_slots import Slots

__all__ = ("SECONDS_BETWEEN_NEWS", "Limits", "TransferPolicy")

SECONDS_BETWEEN_NEWS: Final = 0.06
"""Between two lines about the same blob, and two looks whether it got on (contract 7.8)."""

_SMALLEST_READ: Final = 1 << 14
_LARGEST_READ: Final = 1 << 20


class TransferPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of all transfers of a server."""

    streams: int = 8
    """Ranges of one blob that are fetched at once."""
    all_streams: int = 16
    """Ranges of all blobs that are fetched at once."""
    segment: int = 64_000_000
    """Bytes of a range. Ranges are fetched in order, so that hashing keeps up with them."""
    bandwidth: int = 0
    """Bytes a second of all transfers together; 0 for no limit."""
    tries: int = 6
    """How often a range is asked for in a row without getting on."""
    pause: float = 1.0
    """Seconds before the second try; twice as many before each further one."""
    stall: float = 30.0
    """Seconds without a byte, after which a stream is given up and asked for anew."""
    patience: float = 120.0
    """Seconds without news of a registry that is asked for a manifest or is sent something, or of a turn to send."""

    def pause_after(self, tries: int) -> float:
        """Seconds to wait after so many tries."""
        return self.pause * 2.0 ** (tries - 1)


class Limits:
    """What all transfers of a server share. Safe to use from any thread."""

    def __init__(self, policy: TransferPolicy) -> None:
        self._rate = policy.bandwidth
        self._free_at = 0.0
        self._lock = Lock()
        self.slots = Slots(max(1, policy.all_streams))
        """One is held while a stream is open."""
        self.read_size = min(_LARGEST_READ, max(_SMALLEST_READ, self._rate // 10)) if self._rate else _LARGEST_READ
        """Bytes to move before the next `delay`."""

    def delay(self, count: int) -> float:
        """Book `count` bytes; the seconds to wait after moving them, 0 without a limit."""
        if not self._rate:
            return 0.0
        with self._lock:
            now = time.monotonic()
            self._free_at = max(now, self._free_at) + count / self._rate
            return self._free_at - now
