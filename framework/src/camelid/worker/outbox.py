"""The deltas of several steps in one frame, and now and then what the engine holds."""

import time
from collections.abc import Callable
from typing import Final

from camelid.types.usage import EngineUsage
from camelid.wire.merging import merge
from camelid.wire.messages import Delta, Step

__all__ = ("FRAME_SECONDS", "Outbox")

FRAME_SECONDS: Final = 0.025
"""Frames are at least this far apart, as the pictures of a film are, unless an answer ends.

A frame wakes the server, and on a small machine the server takes the core that the next token is computed on. Models
that take longer for a token than this are not held up at all.
"""


USAGE_SECONDS: Final = 1.0
"""Without news of what the engine holds, while it works."""


class Outbox:
    """Holds deltas back for a moment and sends those of all requests together."""

    def __init__(
        self,
        emit: Callable[[Step], None],
        usage: Callable[[], EngineUsage],
        frame_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin; what `usage` tells now, the server knows.

        Args:
            emit: takes the frames.
            usage: tells what the engine holds.
            frame_seconds: least time between two frames of running answers.
            clock: seconds.
        """
        self._emit = emit
        self._usage = usage
        self._frame_seconds = frame_seconds
        self._clock = clock
        self._sent_at = self._told_at = 0.0
        self._told = usage()
        self._held: dict[int, list[Delta]] = {}

    def put(self, deltas: list[Delta]) -> None:
        """Take what a step brought, and send what is held if it is time or an answer has ended."""
        for delta in deltas:
            self._held.setdefault(delta.id, []).append(delta)
        now = self._clock()
        ended = any(delta.finish or delta.fault for delta in deltas)
        if self._held and (ended or now - self._sent_at >= self._frame_seconds):
            tell = ended or now - self._told_at >= USAGE_SECONDS
            self._send(now, self._usage() if tell else None)

    def forget(self, request: int) -> None:
        """Drop what is held for a request that nobody waits for any more."""
        self._held.pop(request, None)

    def rest(self) -> None:
        """There is nothing to do: say what the engine holds, unless the server knows."""
        usage = self._usage()
        if usage != self._told:
            self._send(self._clock(), usage)

    def _send(self, now: float, usage: EngineUsage | None) -> None:
        frame = Step(tuple(map(merge, self._held.values())), usage)
        self._held.clear()
        self._sent_at = now
        if usage is not None:
            self._told, self._told_at = usage, now
        self._emit(frame)
