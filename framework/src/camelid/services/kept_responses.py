"""Answers that clients may come back to, in memory (OpenAI's responses). Ollama keeps none (contract 9.6)."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable
from typing import Final

import msgspec

from camelid.errors import NotFoundError, RequestError
from camelid.types.messages import Message

__all__ = ("KeptResponse", "KeptResponses")

_MOST: Final = 1000
"""Responses."""
_MOST_BYTES: Final = 128 << 20
_MOST_RUNNING: Final = 64
"""Responses that nobody waits for."""


class KeptResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one response."""

    reply: bytes
    """As its client got it."""
    input_items: tuple[bytes, ...] = ()
    """What the client sent for it, each an object as JSON."""
    messages: tuple[Message, ...] = ()
    """The conversation up to the end of the answer, for those who go on from it."""
    finished: bool = True
    """There is an answer, though perhaps cut off."""

    @property
    def size(self) -> int:
        """Bytes, about."""
        return len(self.reply) + sum(map(len, self.input_items)) + sum(map(_size, self.messages))


class KeptResponses:
    """The latest responses, as many as the bounds allow; whatever has not been asked for longest goes first."""

    def __init__(self, *, most: int = _MOST, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, KeptResponse] = OrderedDict()
        self._bytes = 0
        self._running: dict[str, asyncio.Task[None]] = {}

    def put(self, name: str, response: KeptResponse) -> None:
        """Keep a response, instead of what has its name; one that is too large alone is not kept."""
        self._forget(name)
        if response.size > self._most_bytes:
            return
        self._kept[name] = response
        self._bytes += response.size
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._forget(next(iter(self._kept)))

    def get(self, name: str) -> KeptResponse:
        """A response.

        Raises:
            NotFoundError: there is none, or it had to make room.
        """
        if name not in self._kept:
            raise NotFoundError(f"Response with id '{name}' not found.")
        self._kept.move_to_end(name)
        return self._kept[name]

    async def delete(self, name: str) -> None:
        """Forget a response; if it is still being made, that ends.

        Raises:
            NotFoundError: there is none.
        """
        await self.cancel(name)
        self._forget(name)

    def run(self, name: str, work: Coroutine[None, None, None]) -> None:
        """Make a response that nobody waits for.

        Raises:
            RequestError: too many are being made.
        """
        if len(self._running) >= _MOST_RUNNING:
            work.close()
            raise RequestError("too many responses are being made in the background: try again later")
        task = self._running[name] = asyncio.create_task(work, name=f"making {name}")
        task.add_done_callback(self._ended(name))

    async def cancel(self, name: str) -> KeptResponse:
        """End the making of a response; one that has ended already stays as it is.

        Returns:
            The response afterwards.

        Raises:
            NotFoundError: there is none.
        """
        self.get(name)
        task = self._running.get(name)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        return self.get(name)

    async def close(self) -> None:
        """End all that is being made."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _forget(self, name: str) -> None:
        gone = self._kept.pop(name, None)
        if gone is not None:
            self._bytes -= gone.size

    def _ended(self, name: str) -> Callable[[asyncio.Task[None]], None]:
        def forget(_task: asyncio.Task[None]) -> None:
            del self._running[name]

        return forget


def _size(message: Message) -> int:
    calls: Iterable[object] = (call.function.arguments for call in message.tool_calls)
    return (
        len(message.content.encode("utf-8", "replace"))
        + len(message.thinking.encode("utf-8", "replace"))
        + sum(map(len, message.images))
        + sum(len(msgspec.json.encode(arguments)) for arguments in calls)
    )
