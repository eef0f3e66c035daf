"""What a worker generated for one request and nobody took yet."""

import asyncio
from typing import Final

import msgspec

from camelid.errors import CamelidError, RequestCancelledError
from camelid.wire.faults import error_from
from camelid.wire.merging import merge
from camelid.wire.messages import Delta

__all__ = ("Mailbox",)

MERGE_AT: Final = 32
"""Deltas kept apart before they become one: merging each would copy the text again and again."""
MOST_TOKENS: Final = 32_768
"""Tokens that may wait for a reader; one that is so far behind is not coming back."""


class Mailbox:
    """Takes deltas as they come and hands them out as fast as the reader likes, merged if it is slow."""

    __slots__ = ("_deltas", "_error", "_tokens", "_waiter", "ended")

    def __init__(self) -> None:
        self.ended = False
        """Nothing more will come from the worker."""
        self._deltas: list[Delta] = []
        self._tokens = 0
        self._error: CamelidError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def put(self, delta: Delta) -> bool:
        """Add what a step brought.

        Returns:
            False if the reader is too far behind; the request has then failed and should be cancelled.
        """
        if self.ended:
            return True
        if delta.fault is None:
            self._deltas.append(delta)
        elif delta.text:
            self._deltas.append(msgspec.structs.replace(delta, fault=None))
        self._tokens += delta.tokens
        if len(self._deltas) >= MERGE_AT:
            self._deltas = [merge(self._deltas)]
        if delta.fault is not None:
            self.fail(error_from(delta.fault))
            return True
        self.ended = delta.finish is not None
        if self._tokens > MOST_TOKENS and not self.ended:
            reason = f"{self._tokens} tokens wait for a reader"
            self.fail(RequestCancelledError("the answer was not read", reason=reason))
            return False
        self._wake()
        return True

    def fail(self, error: CamelidError) -> None:
        """End the request; the reader gets what is there, then the error. Does nothing after the end."""
        if not self.ended:
            self.ended = True
            self._error = error
            self._wake()

    async def take(self) -> Delta:
        """Everything that is there; waits until there is something.

        Raises:
            CamelidError: the request failed.
        """
        while not self._deltas:
            if self._error is not None:
                raise self._error
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        taken, self._deltas, self._tokens = merge(self._deltas), [], 0
        return taken

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
